"""Search in the bytes of a file, and numbers in them."""

from collections.abc import Sequence

import tensorflow as tf


def padded(raw: tf.Tensor, size: int) -> tf.Tensor:
  """Returns the first bytes, uint8 `[size]`, with zeros after the last."""
  found = tf.concat([raw[:size], tf.zeros([size], tf.uint8)], axis=0)[:size]
  return tf.ensure_shape(found, [size])


def find(raw: tf.Tensor, pattern: Sequence[int | None]) -> tf.Tensor:
  """Returns the place of the first match of a pattern, or the end.

  Args:
    raw: Bytes, uint8 `[n]`.
    pattern: Bytes, with None for any.
  """
  count = tf.maximum(tf.size(raw) - len(pattern) + 1, 0)
  matches = tf.ones([count], tf.bool)
  for offset, byte in enumerate(pattern):
    if byte is not None:
      matches &= raw[offset:offset + count] == byte
  # The end of the bytes matches where nothing else does.
  places = tf.boolean_mask(tf.range(count), matches)
  return tf.concat([places, [tf.size(raw)]], axis=0)[0]


def little_endian(raw: tf.Tensor) -> tf.Tensor:
  """Returns the integers of bytes `[..., k]`, the first of which is lowest."""
  powers = 256 ** tf.range(raw.shape[-1])
  return tf.reduce_sum(tf.cast(raw, tf.int32) * powers, axis=-1)
