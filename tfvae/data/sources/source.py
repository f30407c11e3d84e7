"""The interface of a source: one split of a data set in its own files."""

import abc
from collections.abc import Iterable, Iterator, Mapping
import dataclasses
import math
from typing import ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.streaming import untuned

# Size of the pieces in which a split is read in order: about one second of work
# for small images, after which progress is logged.
_PIECE_BYTES = 2**24
_PIECE_RECORDS = 2**14
# Size of the batches that one core decodes.
_BATCH_BYTES = 2**22
_BATCH_RECORDS = 256


@dataclasses.dataclass(frozen=True)
class ExampleSpec:
  """Feature of a data set that becomes x.

  Attributes:
    key: Name of the feature.
    shape: Shape of one x, such as (height, width, channels).
    dtype: np.uint8, or np.float32 for any other numbers.
    is_image: Whether x is an image, whose floating pixels lie in [0, 1].
  """

  key: str
  shape: tuple[int, ...]
  dtype: type[np.number]
  is_image: bool = True


@dataclasses.dataclass(frozen=True)
class LabelSpec:
  """Label feature of a data set.

  Attributes:
    key: Name of the feature.
    num_classes: Number of classes, or None if the data set does not define it.
    names: Names of the classes in order, '0', '1', ... where the data set only
      numbers them, or None if there is no number of classes.
  """

  key: str
  num_classes: int | None
  names: tuple[str, ...] | None


class Files(NamedTuple):
  """Location of the rows of a split: a part of each file, in order.

  Attributes:
    path: Paths, string `[f]`.
    skip: Records before the part, int64 `[f]`.
    take: Records of the part, each of them a row, int64 `[f]`.
    first: Number of the first row of the part, int64 `[f]`.
  """

  path: np.ndarray
  skip: np.ndarray
  take: np.ndarray
  first: np.ndarray

  @classmethod
  def of_runs(cls, rows: RowNumbers, sizes: Iterable[int]) -> 'Files':
    """Returns a part for each run of successive rows in one group.

    Args:
      rows: Row numbers.
      sizes: Number of rows of each group.

    Returns:
      Parts whose paths are the numbers of their groups.
    """
    group, skip, take = rows.by_group(sizes)
    return cls(group.astype(str), skip, take, np.cumsum(take) - take)

  def between(self, start: int, stop: int) -> 'Files':
    """Returns the parts that hold the rows from `start` to `stop`."""
    # The part [first, first + take) of each file is cut to [start, stop).
    front = np.maximum(start - self.first, 0)
    take = np.minimum(self.first + self.take, stop) - self.first - front
    cut = Files(self.path, self.skip + front, take, self.first + front)
    return Files(*(column[take > 0] for column in cut))


class Source(abc.ABC):
  """One split of a data set, as encoded records in files.

  A source locates, reads and decodes records. Splits, caches, shuffling,
  sharding and resuming are the same for all sources. The order of the records
  must be the same on every machine.

  Attributes:
    name: Name of the data set, for logs and messages.
    full_name: Name with the version; it identifies the content.
    split: Name of the split.
    example: Feature that becomes x.
    label: Label feature, or None.
    factors: Names of the generative factors by feature, in the order of the
      columns of `Split.factors`.
    cache_dir: Default directory for decoded images.
    has_digest: Whether `full_name` has a digest of the content, so that a cache
      need not look at the files; a class attribute.
    integers: Label and factors of each row where they are known without
      reading records, int64 `[n, k]` in the order of `integer_keys`; else None.
    weights: Sample weight of each row, float32 `[n]`, or None.
    allows_missing: Whether x may have NaN, which are missing values.
  """

  has_digest: ClassVar[bool] = False
  integers: np.ndarray | None = None
  weights: np.ndarray | None = None
  allows_missing: bool = False

  def __init__(self, name: str, full_name: str, split: str,
               example: ExampleSpec, label: LabelSpec | None,
               factors: Mapping[str, str], cache_dir: str):
    """Initializes the source; see the attributes."""
    self.name, self.full_name, self.split = name, full_name, split
    self.example, self.label, self.factors = example, label, dict(factors)
    self.cache_dir = cache_dir

  @property
  def integer_keys(self) -> list[str]:
    """The features of one integer: the label, then the factors, each once."""
    label = [self.label.key] if self.label else []
    return list(dict.fromkeys([*label, *self.factors]))

  @abc.abstractmethod
  def __len__(self) -> int:
    """Returns the number of images."""

  @abc.abstractmethod
  def files(self) -> Files:
    """Returns the files of the split."""

  @abc.abstractmethod
  def records(self, files: Files, in_order: bool = True) -> tf.data.Dataset:
    """Returns pairs of a row number and an encoded record, a string.

    Args:
      files: Files to read, as arrays or as tensors of a graph.
      in_order: Whether one file is read after the other; otherwise several
        files take turns.
    """

  @abc.abstractmethod
  def decode(self, records: tf.Tensor, image: bool = True,
             integers: bool = True) -> dict[str, tf.Tensor]:
    """Decodes records.

    Args:
      records: Encoded records, string `[b]`.
      image: Whether to decode the images.
      integers: Whether to decode the label and the factors, if the records
        have them.

    Returns:
      'images', `[b, height, width, channels]`, and 'integers', int64 `[b, k]`
      in the order of `integer_keys`; without what is not decoded or is empty.
    """

  def pieces(self, image: bool = True, start: int = 0,
             stop: int | None = None) -> Iterator[dict[str, np.ndarray]]:
    """Yields decoded rows in order, about 16 MiB at a time.

    Args:
      image: Whether to decode the images.
      start: First row.
      stop: Row after the last one; by default that after the last of the split.

    Yields:
      Dictionaries as `decode` returns them, with 'ids' where a column that is
      read names the rows.

    Raises:
      ValueError: If a number is not finite, or a floating pixel of an image
        lies outside [0, 1].
    """
    stop = len(self) if stop is None else stop
    if not image and self.integers is not None:
      yield {'integers': self.integers[start:stop]}
      return
    count = self.piece_size if image else _PIECE_RECORDS
    batch_size = self.batch_size if image else _BATCH_RECORDS
    files = self.files().between(start, stop)
    pieces = self.records(files).batch(batch_size).map(
        lambda _, records: self.decode(records, image),
        num_parallel_calls=tf.data.AUTOTUNE)
    for piece in untuned(
        pieces.rebatch(count).prefetch(1)).as_numpy_iterator():
      if image:
        self._check_numbers(piece['images'])
        if self.integers is not None:
          end = start + len(piece['images'])
          piece['integers'] = self.integers[start:end]
          start = end
      yield piece

  def ids(self, start: int, stop: int) -> np.ndarray:
    """Returns a name of each row from `start` to `stop`, integers or strings.

    By default they are the numbers of the rows. Names that have to be read are
    among `pieces`.
    """
    return np.arange(start, stop)

  @property
  def batch_size(self) -> int:
    """The number of images that one core decodes at a time."""
    return self._rows(_BATCH_BYTES, _BATCH_RECORDS)

  @property
  def piece_size(self) -> int:
    """The number of rows that are read in order at a time."""
    return self._rows(_PIECE_BYTES, _PIECE_RECORDS)

  def _rows(self, num_bytes: int, at_most: int) -> int:
    size = math.prod(self.example.shape) * np.dtype(self.example.dtype).itemsize
    return max(1, min(at_most, num_bytes // size))

  def _check_numbers(self, values: np.ndarray) -> None:
    if values.dtype == np.uint8:
      return
    is_image = self.example.is_image
    received = (f'Received: image_key={self.example.key!r} in split '
                f'{self.split!r}, with')
    is_allowed = np.isfinite(values)
    if self.allows_missing:
      is_allowed |= np.isnan(values)
    if not is_allowed.all():
      kind = 'an infinity' if self.allows_missing else 'a NaN or an infinity'
      raise ValueError(
          f'{"Images" if is_image else "Numbers"} must be finite. Repair them '
          'in the data set, or leave them out by a split such as '
          f"'train[:90%]'. {received} {kind}")
    if is_image and not 0 <= values.min() <= values.max() <= 1:
      raise ValueError(
          'Floating images must lie in [0, 1]. Scale them in the data set, or '
          f'store them as uint8. {received} pixels from {values.min():g} to '
          f'{values.max():g}')
