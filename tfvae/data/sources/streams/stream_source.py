"""Examples of a `tf.data.Dataset` that are read again in each pass."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfvae.data.sources.arrays.array_source import example_spec
from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.sources.row_source import RowSource
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import LabelSpec
from tfvae.data.sources.streams.examples import Examples
from tfvae.streaming import untuned

_RECORDS = 64  # Records that are made at once.


class StreamSource(RowSource):
  """Some of the examples.

  A file of `Files` is a run of successive examples. They are always read in
  order, so that only the shuffle buffer mixes them.
  """

  def __init__(self, name: str, full_name: str, split: str, examples: Examples,
               rows: RowNumbers, label: LabelSpec | None,
               labels: np.ndarray | None):
    """Initializes the source.

    Args:
      name: Name of the data set.
      full_name: Name that identifies the content.
      split: Name of the rows.
      examples: All m examples.
      rows: Row numbers.
      label: Description of the classes, or None.
      labels: Class of each example, int64 `[m]`, or None.
    """
    example = example_spec('x', (len(rows), *examples.shape), examples.dtype)
    super().__init__(name, full_name, split, example, rows, label, labels)
    self._x = examples.x.map(lambda x: tf.reshape(
        tf.cast(x, tf.as_dtype(example.dtype)), example.shape))
    self._files = Files.of_runs(rows, [rows.stops.max(initial=0)])

  def files(self) -> Files:
    """Returns the runs of successive examples."""
    return self._files

  def records(self, files: Files, in_order: bool = True) -> tf.data.Dataset:
    """Returns pairs of a row number and the bytes of an x."""
    del in_order

    def encoded(x):
      records = tf.numpy_function(
          lambda rows: np.array([row.tobytes() for row in rows], object), [x],
          tf.string, stateful=False)
      return tf.ensure_shape(records, [None])

    def run(skip, take, first):
      records = self._x.skip(skip).take(take).batch(_RECORDS).map(encoded)
      return tf.data.Dataset.zip(
          tf.data.Dataset.range(first, first + take), records.unbatch())

    return tf.data.Dataset.from_tensor_slices(tuple(files[1:])).flat_map(run)

  def _values(self, start: int, stop: int) -> Iterator[np.ndarray]:
    for _, skip, take, _ in zip(
        *self._files.between(start, stop), strict=True):
      run = self._x.skip(skip).take(take).batch(self.piece_size)
      yield from untuned(run.prefetch(1)).as_numpy_iterator()
