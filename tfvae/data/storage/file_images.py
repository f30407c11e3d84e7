"""Images in a file of rows of equal size, which are read in any order."""

from collections.abc import Callable, Iterable, Iterator
import hashlib
import os
import weakref

import numpy as np
import tensorflow as tf

from tfvae.data.storage.stored_images import StoredImages
from tfvae.data.storage.whole_file import write_once

_UINT8 = np.dtype(np.uint8)


class FileImages(StoredImages):
  """Images in a file, selected by their row numbers.

  The images are read with `pread` instead of a memory map. The pages of a map
  count as memory of the process, which would grow to the size of the file in a
  container with a limit. The kernel caches the file in free memory either way.
  """

  def __init__(self, file: 'RowFile', numbers: np.ndarray, shape: tuple,
               dtype: np.dtype, factor: int = 1):
    """Initializes the view.

    Args:
      file: Open file.
      numbers: Row of each image, int64 `[n]`.
      shape: (height, width, channels).
      dtype: Type of the pixels in the file.
      factor: Factor of every pixel, 1 or 255.
    """
    super().__init__((len(numbers), *shape), dtype, factor)
    self._file, self._numbers = file, numbers

  @classmethod
  def open(cls, path: str, shape: tuple, dtype: np.dtype) -> 'FileImages':
    """Returns all images of a file.

    Args:
      path: Path of the file.
      shape: (n, height, width, channels).
      dtype: Type of the pixels.

    Raises:
      OSError: If the file cannot be opened.
    """
    row_bytes = int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
    return cls(RowFile(path, row_bytes), np.arange(shape[0]), shape[1:], dtype)

  def __getitem__(self, key: slice | np.ndarray) -> np.ndarray:
    """Reads the images of a slice or of indices `[b]`."""
    numbers = self._numbers[key]
    images = np.empty((*numbers.shape, *self.shape[1:]), self.dtype)
    self._file.read(numbers.ravel(), images)
    return self._scaled(images)

  def rows(self, chosen: np.ndarray) -> 'FileImages':
    """Returns the chosen images, by a mask or indices, without reading."""
    return self._view(self._numbers[chosen], self._factor)

  def with_factor(self, factor: int) -> 'FileImages':
    """Returns these images with every pixel multiplied."""
    return self._view(self._numbers, factor)

  def gather(self, device: str = 'CPU') -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that gathers images, for a map of `tf.data`."""
    del device
    def gathered(rows):
      images = tf.numpy_function(self.__getitem__, [rows], self.dtype,
                                 stateful=False)
      return tf.ensure_shape(images, [rows.shape[0], *self.shape[1:]])

    return gathered

  def dataset(self, count: int) -> tf.data.Dataset:
    """Returns the images in order, `[b, ...]` with `b <= count`."""
    gather, size = self.gather(), len(self)
    starts = tf.data.Dataset.range(0, size, count)
    return starts.map(
        lambda i: gather(tf.range(i, tf.minimum(i + count, size))),
        num_parallel_calls=2)

  def chunks(self) -> Iterator[np.ndarray]:
    """Yields the images in order, about 16 MiB at a time."""
    for start in range(0, len(self), self._chunk_size):
      yield self[start:start + self._chunk_size]

  def converted(self, name: str, convert: Callable[
      ['FileImages'], Iterable[np.ndarray]],
                dtype: np.dtype = _UINT8) -> 'FileImages':
    """Returns images computed from these, in a file next to theirs.

    Args:
      name: Name of the conversion, for the file name. The name and these images
        must determine the content.
      convert: Function that yields the new images in order, `[b, height,
        width, channels]`.
      dtype: Type of the new images, which follows from these.

    Raises:
      OSError: If the file cannot be written.
    """
    key = hashlib.sha256(self._numbers.tobytes())
    key.update(f'{name} {self.shape} {self._factor}'.encode())
    path = f'{self._file.path}.{name}-{key.hexdigest()[:16]}'
    write_once(path, int(np.prod(self.shape)) * dtype.itemsize,
               lambda: convert(self))
    return FileImages.open(path, self.shape, dtype)

  def _view(self, numbers: np.ndarray, factor: int) -> 'FileImages':
    return FileImages(self._file, numbers, self.shape[1:], self.dtype, factor)


class RowFile:
  """An open file of rows of equal size; closed when it is garbage."""

  def __init__(self, path: str, row_bytes: int):
    """Opens the file.

    Args:
      path: Path of the file.
      row_bytes: Bytes of one row.
    """
    self.path = path
    self._row_bytes = row_bytes
    self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    weakref.finalize(self, os.close, self._descriptor)

  def read(self, numbers: np.ndarray, out: np.ndarray) -> None:
    """Reads rows into an array, with one call for each run of successive rows.

    Thread-safe, as it keeps no position in the file.

    Args:
      numbers: Row numbers, int `[b]`.
      out: Contiguous array of b rows that receives them.

    Raises:
      OSError: If the file ends before a row does.
    """
    size = self._row_bytes
    target = memoryview(out.reshape(-1).view(np.uint8))
    starts = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()]
    offsets = (numbers[starts] * size).tolist() if len(numbers) else []
    for start, stop, offset in zip(
        starts, [*starts[1:], len(numbers)], offsets, strict=False):
      self._read_run(offset, target[start * size:stop * size])

  def _read_run(self, offset: int, target: memoryview) -> None:
    while target:
      count = os.preadv(self._descriptor, [target], offset)
      if not count:
        raise OSError(f'{self.path} was cut off while it was read; remove it, '
                      'and the next run writes it again')
      offset, target = offset + count, target[count:]
