"""The base of sources of rows whose records are the bytes of x."""

import abc
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfvae.data.sources.data_set import cache_directory
from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.sources.source import ExampleSpec
from tfvae.data.sources.source import LabelSpec
from tfvae.data.sources.source import Source


class RowSource(Source):
  """Some of the rows of a data set; a record is the bytes of an x.

  The labels are known without reading records. A subclass defines `files`,
  `records` and `_values`.
  """

  has_digest = True

  def __init__(self, name: str, full_name: str, split: str,
               example: ExampleSpec, rows: RowNumbers, label: LabelSpec | None,
               labels: np.ndarray | None):
    """Initializes the source.

    Args:
      name: Name of the data set.
      full_name: Name that identifies the content.
      split: Name of the rows.
      example: Description of x.
      rows: Row numbers.
      label: Description of the classes, or None.
      labels: Class of each row of the data set, int64 `[m]`, or None.
    """
    super().__init__(
        name, full_name, split, example, label, {}, cache_directory())
    self._size = len(rows)
    self.integers = (np.zeros([len(rows), 0], np.int64) if labels is None
                     else rows.rows_of(labels)[:, np.newaxis])

  def __len__(self) -> int:
    return self._size

  def decode(self, records: tf.Tensor, image: bool = True,
             integers: bool = True) -> dict[str, tf.Tensor]:
    """Decodes rows, `[b]`; see `Source.decode`."""
    del integers  # They are not in the records.
    if not image:
      return {}
    values = tf.io.decode_raw(records, tf.as_dtype(self.example.dtype))
    return {'images': tf.reshape(values, [-1, *self.example.shape])}

  def pieces(self, image: bool = True, start: int = 0,
             stop: int | None = None) -> Iterator[dict[str, np.ndarray]]:
    """Yields the rows in order; see `Source.pieces`."""
    if not image:
      yield from super().pieces(image, start, stop)
      return
    for x in self._values(start, len(self) if stop is None else stop):
      self._check_numbers(x)
      yield {'images': x, 'integers': self.integers[start:start + len(x)]}
      start += len(x)

  @abc.abstractmethod
  def _values(self, start: int, stop: int) -> Iterator[np.ndarray]:
    """Yields x of successive rows as the model takes them, `[b, ...]`.

    Args:
      start: First row.
      stop: Row after the last one.
    """
