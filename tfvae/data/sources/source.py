"""The interface of a source: one split of a data set in its own files."""

import abc
from collections.abc import Iterator, Mapping
import dataclasses
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.pipelines import untuned

# Size of the pieces in which a split is read in order: about one second of work
# for small images, after which progress is logged.
_PIECE_BYTES = 2**24
_PIECE_RECORDS = 2**14
# Size of the batches that one core decodes.
_BATCH_BYTES = 2**22
_BATCH_RECORDS = 256


@dataclasses.dataclass(frozen=True)
class ImageSpec:
  """Image feature of a data set.

  Attributes:
    key: Name of the feature.
    shape: (height, width, channels).
    dtype: np.uint8, or np.float32 for floating images of any precision.
  """

  key: str
  shape: tuple[int, int, int]
  dtype: type[np.number]


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
    image: Image feature.
    label: Label feature, or None.
    factors: Names of the generative factors by feature, in the order of the
      columns of `Split.factors`.
    cache_dir: Default directory for decoded images.
  """

  def __init__(self, name: str, full_name: str, split: str, image: ImageSpec,
               label: LabelSpec | None, factors: Mapping[str, str],
               cache_dir: str):
    """Initializes the source; see the attributes."""
    self.name, self.full_name, self.split = name, full_name, split
    self.image, self.label, self.factors = image, label, dict(factors)
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
      integers: Whether to decode the label and the factors.

    Returns:
      'images', `[b, height, width, channels]`, and 'integers', int64 `[b, k]`
      in the order of `integer_keys`; without what is not decoded or is empty.
    """

  def pieces(self, image: bool = True) -> Iterator[dict[str, np.ndarray]]:
    """Yields the decoded split in order, about 16 MiB at a time.

    Args:
      image: Whether to decode the images.

    Yields:
      Dictionaries as `decode` returns them.

    Raises:
      ValueError: If a floating pixel lies outside [0, 1] or is not finite.
    """
    count = (self._rows(_PIECE_BYTES, _PIECE_RECORDS) if image
             else _PIECE_RECORDS)
    batch_size = self.batch_size if image else _BATCH_RECORDS
    pieces = self.records(self.files()).batch(batch_size).map(
        lambda _, records: self.decode(records, image),
        num_parallel_calls=tf.data.AUTOTUNE)
    for piece in untuned(
        pieces.rebatch(count).prefetch(1)).as_numpy_iterator():
      if image:
        self._check_pixels(piece['images'])
      yield piece

  @property
  def batch_size(self) -> int:
    """The number of images that one core decodes at a time."""
    return self._rows(_BATCH_BYTES, _BATCH_RECORDS)

  def _rows(self, num_bytes: int, at_most: int) -> int:
    size = math.prod(self.image.shape) * np.dtype(self.image.dtype).itemsize
    return max(1, min(at_most, num_bytes // size))

  def _check_pixels(self, images: np.ndarray) -> None:
    if images.dtype == np.uint8:
      return
    received = (f'Received: image_key={self.image.key!r} in split '
                f'{self.split!r}, with')
    if not np.isfinite(images).all():
      raise ValueError(
          'Images must be finite. Repair them in the data set, or leave them '
          f"out by a split such as 'train[:90%]'. {received} a NaN or an "
          'infinity')
    if images.min() < 0 or images.max() > 1:
      raise ValueError(
          'Floating images must lie in [0, 1]. Scale them in the data set, or '
          f'store them as uint8. {received} pixels from {images.min():g} to '
          f'{images.max():g}')
