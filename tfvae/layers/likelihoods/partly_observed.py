"""Density of the observed elements of x, of which others may be missing."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class PartlyObserved(tfd.Distribution):
  """p(x_obs) = Π_{d observed} p(x_d), where a NaN in x marks a missing element.

  With independent elements, the missing ones integrate out of p(x) by leaving
  out their factors: P.-A. Mattei and J. Frellsen, MIWAE, 2019. If nothing is
  missing, it is the density of `tfd.Independent`.
  """

  def __init__(self, elements: tfd.Distribution, event_ndims: int, fill: Any,
               validate_args: bool = False, allow_nan_stats: bool = True,
               name: str = 'PartlyObserved'):
    """Initializes the distribution.

    Args:
      elements: Distribution of the elements, batch shape `[..., *event_shape]`.
      event_ndims: Rank of the event.
      fill: Value in the support, with a finite density, in place of a missing
        element; a number or an array of the event shape. It has no effect on
        results.
      validate_args: As for every `tfd.Distribution`.
      allow_nan_stats: As for every `tfd.Distribution`.
      name: Name of the distribution.
    """
    parameters = dict(locals())
    self.elements, self._event_ndims, self._fill = elements, event_ndims, fill
    super().__init__(
        elements.dtype, elements.reparameterization_type, validate_args,
        allow_nan_stats, parameters=parameters, name=name)

  @classmethod
  def _parameter_properties(cls, dtype, num_classes=None):
    return {'elements': tfp.util.BatchedComponentProperties(
        event_ndims=lambda self: self._event_ndims)}

  def _batch_shape(self):
    shape = self.elements.batch_shape
    return shape[:shape.rank - self._event_ndims]

  def _batch_shape_tensor(self):
    shape = self.elements.batch_shape_tensor()
    return shape[:tf.size(shape) - self._event_ndims]

  def _event_shape(self):
    shape = self.elements.batch_shape
    return shape[shape.rank - self._event_ndims:]

  def _event_shape_tensor(self):
    shape = self.elements.batch_shape_tensor()
    return shape[tf.size(shape) - self._event_ndims:]

  def log_prob_of_elements(self, x: tf.Tensor) -> tf.Tensor:
    """Returns log p(x_d) in nats, 0 where x_d is missing, of the shape of x.

    Args:
      x: Data `[..., *event_shape]`, NaN where a value is missing.
    """
    x = tf.convert_to_tensor(x, self.dtype)
    return log_prob_of_observed(self.elements.log_prob, x, self._fill)

  def _log_prob(self, x):
    return tf.reduce_sum(
        self.log_prob_of_elements(x), axis=list(range(-self._event_ndims, 0)))

  def _sample_n(self, n, seed=None):
    return self.elements.sample(n, seed=seed)

  def _mean(self):
    return self.elements.mean()

  def _mode(self):
    return self.elements.mode()

  def _variance(self):
    return self.elements.variance()

  def _stddev(self):
    return self.elements.stddev()


def log_prob_of_observed(log_prob: Callable[[tf.Tensor], tf.Tensor],
                         x: tf.Tensor, fill: Any) -> tf.Tensor:
  """Returns log p(x_d) of each element, and 0 where it is missing.

  Args:
    log_prob: Log-density of elements, from values to nats of the same shape.
    x: Elements, NaN where a value is missing.
    fill: Value with a finite density in place of missing ones, which keeps
      their gradient at 0 instead of NaN; it broadcasts to the shape of x.
  """
  is_observed = tf.logical_not(tf.math.is_nan(x))
  nats = log_prob(tf.where(is_observed, x, tf.cast(fill, x.dtype)))
  return tf.where(is_observed, nats, tf.zeros([], nats.dtype))


def elements_of(distribution: tfd.Distribution) -> tfd.Distribution | None:
  """Returns the distribution of independent elements of x, or None.

  Args:
    distribution: Distribution of x, such as a `tfd.Independent`.
  """
  # By the attribute: `tfd.Independent` is not the class of all of its objects.
  if hasattr(distribution, 'reinterpreted_batch_ndims'):
    return distribution.distribution
  return getattr(distribution, 'elements', None)
