"""Images that lie in files, and are read a part at a time."""

import abc
from collections.abc import Callable, Iterator, Sequence
import functools

import numpy as np
import tensorflow as tf

# `chunks` reads this much at a time.
_CHUNK_BYTES = 2**24


class StoredImages(abc.ABC):
  """Images `[n, height, width, channels]` that are not held in memory.

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

  def gather(self) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what `gather_rows` does, where rows are read in any order."""
    raise self._in_order_only()

  def converted(self, name: str, convert: Callable) -> 'StoredImages':
    """Returns images made of these, where there is a place for them."""
    raise self._in_order_only()

  def chunks(self) -> Iterator[np.ndarray]:
    """Yields the images in their order, some 16 MiB at a time."""
    yield from self.dataset(self._chunk_size).as_numpy_iterator()

  def full_range(self) -> 'StoredImages':
    """Returns the images on the scale on which 255 is one; see `full_range`."""
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


# What `Split.images` may be.
Images = np.ndarray | StoredImages


def is_in_memory(images: Images) -> bool:
  """Returns whether the images are an array."""
  return not isinstance(images, StoredImages)


def chunks(images: Images) -> Iterator[np.ndarray]:
  """Yields the images in their order; those in memory all at once."""
  if is_in_memory(images):
    yield images
  else:
    yield from images.chunks()


def gather_rows(images: Images,
                device: str = 'CPU') -> Callable[[tf.Tensor], tf.Tensor]:
  """Returns what gathers images by their numbers.

  Args:
    images: an array, which becomes one tensor that functions capture, or images
      that can be read in any order, as in `FileImages`, inside a tf.data map.
    device: to hold that tensor; the CPU is where tf.data runs.

  Returns:
    A function from row numbers `[b]` to the images `[b, height, width,
    channels]`, of the dtype of `images`.

  Raises:
    ValueError: if the images can be read in the order of their files only.
  """
  if not is_in_memory(images):
    return images.gather()
  # An eager tensor is captured by reference: it is not copied per epoch, and
  # the 2 GB limit on constants of a graph does not apply.
  with tf.device(device):
    pixels = tf.convert_to_tensor(images)
  return lambda rows: tf.gather(pixels, rows)
