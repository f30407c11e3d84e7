"""The interface of stored images, which are read in parts, and arrays."""

import abc
from collections.abc import Callable, Iterator, Sequence
import functools
import math

import numpy as np
import tensorflow as tf

from tfvae.data.storage.memory import as_tensor
from tfvae.streaming import untuned

# Size of the chunks of `chunks`.
_CHUNK_BYTES = 2**24


class StoredImages(abc.ABC):
  """Images `[n, height, width, channels]` that are read in parts.

  They have the `shape`, `dtype`, `ndim` and length of an array, and
  `images[a:b]` is an array. To iterate over all images, use `chunks`.
  """

  def __init__(self, shape: Sequence[int], dtype: np.dtype, factor: int = 1):
    """Initializes the shape and the dtype.

    Args:
      shape: (n, height, width, channels).
      dtype: np.uint8 or np.float32.
      factor: Factor of every pixel, 1 or 255.
    """
    self.shape = tuple(map(int, shape))
    self.dtype = np.dtype(dtype)
    self.ndim = len(self.shape)
    self._factor = factor

  def __len__(self) -> int:
    return self.shape[0]

  def __array__(self, dtype: np.dtype | None = None,
                copy: bool | None = None) -> np.ndarray:
    """Reads all images, where NumPy needs an array."""
    return self[:].astype(dtype or self.dtype, copy=False)

  @abc.abstractmethod
  def __getitem__(self, key: slice) -> np.ndarray:
    """Reads the images of a slice."""

  @abc.abstractmethod
  def rows(self, chosen: np.ndarray) -> 'StoredImages':
    """Returns the chosen images, by a mask or indices, without reading."""

  @abc.abstractmethod
  def with_factor(self, factor: int) -> 'StoredImages':
    """Returns these images with every pixel multiplied."""

  @abc.abstractmethod
  def dataset(self, count: int) -> tf.data.Dataset:
    """Returns the images in order, `[b, ...]` with `b <= count`."""

  def gather(self, device: str = 'CPU') -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that gathers images by their row numbers.

    Args:
      device: Device that holds the images of an array; `tf.data` runs on the
        CPU.

    Returns:
      Function from row numbers `[b]` to images `[b, height, width, channels]`.
      For images in a file, call it in a map of `tf.data`.

    Raises:
      ValueError: If the images can only be read in the order of their files.
    """
    raise self._in_order_only()

  def converted(self, name: str, convert: Callable,
                dtype: np.dtype) -> 'StoredImages':
    """Returns images computed from these, stored in the same way."""
    raise self._in_order_only()

  def chunks(self) -> Iterator[np.ndarray]:
    """Yields the images in order, about 16 MiB at a time."""
    yield from untuned(self.dataset(self._chunk_size)).as_numpy_iterator()

  def full_range(self) -> 'StoredImages':
    """Returns the images on a scale where 255 means 1.

    The uint8 images of some data sets (binarized_mnist, dsprites) hold bits
    instead of gray levels: no value is above 1. They are multiplied by 255 when
    they are read, so that x / 255 is right for every uint8 image. Other images
    are unchanged.
    """
    return self.with_factor(255) if self._holds_bits else self

  @property
  def factor(self) -> int:
    """The factor of every pixel when it is read, 1 or 255."""
    return self._factor

  @functools.cached_property
  def _holds_bits(self) -> bool:
    """Whether no uint8 pixel is above 1; stops at the first larger one."""
    return self.dtype == np.uint8 and all(
        chunk.max(initial=0) <= 1 for chunk in self.chunks())

  @functools.cached_property
  def has_holes(self) -> bool:
    """Whether a value is missing, NaN; stops at the first one."""
    return self.dtype.kind == 'f' and any(
        np.isnan(chunk).any() for chunk in self.chunks())

  def _in_order_only(self) -> ValueError:
    return ValueError(
        'Streamed images are read in the order of their files and are not '
        'kept. Train on them with `tfvae.data.streamed_batches`, or load them '
        f"with `cache='disk'`. Received: images of type {type(self).__name__}")

  @property
  def _chunk_size(self) -> int:
    image = int(np.prod(self.shape[1:])) * self.dtype.itemsize
    return max(1, _CHUNK_BYTES // max(1, image))

  def _scaled(self, images):
    """Multiplies images by the factor."""
    if self._factor == 1:
      return images
    return images * images.dtype.type(self._factor) if isinstance(
        images, np.ndarray) else images * tf.cast(self._factor, images.dtype)


class ArrayImages(StoredImages):
  """Images in an array."""

  def __init__(self, array: np.ndarray, factor: int = 1):
    """Initializes the view.

    Args:
      array: Images, `[n, height, width, channels]`.
      factor: Factor of every pixel; it is applied when images are read, without
        a second array.
    """
    super().__init__(array.shape, array.dtype, factor)
    self._array = array

  def __getitem__(self, key: slice) -> np.ndarray:
    """Returns the images of a slice."""
    return self._scaled(self._array[key])

  def rows(self, chosen: np.ndarray) -> 'ArrayImages':
    """Returns a copy of the chosen images, by a mask or indices."""
    return ArrayImages(self._array[chosen], self._factor)

  def with_factor(self, factor: int) -> 'ArrayImages':
    """Returns these images with every pixel multiplied."""
    return ArrayImages(self._array, factor)

  def gather(self, device: str = 'CPU') -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that gathers images by their row numbers."""
    # An eager tensor is captured by reference: it is not copied in each epoch,
    # and the 2 GB limit on constants of a graph does not apply.
    # As rows, which XLA gathers faster than tensors with more axes.
    count, *shape = self._array.shape
    pixels = tf.reshape(
        as_tensor(self._array, device), [count, math.prod(shape)])
    return lambda rows: self._scaled(
        tf.reshape(tf.gather(pixels, rows), [-1, *shape]))

  def dataset(self, count: int) -> tf.data.Dataset:
    """Returns the images in order, `[b, ...]` with `b <= count`."""
    images = sliced(self._array, count)
    return images if self._factor == 1 else images.map(self._scaled)

  def chunks(self) -> Iterator[np.ndarray]:
    """Yields the images in order, about 16 MiB at a time."""
    for start in range(0, len(self), self._chunk_size):
      yield self[start:start + self._chunk_size]


# Type of `Split.images`.
Images = np.ndarray | StoredImages


def stored(images: Images) -> StoredImages:
  """Returns the images as `StoredImages`."""
  return ArrayImages(images) if is_in_memory(images) else images


def is_in_memory(images: Images) -> bool:
  """Returns whether the images are an array."""
  return not isinstance(images, StoredImages)


def chunks(images: Images) -> Iterator[np.ndarray]:
  """Yields the images in order, about 16 MiB at a time."""
  yield from stored(images).chunks()


def sliced(values: np.ndarray, count: int) -> tf.data.Dataset:
  """Returns the rows of an array in order, at most `count` at a time."""
  tensor = as_tensor(values)
  return tf.data.Dataset.range(0, len(values), count).map(
      lambda start: tensor[start:start + count])
