"""Images read from TFDS's own files in every pass, nothing decoded kept."""

from collections.abc import Sequence
import functools

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae.data.splits import check_pixels
from tfvae.data.splits import integer_keys
from tfvae.data.splits import labelled
from tfvae.data.splits import Split
from tfvae.data.storage.memory import aligned_empty
from tfvae.data.storage.stored_images import StoredImages
from tfvae.data.tfds.features import ImageSpec
from tfvae.data.tfds.features import LabelSpec
from tfvae.data.tfds.records import batch_size
from tfvae.data.tfds.records import decoder
from tfvae.data.tfds.records import Files
from tfvae.data.tfds.records import read_pieces
from tfvae.data.tfds.records import read_records
from tfvae.data.tfds.records import split_files

# Records that are looked through at once for the rows that are wanted.
_RECORDS = 256


class StreamedImages(StoredImages):
  """The images of a split, or some of them, in the order of its files.

  Each pass reads the files and decodes anew. `images[:k]` reads the first k;
  `images[a:b]` also reads past the a in front, so a pass over all of them is
  one over `chunks`.
  """

  def __init__(self, builder: tfds.core.DatasetBuilder, split: str,
               image: ImageSpec, numbers: np.ndarray | None = None,
               factor: int = 1):
    """Initialises the view.

    Args:
      builder: that of a data set which is prepared.
      split: a TFDS split expression.
      image: the feature that is the image.
      numbers: the rows of the split that it consists of, int64 `[n]`, rising;
        None is all of them.
      factor: multiplies every pixel that is read, 1 or 255.
    """
    if numbers is None:
      numbers = np.arange(builder.info.splits[split].num_examples)
    super().__init__((len(numbers), *image.shape), image.dtype, factor)
    self._builder, self._split, self._image = builder, split, image
    self._numbers = numbers

  def __getitem__(self, key: slice) -> np.ndarray:
    """Reads the images of a slice of step 1."""
    start, stop, step = key.indices(len(self))
    if step != 1:
      raise ValueError('Streamed images are read in their order. '
                       f'Received: a slice of step {step}')
    part = self.rows(np.arange(start, max(start, stop)))
    images, done = aligned_empty(part.shape, self.dtype), 0
    for chunk in part.chunks():
      images[done:done + len(chunk)] = chunk
      done += len(chunk)
    return images

  def rows(self, chosen: np.ndarray) -> 'StreamedImages':
    """Returns the images that bool `[n]` or rising indices choose."""
    return StreamedImages(self._builder, self._split, self._image,
                          self._numbers[chosen], self._factor)

  def with_factor(self, factor: int) -> 'StreamedImages':
    """Returns these images with every pixel multiplied."""
    return StreamedImages(self._builder, self._split, self._image,
                          self._numbers, factor)

  def dataset(self, count: int) -> tf.data.Dataset:
    """Returns the images in their order, `[b, ...]` with `b <= count`."""
    return self.records(self.files()).batch(batch_size(self._image)).map(
        lambda _, records: self.decode(records),
        num_parallel_calls=tf.data.AUTOTUNE).rebatch(count)

  def files(self) -> Files:
    """Returns what of the files of TFDS holds these images."""
    files = split_files(self._builder, self._split)
    if not len(self):
      return files.between(0, 0)
    return files.between(self._numbers[0], self._numbers[-1] + 1)

  def records(self, files: Files, in_order: bool = True) -> tf.data.Dataset:
    """Returns the number of each of these images and its serialized example.

    Args:
      files: those of `files()`, in any order.
      in_order: reads one after the other; otherwise sixteen in turn.
    """
    first = int(self._numbers[0]) if len(self) else 0
    found = read_records(
        self._builder, files._replace(first=files.first - first), in_order)
    if not len(self) or self._numbers[-1] - first + 1 == len(self):
      return found
    # From a row, less the first, to its place among these images, or -1.
    places = np.full(self._numbers[-1] + 1 - first, -1, np.int64)
    places[self._numbers - first] = np.arange(len(self))
    with tf.device('CPU'):
      places = tf.constant(places)

    def wanted(rows, records):
      # In batches: a filter of single records would take as long as decoding.
      place = tf.gather(places, rows)
      return (tf.boolean_mask(place, place >= 0),
              tf.boolean_mask(records, place >= 0))

    return found.batch(_RECORDS).map(wanted).unbatch()

  def decode(self, records: tf.Tensor) -> tf.Tensor:
    """Decodes serialized examples `[b]` into images `[b, h, w, c]`."""
    return self._scaled(self._decoder(records)['images'])

  @functools.cached_property
  def _decoder(self):
    return decoder(self._builder, self._image)


def streamed_split(builder: tfds.core.DatasetBuilder, split: str,
                   image: ImageSpec, label: LabelSpec | None = None,
                   factor_keys: Sequence[str] = ()) -> Split:
  """Returns a split whose images stay in TFDS's files.

  Labels and factors are read now, without the images, and so are floating
  images, once, to see that they lie in [0, 1].

  Args:
    builder: that of a data set which is prepared.
    split: a TFDS split expression.
    image: the feature that is the image.
    label: the feature that is the label, or None.
    factor_keys: the features that are the factors, in the columns' order.

  Returns:
    What `read_split` gives, the images as `StreamedImages`.

  Raises:
    ValueError: if a floating pixel lies outside [0, 1] or is not finite.
  """
  images = StreamedImages(builder, split, image)
  if images.dtype != np.uint8:
    for chunk in images.chunks():
      check_pixels(chunk, image.key, split)
  keys = integer_keys(label, factor_keys)
  integers = np.empty((len(images), 0), np.int64)
  if keys:
    integers = np.concatenate([
        piece['integers']
        for piece in read_pieces(builder, split, None, keys)])
  return labelled(images, integers, label, factor_keys)
