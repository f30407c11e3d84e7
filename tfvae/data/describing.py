"""Description of loaded data, in one pass over the examples."""

from collections import Counter
from collections.abc import Iterator
import itertools
from typing import Any

import numpy as np

from tfvae.data.description.columns import column_values
from tfvae.data.description.columns import plain_value
from tfvae.data.description.description import Description
from tfvae.data.description.description import FileSize
from tfvae.data.description.description import Shared
from tfvae.data.description.description import SplitDescription
from tfvae.data.description.duplicates import digests
from tfvae.data.description.duplicates import num_repeated
from tfvae.data.description.duplicates import num_shared
from tfvae.data.description.numbers import numbers_of
from tfvae.data.loading import ImageData
from tfvae.data.sources.missing import MissingValues
from tfvae.data.splits.carving import PARTS
from tfvae.data.splits.split import Split
from tfvae.data.storage.stored_images import chunks

_MAX_CLASSES = 10_000  # Labels with more values are not classes.
_FILE_SIZES = 100  # Sizes of files that are listed.
_FIRST_ROWS = 10


def describe(data: ImageData, max_examples: int | None = None) -> Description:
  """Returns counts, ranges, classes and repeated examples of data.

  The examples are read once, in chunks of about 16 MiB, in every storage. Eight
  bytes of each example are kept.

  Args:
    data: Data that `load` returned.
    max_examples: Most examples of each split, from the first, whose values are
      read; None for all. Splits and classes are always counted completely.
  """
  classes = _class_names(data)
  splits, found = {}, {}
  for name in PARTS:
    splits[name], found[name] = _split(data, name, classes, max_examples)
  sizes = Counter(data.findings.file_sizes)
  return Description(
      data.name, _kind(data), tuple(map(int, data.image_shape)),
      np.dtype(data.train.images.dtype).name, splits,
      tuple(Shared(other, one, count)
            for one, other in itertools.combinations(PARTS, 2)
            if (count := num_shared(found[one], found[other]))),
      classes, _factors(data),
      {column.name: column.kind for column in data.schema or ()},
      _first_rows(data), data.findings.missing, data.findings.dropped,
      tuple(FileSize(*map(int, size), count)
            for size, count in sizes.most_common(_FILE_SIZES)), len(sizes),
      data.findings.file_colors, data.findings.resize, data.findings.corrupt)


def _kind(data: ImageData) -> str:
  if data.schema is not None:
    return 'table'
  return 'images' if len(data.image_shape) == 3 else 'vectors'


def _split(data: ImageData, name: str, classes: tuple[str, ...],
           max_examples: int | None) -> tuple[SplitDescription, np.ndarray]:
  """Returns the description of a split, and the digests of its examples."""
  split, origin = getattr(data, name), data.origins.get(name)
  found = [np.empty(0, np.uint64)]
  holes = MissingValues(
      data.image_shape, [c.name for c in data.schema.modeled]
      if data.schema is not None else ())

  def examined() -> Iterator[np.ndarray]:
    left = len(split.images) if max_examples is None else max_examples
    for x in chunks(split.images):
      x = x[:left]
      found.append(digests(x))
      holes.add_values(x)
      left -= len(x)
      yield x
      if not left:
        return

  numbers, varying, columns = None, None, ()
  if data.schema is None:
    numbers, varying = numbers_of(examined())
  else:
    columns = column_values(data.schema.modeled, examined())
  found = np.concatenate(found)
  labels = split.labels if split.labels is not None else np.empty(0, np.int64)
  return SplitDescription(
      len(split.images), str(origin) if origin else '',
      origin.held_out if origin else None,
      origin.by_class if origin else False, len(found), numbers, varying,
      columns, num_repeated(found), _class_counts(labels, classes, data),
      int((labels == -1).sum()), holes.by_name(), int(holes.counts.sum()),
      holes.num_incomplete, holes.empty), found


def _labeled(split: Split) -> np.ndarray:
  return split.labels[split.labels >= 0]


def _class_names(data: ImageData) -> tuple[str, ...]:
  """Returns the names of the classes; without names, the labels."""
  if data.train.labels is None:
    return ()
  if data.label_names:
    return tuple(data.label_names)
  values = np.unique(np.concatenate(
      [np.unique(_labeled(getattr(data, name))) for name in PARTS]))
  return tuple(map(str, values)) if len(values) <= _MAX_CLASSES else ()


def _class_counts(labels: np.ndarray, classes: tuple[str, ...],
                  data: ImageData) -> tuple[int, ...]:
  if not classes:
    return ()
  values = (np.arange(len(classes)) if data.label_names
            else np.array(classes, np.int64))
  found, counts = np.unique(labels, return_counts=True)
  count_of = dict(zip(found.tolist(), counts.tolist(), strict=True))
  return tuple(count_of.get(value, 0) for value in values.tolist())


def _factors(data: ImageData) -> dict[str, int]:
  if data.train.factors is None:
    return {}
  return {name: len(np.unique(column)) for name, column in zip(
      data.factor_names, data.train.factors.T, strict=True)}


def _first_rows(data: ImageData) -> dict[str, tuple[Any, ...]]:
  if data.schema is None:
    return {}
  x = data.train.images[:_FIRST_ROWS]
  return {column.name: tuple(plain_value(column, code) for code in codes)
          for column, codes in zip(data.schema.modeled, x.T, strict=True)}
