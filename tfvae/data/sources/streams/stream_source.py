"""Examples of a `tf.data.Dataset` that are read again in each pass."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfvae.data.sources.arrays.array_source import example_spec
from tfvae.data.sources.data_set import cache_directory
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import LabelSpec
from tfvae.data.sources.source import Source
from tfvae.data.sources.streams.examples import Examples
from tfvae.pipelines import untuned

_RECORDS = 64  # Records that are made at once.


class StreamSource(Source):
  """Some of the examples; a record is the bytes of an x.

  A file of `Files` is a run of successive examples. They are always read in
  order, so that only the shuffle buffer mixes them.
  """

  has_digest = True

  def __init__(self, name: str, full_name: str, split: str, examples: Examples,
               rows: np.ndarray, label: LabelSpec | None,
               labels: np.ndarray | None):
    """Initializes the source.

    Args:
      name: Name of the data set.
      full_name: Name that identifies the content.
      split: Name of the rows.
      examples: All examples.
      rows: Row numbers, int64 `[n]`.
      label: Description of the classes, or None.
      labels: Class of each of the rows, int64 `[n]`, or None.
    """
    example = example_spec('x', (len(rows), *examples.shape), examples.dtype)
    super().__init__(name, full_name, split, example, label, {},
                     cache_directory())
    self._x = examples.x.map(lambda x: tf.reshape(
        tf.cast(x, tf.as_dtype(example.dtype)), example.shape))
    self._files, self._size = Files.of_runs(rows), len(rows)
    self.integers = (np.zeros([len(rows), 0], np.int64) if labels is None
                     else labels[:, np.newaxis])

  def __len__(self) -> int:
    return self._size

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

  def decode(self, records: tf.Tensor, image: bool = True,
             integers: bool = True) -> dict[str, tf.Tensor]:
    """Decodes x, `[b]`; see `Source.decode`."""
    del integers  # They are not in the records.
    values = tf.io.decode_raw(records, tf.as_dtype(self.example.dtype))
    return {'images': tf.reshape(
        values, [-1, *self.example.shape])} if image else {}

  def pieces(self, image: bool = True) -> Iterator[dict[str, np.ndarray]]:
    """Yields the examples in order; see `Source.pieces`."""
    if not image:
      yield from super().pieces(image)
      return
    start = 0
    for _, skip, take, _ in zip(*self._files, strict=True):
      run = self._x.skip(skip).take(take).batch(self.piece_size)
      for x in untuned(run.prefetch(1)).as_numpy_iterator():
        self._check_numbers(x)
        yield {'images': x, 'integers': self.integers[start:start + len(x)]}
        start += len(x)
