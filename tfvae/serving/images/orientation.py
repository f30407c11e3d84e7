"""Orientation of a photo, from its EXIF data."""

import tensorflow as tf

from tfvae.serving.images.headers import little_endian
from tfvae.serving.images.headers import padded

_TAG = 0x0112
_HEADER, _ENTRY = 8, 12  # Bytes of the header, and of an entry.


def orientation(exif: tf.Tensor) -> tf.Tensor:
  """Returns the orientation, 1 to 8, by the EXIF standard.

  Args:
    exif: EXIF data, uint8 `[n]`, from its byte order on; other bytes may
      follow. Without an orientation, as in empty data, it is 1.
  """
  header = padded(exif, _HEADER)
  is_little = header[0] == ord('I')

  def integers(raw):
    return little_endian(tf.where(is_little, raw, tf.reverse(raw, [-1])))

  start = tf.clip_by_value(integers(header[4:]), 0, tf.size(exif))
  directory = exif[start:]
  count = integers(padded(directory, 2))
  entries = directory[2:2 + _ENTRY * count]
  entries = tf.reshape(
      entries[:tf.size(entries) // _ENTRY * _ENTRY], [-1, _ENTRY])
  values = tf.boolean_mask(
      integers(entries[:, 8:10]), integers(entries[:, :2]) == _TAG)
  value = tf.concat([values, [1]], axis=0)[0]
  return tf.where((value >= 1) & (value <= 8), value, 1)


def upright(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
  """Returns an image of an orientation as a person sees it."""

  def is_among(*numbers):
    return tf.reduce_any(number == list(numbers))

  # The axes are tensors, so that there is one graph for all orientations.
  image = tf.transpose(
      image, tf.where(is_among(5, 6, 7, 8), [1, 0, 2], [0, 1, 2]))
  is_reversed = tf.stack([is_among(3, 4, 7, 8), is_among(2, 3, 6, 7)])
  return tf.reverse(image, tf.boolean_mask([0, 1], is_reversed))
