"""A `tf.data.Dataset` as a data set with splits and a digest."""

import hashlib
import os
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.data.sources.arrays.array_data import array_header
from tfvae.data.sources.arrays.array_data import ArrayData
from tfvae.data.sources.arrays.labels import checked_labels
from tfvae.data.sources.arrays.labels import numbered_classes
from tfvae.data.sources.data_set import cache_directory
from tfvae.data.sources.data_set import DataSet
from tfvae.data.sources.missing import MissingValues
from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.sources.streams.examples import Examples
from tfvae.data.sources.streams.stream_source import StreamSource

_NAME = 'dataset'


def stored_stream(dataset: tf.data.Dataset, image_key: str = 'image',
                  label_key: str | None = 'label',
                  directory: str | None = None,
                  missing: str = 'refuse',
                  missing_labels: bool = False) -> ArrayData:
  """Reads the examples once, into a temporary file.

  Args:
    dataset: Finite data set of examples; see `Examples`.
    image_key: Name of x in a dictionary.
    label_key: Name of the label, or None.
    directory: Directory of the file, which has no name and vanishes with the
      data set; by default that of the caches.
    missing: Treatment of examples with missing values, one of `MISSING`.
    missing_labels: Whether labels may be missing; see `checked_labels`.

  Raises:
    ValueError: If it is not such a data set, or the file cannot be written.
  """
  examples = Examples(dataset, image_key, label_key)
  directory = os.path.expanduser(directory or cache_directory())
  count, labels = 0, []
  try:
    os.makedirs(directory, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory) as file:
      for x, y in examples.batches():
        file.write(np.ascontiguousarray(x).data)
        count += len(x)
        labels += [] if y is None else [y]
      file.flush()
      _check_count(count)
      x = np.memmap(file, examples.dtype, 'r', shape=(count, *examples.shape))
  except OSError as error:
    raise ValueError(
        f'Cannot keep the examples on disk: {error.strerror}, after {count:,} '
        'of them. Set `cache_dir` to a directory with enough space, or read '
        "them again in each pass, with `cache='none'`. Received: "
        f'cache_dir={directory!r}') from error
  return ArrayData(_NAME, {'x': x} | (
      {'y': np.concatenate(labels)} if labels else {}), missing=missing,
                   missing_labels=missing_labels)


class StreamData(DataSet):
  """Examples that are read again in each pass."""

  def __init__(self, dataset: tf.data.Dataset, image_key: str = 'image',
               label_key: str | None = 'label', missing: str = 'refuse',
               missing_labels: bool = False):
    """Reads the examples twice, to check that the passes agree.

    Args:
      dataset: Finite data set of examples; see `Examples`.
      image_key: Name of x in a dictionary.
      label_key: Name of the label, or None.
      missing: Treatment of examples with missing values, 'refuse' or 'allow'.
      missing_labels: Whether labels may be missing; see `checked_labels`.

    Raises:
      ValueError: If it is not such a data set, or two passes differ, or if
        values are missing and that is refused.
    """
    if missing == 'drop':
      # To skip single examples, each pass would read all those before them.
      raise ValueError(
          "`missing='drop'` needs examples that are stored: set `cache='disk'` "
          "or `cache='memory'`, or leave out incomplete examples by `filter`. "
          'Received: missing=drop, cache=none for a `tf.data.Dataset`')
    self._examples = Examples(dataset, image_key, label_key)
    found = MissingValues(self._examples.shape)
    count, y, digests, _ = _pass(
        self._examples, found=found, missing_labels=missing_labels)
    _check_count(count)
    # The digests of arrays begin with their shapes.
    _, _, again, content = _pass(
        self._examples, count, y, missing_labels=missing_labels)
    if digests != again:
      raise ValueError(
          'Two passes over the data set give different examples or another '
          "order, and `cache='none'` reads it in each pass. Shuffle it with "
          '`reshuffle_each_iteration=False` and a seed, or not at all, draw no '
          "random numbers, or set `cache='disk'`. Received: a data set of "
          f'{count:,} examples')
    super().__init__(_NAME, RowNumbers.by_part({'train': count}), content)
    self.treat_missing(missing, {'train': found})
    self._label, self._labels = (None, None) if y is None else numbered_classes(
        'y', [checked_labels(_NAME, 'y', y, missing_labels)], missing_labels)

  def source(self, split: str, rows: RowNumbers) -> StreamSource:
    """Returns some of the rows as a source."""
    return StreamSource(
        self.name, self.full_name, split, self._examples, rows, self._label,
        self._labels)


def _pass(examples: Examples, count: int = 0, y: np.ndarray | None = None,
          found: MissingValues | None = None, missing_labels: bool = False
          ) -> tuple[int, np.ndarray | None, list[str], dict[str, str]]:
  """Reads the examples.

  Args:
    examples: Examples.
    count: Number of examples, if it is known.
    y: Labels, if they are known.
    found: Missing values, to which those of x are added.
    missing_labels: Whether labels may be missing.

  Returns:
    The number of examples, their labels, digests of what was read, and the
    digests of `ArrayData`, if number and labels are known.
  """
  plain, whole = _hash(), _hash()
  whole.update(array_header(examples.dtype, (count, *examples.shape)))
  count, labels = 0, []
  for x, label in examples.batches():
    for digest in (plain, whole):
      digest.update(np.ascontiguousarray(x).data)
    if found is not None:
      found.add_values(x)
    count += len(x)
    labels += [] if label is None else [label]
  content = {'x of train': whole.hexdigest()}
  joined, digests = None, [plain.hexdigest()]
  if labels:
    joined = np.concatenate(labels)
    digests.append(hashlib.blake2b(joined.tobytes()).hexdigest())
    if y is not None:
      checked = checked_labels(_NAME, 'y', y, missing_labels)
      header = array_header(checked.dtype, checked.shape)
      content['y of train'] = _hash(header + checked.tobytes()).hexdigest()
  return count, joined, digests, content


def _hash(content: bytes = b'') -> Any:
  return hashlib.blake2b(content, digest_size=16)


def _check_count(count: int) -> None:
  if not count:
    raise ValueError('A data set must have at least one example. Received: a '
                     'data set without elements')
