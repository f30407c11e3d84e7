"""The label y where it may be missing: its most probable class, or all.

A row of y is one-hot, or missing: zeros, as in `tf.one_hot(-1, classes)`, or
NaN. A sum over all classes has them in a leading dimension, in front of that of
the draws, so that memory grows with the number of classes.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.inference.inference import Draw

tfd = tfp.distributions


@dataclasses.dataclass(frozen=True)
class ClassSum:
  """The classes of y with their weights: q(c|Pa_q(y)), or y where it is given.

  Attributes:
    y: One-hot rows of all classes c, `[classes, *sample_shape, b, classes]`.
    weights: Weights w_c, `[classes, *sample_shape, b]`, which add up to 1.
    log_weights: Values of log w_c where y is missing, 0 where it is given.
    is_allowed: Whether y may be c: always where it is missing.
    is_given: Whether y is given, `[b]`.
    log_loss: −log q(y|Pa_q(y)) where y is given, and 0 where it is missing,
      `[*sample_shape, b]`, in nats.
  """

  y: tf.Tensor
  weights: tf.Tensor
  log_weights: tf.Tensor
  is_allowed: tf.Tensor
  is_given: tf.Tensor
  log_loss: tf.Tensor

  @classmethod
  def of(cls, posterior: tfd.OneHotCategorical, given: tf.Tensor,
         draw: Draw) -> 'ClassSum':
    """Returns the classes for a batch.

    Args:
      posterior: q(y|Pa_q(y)), batch shape `[b]` or `[*sample_shape, b]`.
      given: Labels, `[b, classes]`, zeros where they are missing.
      draw: Function from a posterior to a draw, which sets the sample shape.
    """
    log_q = tf.nn.log_softmax(posterior.logits_parameter())  # [..., b, classes]
    shape = tf.shape(draw(tfd.VectorDeterministic(log_q[..., :1])))[:-1]
    classes = log_q.shape[-1]
    y = tf.eye(classes, dtype=log_q.dtype)
    y = tf.broadcast_to(
        tf.reshape(y, tf.concat(
            [[classes], tf.ones_like(shape), [classes]], axis=0)),
        tf.concat([[classes], shape, [classes]], axis=0))
    is_given = is_label(given)
    is_own = tf.reduce_sum(y * given, axis=-1)  # Whether c is y.
    log_q_of_c = tf.reduce_sum(y * log_q, axis=-1)
    return cls(
        y, tf.where(is_given, is_own, tf.exp(log_q_of_c)),
        tf.where(is_given, 0.0, log_q_of_c),
        tf.logical_or(is_own > 0, ~is_given), is_given,
        -tf.reduce_sum(given * log_q, axis=-1))

  def mean(self, nats: tf.Tensor, event_ndims: int = 0) -> tf.Tensor:
    """Returns Σ_c w_c nats_c, `[*sample_shape, b, *event_shape]`.

    Args:
      nats: Values, `[classes, *sample_shape, b, *event_shape]`; trailing
        dimensions of that shape are broadcast.
      event_ndims: Rank of the event shape.
    """
    weights = self.weights
    for _ in range(event_ndims):
      weights = weights[..., tf.newaxis]
    return tf.reduce_sum(weights * nats, axis=0)

  def log_sum(self, log_values: tf.Tensor) -> tf.Tensor:
    """Returns log Σ_c exp(log_values_c) over the classes that y may be.

    Args:
      log_values: Values, `[classes, *sample_shape, b]`.
    """
    return tf.reduce_logsumexp(tf.where(
        self.is_allowed, log_values, -float('inf')), axis=0)

  def with_known_shape(self, z: tf.Tensor) -> tf.Tensor:
    """Returns draws of a latent, with the static shape that those of y have.

    A mean plus noise of unknown shape has lost the number of draws.

    Args:
      z: Draws, `[classes, *sample_shape, b, size]` or `[*sample_shape, b,
        size]`.
    """
    shape = self.y.shape[:-1][self.y.shape.rank - z.shape.rank:]
    return tf.ensure_shape(z, [*shape, z.shape[-1]])


def of_one_shape(latents: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
  """Returns draws by name, those without the classes repeated for each one.

  Args:
    latents: Draws by name, `[*shape, size]`, where a shape may lack the first
      dimension of the others.
  """
  deepest = max(latents.values(), key=lambda z: z.shape.rank)
  shape, static = tf.shape(deepest)[:-1], deepest.shape[:-1]

  def expanded(z):
    wide = tf.broadcast_to(z, tf.concat([shape, tf.shape(z)[-1:]], axis=0))
    return tf.ensure_shape(wide, [*static, z.shape[-1]])

  return {name: z if z.shape.rank == deepest.shape.rank else expanded(z)
          for name, z in latents.items()}


def is_label(y: tf.Tensor) -> tf.Tensor:
  """Returns whether each row, `[b, classes]`, is a label and not missing."""
  return tf.reduce_sum(y, axis=-1) > 0.5


def without_nan(y: Any) -> tf.Tensor:
  """Returns labels with zeros for the NaNs of missing ones."""
  y = tf.convert_to_tensor(y)
  return tf.where(tf.math.is_nan(y), tf.zeros_like(y), y) if (
      y.dtype.is_floating) else y


def most_probable(posterior: tfd.OneHotCategorical,
                  given: tf.Tensor) -> tf.Tensor:
  """Returns the labels, with the class of highest probability where missing.

  Args:
    posterior: q(y|Pa_q(y)), batch shape `[b]`.
    given: Labels, `[b, classes]`, zeros where they are missing.
  """
  logits = posterior.logits_parameter()
  best = tf.one_hot(
      tf.argmax(logits, axis=-1), logits.shape[-1], dtype=given.dtype)
  return tf.where(is_label(given)[..., tf.newaxis], given, best)
