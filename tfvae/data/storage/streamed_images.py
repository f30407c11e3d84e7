"""Images that are read from their source in each pass."""

import numpy as np
import tensorflow as tf

from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import Source
from tfvae.data.storage.memory import aligned_empty
from tfvae.data.storage.stored_images import StoredImages

# Records in which the chosen rows are searched at once.
_RECORDS = 256


class StreamedImages(StoredImages):
  """Images of a split, all or some of them, in the order of its files.

  Each pass reads the files and decodes the images again. `images[:k]` reads the
  first k; `images[a:b]` also reads the a images before them, so use `chunks` to
  iterate over all images.
  """

  def __init__(self, source: Source, numbers: RowNumbers | None = None,
               factor: int = 1):
    """Initializes the view.

    Args:
      source: Source of the images.
      numbers: Rows of the split in increasing order; by default all of them.
      factor: Factor of every pixel, 1 or 255.
    """
    if numbers is None:
      numbers = RowNumbers.run(0, len(source))
    super().__init__((len(numbers), *source.example.shape),
                     source.example.dtype, factor)
    self._source, self._numbers = source, numbers

  def __getitem__(self, key: slice) -> np.ndarray:
    """Reads the images of a slice of step 1."""
    start, stop, step = key.indices(len(self))
    if step != 1:
      raise ValueError('Streamed images are read in order; use a slice of step '
                       f'1. Received: a slice of step {step}')
    part = StreamedImages(
        self._source, self._numbers[start:stop], self._factor)
    images, done = aligned_empty(part.shape, self.dtype), 0
    for chunk in part.chunks():
      images[done:done + len(chunk)] = chunk
      done += len(chunk)
    return images

  def rows(self, chosen: np.ndarray) -> 'StreamedImages':
    """Returns the chosen images, by a mask or by increasing indices."""
    return StreamedImages(
        self._source, self._numbers.chosen(chosen), self._factor)

  def with_factor(self, factor: int) -> 'StreamedImages':
    """Returns these images with every pixel multiplied."""
    return StreamedImages(self._source, self._numbers, factor)

  def dataset(self, count: int) -> tf.data.Dataset:
    """Returns the images in order, `[b, ...]` with `b <= count`."""
    return self.records(self.files()).batch(self._source.batch_size).map(
        lambda _, records: self.decode(records),
        num_parallel_calls=tf.data.AUTOTUNE).rebatch(count)

  def files(self) -> Files:
    """Returns the parts of the source's files that hold these images."""
    files = self._source.files()
    if not len(self):
      return files.between(0, 0)
    return files.between(self._numbers.starts[0], self._numbers.stops[-1])

  def records(self, files: Files, in_order: bool = True) -> tf.data.Dataset:
    """Returns the number of each of these images and its encoded record.

    Args:
      files: Files of `files()`, in any order.
      in_order: Whether one file is read after the other; otherwise several
        files take turns.
    """
    first = int(self._numbers.starts[0]) if len(self) else 0
    found = self._source.records(
        files._replace(first=files.first - first), in_order)
    if len(self._numbers.starts) <= 1:
      return found
    # From a row, less the first, to its place among these images, or -1.
    places = np.full(self._numbers.stops[-1] - first, -1, np.int64)
    places[np.asarray(self._numbers) - first] = np.arange(len(self))
    # A constant of a graph would be copied with the graph.
    with tf.init_scope(), tf.device('CPU'):
      places = tf.constant(places)

    def wanted(rows, records):
      # In batches, as filtering single records takes as long as decoding them.
      place = tf.gather(places, rows)
      return (tf.boolean_mask(place, place >= 0),
              tf.boolean_mask(records, place >= 0))

    return found.batch(_RECORDS).map(wanted).unbatch()

  def decode(self, records: tf.Tensor) -> tf.Tensor:
    """Decodes records `[b]` into images `[b, height, width, channels]`."""
    return self._scaled(
        self._source.decode(records, integers=False)['images'])
