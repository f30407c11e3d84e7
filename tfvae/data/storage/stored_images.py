"""Images that are read a part at a time, from files or from an array."""

import abc
from collections.abc import Callable, Iterator, Sequence
import functools
import math

import numpy as np
import tensorflow as tf

from tfvae.data.storage.memory import as_tensor

# `chunks` reads this much at a time.
_CHUNK_BYTES = 2**24


class StoredImages(abc.ABC):
  """Images `[n, height, width, channels]` that are read a part at a time.

  It has the `shape`, `dtype`, `ndim` and length of an array, and `images[a:b]`
  is an array; but whoever wants all of them goes through `chunks`.
  """

  def __init__(self, shape: Sequence[int], dtype: np.dtype, factor: int = 1):
    """Initialises what all of them have.

    Args:
      shape: (n, height, width, channels).
      dtype: np.uint8 or np.float32.
      factor: multiplies every pixel that is read, 1 or 255.
    """
    self.shape = tuple(map(int, shape))
    self.dtype = np.dtype(dtype)
    self.ndim = len(self.shape)
    self._factor = factor

  def __len__(self) -> int:
    return self.shape[0]

  def __array__(self, dtype: np.dtype | None = None,
                copy: bool | None = None) -> np.ndarray:
    """Reads all of them, as NumPy asks for where it wants an array."""
    return self[:].astype(dtype or self.dtype, copy=False)

  @abc.abstractmethod
  def __getitem__(self, key: slice) -> np.ndarray:
    """Reads the images of a slice."""

  @abc.abstractmethod
  def rows(self, chosen: np.ndarray) -> 'StoredImages':
    """Returns the images that bool `[n]` or indices choose, without reading."""

  @abc.abstractmethod
  def with_factor(self, factor: int) -> 'StoredImages':
    """Returns these images with every pixel multiplied."""

  @abc.abstractmethod
  def dataset(self, count: int) -> tf.data.Dataset:
    """Returns the images in their order, `[b, ...]` with `b <= count`."""

  def gather(self, device: str = 'CPU') -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what gathers images by their numbers.

    Args:
      device: to hold those of an array; the CPU is where tf.data runs.

    Returns:
      A function from row numbers `[b]` to the images `[b, height, width,
      channels]`; where they lie in a file it is one for a tf.data map.

    Raises:
      ValueError: if they can be read in the order of their files only.
    """
    raise self._in_order_only()

  def converted(self, name: str, convert: Callable) -> 'StoredImages':
    """Returns images made of these, where there is a place for them."""
    raise self._in_order_only()

  def chunks(self) -> Iterator[np.ndarray]:
    """Yields the images in their order, some 16 MiB at a time."""
    yield from self.dataset(self._chunk_size).as_numpy_iterator()

  def full_range(self) -> 'StoredImages':
    """Returns the images on the scale on which 255 is one.

    Some data sets (binarized_mnist, dsprites) hold bits, not grey levels: uint8
    images with no value above 1. Those are multiplied by 255 when they are
    read, so that x / 255 is right for every uint8 image. Others stay.
    """
    return self.with_factor(255) if self._holds_bits else self

  @functools.cached_property
  def _holds_bits(self) -> bool:
    """Whether no uint8 pixel is above 1: seen early where there are greys."""
    return self.dtype == np.uint8 and all(
        chunk.max(initial=0) <= 1 for chunk in self.chunks())

  def _in_order_only(self) -> ValueError:
    return ValueError(
        'These images are read in the order of their files, and nothing is '
        'kept of them; train on them by streamed_batches, or load them with '
        f"cache='disk'. Received: images of type {type(self).__name__}")

  @property
  def _chunk_size(self) -> int:
    image = int(np.prod(self.shape[1:])) * self.dtype.itemsize
    return max(1, _CHUNK_BYTES // max(1, image))

  def _scaled(self, images):
    """Multiplies what was read, an array or a tensor."""
    if self._factor == 1:
      return images
    return images * images.dtype.type(self._factor) if isinstance(
        images, np.ndarray) else images * tf.cast(self._factor, images.dtype)


class ArrayImages(StoredImages):
  """Images of an array."""

  def __init__(self, array: np.ndarray, factor: int = 1):
    """Initialises the view.

    Args:
      array: `[n, height, width, channels]`.
      factor: multiplies every pixel that is read, so that the array need not be
        multiplied into a second one.
    """
    super().__init__(array.shape, array.dtype, factor)
    self._array = array

  def __getitem__(self, key: slice) -> np.ndarray:
    """Returns the images of a slice."""
    return self._scaled(self._array[key])

  def rows(self, chosen: np.ndarray) -> 'ArrayImages':
    """Returns the images that bool `[n]` or indices choose, copied."""
    return ArrayImages(self._array[chosen], self._factor)

  def with_factor(self, factor: int) -> 'ArrayImages':
    """Returns these images with every pixel multiplied."""
    return ArrayImages(self._array, factor)

  def gather(self, device: str = 'CPU') -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what gathers images by their numbers."""
    # An eager tensor is captured by reference: it is not copied per epoch, and
    # the 2 GB limit on constants of a graph does not apply.
    # In rows, which XLA gathers faster than whatever has more axes.
    count, *shape = self._array.shape
    pixels = tf.reshape(
        as_tensor(self._array, device), [count, math.prod(shape)])
    return lambda rows: self._scaled(
        tf.reshape(tf.gather(pixels, rows), [-1, *shape]))

  def dataset(self, count: int) -> tf.data.Dataset:
    """Returns the images in their order, `[b, ...]` with `b <= count`."""
    images = sliced(self._array, count)
    return images if self._factor == 1 else images.map(self._scaled)

  def chunks(self) -> Iterator[np.ndarray]:
    """Yields the images in their order, some 16 MiB at a time."""
    for start in range(0, len(self), self._chunk_size):
      yield self[start:start + self._chunk_size]


# What `Split.images` may be.
Images = np.ndarray | StoredImages


def stored(images: Images) -> StoredImages:
  """Returns images that are read a part at a time, of an array or of such."""
  return ArrayImages(images) if is_in_memory(images) else images


def is_in_memory(images: Images) -> bool:
  """Returns whether the images are an array."""
  return not isinstance(images, StoredImages)


def chunks(images: Images) -> Iterator[np.ndarray]:
  """Yields the images in their order, some 16 MiB at a time."""
  yield from stored(images).chunks()


def sliced(values: np.ndarray, count: int) -> tf.data.Dataset:
  """Returns the rows of an array in their order, at most `count` at a time."""
  tensor = as_tensor(values)
  return tf.data.Dataset.range(0, len(values), count).map(
      lambda start: tensor[start:start + count])
