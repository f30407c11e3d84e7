"""The log gamma function in float64, by elementary functions."""

import math

import tensorflow as tf

# Argument from which Stirling's series below has an error of at most 6e-12.
_LARGE = 8.0


def log_gamma(z: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
  """Returns log Γ(z) of z > 0, with a gradient of the same accuracy.

    log Γ(y) = (y − ½) log y − y + ½ log 2π + δ(y),
    δ(y) = 1/12y − 1/360y³ + 1/1260y⁵ − 1/1680y⁷,

  at y = z, or at y = z + 8 where z < 8, with Γ(z + 8) = z (z + 1) … (z + 7)
  Γ(z). `tf.math.lgamma` of float64 takes 2.5 times as long under XLA, and that
  of float32 has an error of 1 nat at z = 10⁶. With the small terms in float32,
  the error is at most 6e-6 nats for z < 8, and 1e-7 nats plus 1e-15 times the
  value beyond; in float64, 6e-12 nats plus 1e-15 times the value.

  Args:
    z: Positive float64 tensor.
    dtype: Dtype of the small terms, for the precision that the result needs.

  Returns:
    A float64 tensor of that shape.
  """
  is_small = z < _LARGE
  y = tf.where(is_small, z + _LARGE, z)
  inverse = 1. / tf.cast(y, dtype)
  square = inverse * inverse
  delta = inverse * (1 / 12 - square * (
      1 / 360 - square * (1 / 1260 - square * (1 / 1680))))
  # z (z + 1) … (z + 7) in pairs (z + i) (z + 7 − i) = q + i (7 − i). The
  # minimum avoids overflow where the product is not used.
  small = tf.minimum(tf.cast(z, dtype), _LARGE)
  q = small * (small + 7.)
  product = tf.where(is_small, q * (q + 6.) * (q + 10.) * (q + 12.), 1.)
  rest = delta - tf.math.log(product) + 0.5 * math.log(2 * math.pi)
  return (y - 0.5) * tf.math.log(y) - y + tf.cast(rest, z.dtype)
