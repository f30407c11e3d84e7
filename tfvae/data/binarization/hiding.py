"""Hidden entries: values that are turned into NaN at random.

Each observed value of x, or each pixel of an image with all its channels, is
hidden with the same probability, independently of x and of the others: values
are missing completely at random. The draws are functions of a seed, as those of
the bits are, with other keys: the second word of a training step is that of its
bits plus 2^62, and that of an evaluation is that of its bits minus 2^62.
"""

import tensorflow as tf

from tfvae.data.binarization.draws import bernoulli_draw
from tfvae.data.binarization.draws import whole_block_draw
from tfvae.data.binarization.fixed import evaluation_key

# Above the keys of 2^30 epochs, and below those of all splits.
_KEYS_APART = 2**62


def check_hide_fraction(hide_fraction: float) -> None:
  """Raises a ValueError unless a fraction of x remains."""
  if not 0 <= hide_fraction < 1:
    raise ValueError(
        '`hide_fraction` must be at least 0 and below 1; with 0, nothing is '
        f'hidden. Received: hide_fraction={hide_fraction}')


def hidden(x: tf.Tensor, hide_fraction: float, seed: int, key: tf.Tensor,
           start: tf.Tensor | int = 0) -> tf.Tensor:
  """Returns rows of a training step with NaN in place of some values.

  The error of the probability is at most 2^-17.

  Args:
    x: Rows as the model sees them, float32 `[b, ...]`; if they have four axes,
      images `[b, height, width, channels]`.
    hide_fraction: Probability, at least 0 and below 1; with 0, x is returned.
    seed: Integer that fixes the draws.
    key: Key of the step, int64, as of its bits.
    start: Place of the first row in the step; see `bernoulli_draw`.
  """
  if not hide_fraction:
    return x
  key = tf.stack([tf.cast(seed, tf.int64), key + _KEYS_APART])
  # The draws of the rows from 1 on: with exactly as many random numbers as for
  # the bits, a compiled step takes 10 ms instead of 3 to draw both, for 1000
  # images of 28 x 28 on one core.
  return _without(
      x, bernoulli_draw(_fractions(x, hide_fraction), key, start + 1))


def fixed_hidden(x: tf.Tensor, hide_fraction: float, seed: int, stream: int,
                 chunk: tf.Tensor) -> tf.Tensor:
  """Returns rows of an evaluation with NaN in place of some values.

  Args:
    x: Rows of the chunk as the model sees them; see `hidden`.
    hide_fraction: See `hidden`.
    seed: Integer that fixes the draws, with the stream.
    stream: Number of the random stream; see `evaluation_stream`.
    chunk: Number of the chunk in the split, int64; see `fixed_chunk`.
  """
  if not hide_fraction:
    return x
  key = evaluation_key(seed, stream, chunk)
  key -= tf.constant([0, _KEYS_APART], tf.int64)
  return _without(x, whole_block_draw(_fractions(x, hide_fraction), key))


def _fractions(x: tf.Tensor, hide_fraction: float) -> tf.Tensor:
  """Returns the probability of each value of a vector or pixel of an image."""
  one = x[..., :1] if x.shape.rank == 4 else x
  return tf.fill(tf.shape(one), tf.constant(hide_fraction, tf.float32))


def _without(x: tf.Tensor, is_hidden: tf.Tensor) -> tf.Tensor:
  return tf.where(is_hidden > 0, tf.constant(float('nan'), x.dtype), x)
