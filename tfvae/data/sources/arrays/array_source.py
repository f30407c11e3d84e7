"""Rows of arrays as a source."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfvae.data.sources.arrays.rows import Rows
from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.sources.row_source import RowSource
from tfvae.data.sources.source import ExampleSpec
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import LabelSpec

# Rows that are read at once, and shuffled as a block where rows are streamed.
_BLOCK_BYTES = 2**20
# Blocks that take turns, and rows of each turn, in a shuffled order.
_CYCLE_LENGTH, _BLOCK_LENGTH = 16, 16


class ArraySource(RowSource):
  """Some of the rows of arrays."""

  def __init__(self, name: str, full_name: str, split: str, key: str,
               arrays: Sequence[Rows], rows: RowNumbers,
               label: LabelSpec | None, labels: np.ndarray | None,
               ids: np.ndarray | None = None):
    """Initializes the source.

    Args:
      name: Name of the data set.
      full_name: Name that identifies the content.
      split: Name of the rows.
      key: Name of the arrays.
      arrays: Arrays of one shape and dtype, whose rows are numbered through.
      rows: Row numbers.
      label: Description of the classes, or None.
      labels: Class of each row of the data set, int64 `[m]`, or None.
      ids: Name of each row of the data set, `[m]`, or None for their numbers.
    """
    super().__init__(
        name, full_name, split,
        example_spec(key, arrays[0].shape, arrays[0].dtype), rows, label,
        labels)
    self._arrays, self._numbers = arrays, rows
    self._starts = np.cumsum([0, *map(len, arrays)])
    self._ids = None if ids is None else rows.rows_of(ids)

  def files(self) -> Files:
    """Returns blocks of rows, which take turns in a shuffled order."""
    row = max(1, self._arrays[0][:1].nbytes)
    size = max(1, _BLOCK_BYTES // row)
    first = np.arange(0, len(self), size, dtype=np.int64)
    return Files(np.full(len(first), ''), first,
                 np.minimum(first + size, len(self)) - first, first)

  def records(self, files: Files, in_order: bool = True) -> tf.data.Dataset:
    """Returns pairs of a row number and the bytes of a row."""

    def block(skip, take, first):
      rows = tf.range(skip, skip + take)
      found = tf.numpy_function(self._bytes, [rows], tf.string, stateful=False)
      return tf.data.Dataset.from_tensor_slices(
          (first + tf.range(take), tf.ensure_shape(found, [None])))

    parts = tf.data.Dataset.from_tensor_slices(tuple(files[1:]))
    return parts.flat_map(block) if in_order else parts.interleave(
        block, cycle_length=_CYCLE_LENGTH, block_length=_BLOCK_LENGTH)

  def ids(self, start: int, stop: int) -> np.ndarray:
    """Returns the names of rows, or their numbers."""
    return super().ids(start, stop) if self._ids is None else (
        self._ids[start:stop])

  def _values(self, start: int, stop: int) -> Iterator[np.ndarray]:
    for first in range(start, stop, self.piece_size):
      yield self._values_of(
          np.arange(first, min(first + self.piece_size, stop)))

  def _bytes(self, rows: np.ndarray) -> np.ndarray:
    return np.array([row.tobytes() for row in self._values_of(rows)], object)

  def _values_of(self, rows: np.ndarray) -> np.ndarray:
    """Returns rows as the model takes them."""
    numbers = self._numbers.at(rows)
    array = np.searchsorted(self._starts, numbers, 'right') - 1
    values = np.empty([len(rows), *self.example.shape], self.example.dtype)
    for i, x in enumerate(self._arrays):
      chosen = array == i
      if chosen.any():
        values[chosen] = np.reshape(
            x[numbers[chosen] - self._starts[i]], [-1, *self.example.shape])
    return values


def example_spec(key: str, shape: tuple[int, ...],
                 dtype: np.dtype) -> ExampleSpec:
  """Returns the x of an array.

  Pixels and bits are uint8, other numbers float32. An image `[height, width]`
  gets an axis of channels.

  Args:
    key: Name of the array.
    shape: Shape of the array, `[n, ...]`.
    dtype: Type of its numbers.
  """
  return ExampleSpec(
      key, (*shape[1:], 1) if len(shape) == 3 else tuple(shape[1:]),
      np.uint8 if dtype in (np.uint8, np.bool_) else np.float32, is_image=False)
