"""Likelihood layer of counts."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.base.soft_bound import soft_bound
from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.layers.likelihoods.likelihood import LIKELIHOODS
from tfvae.layers.likelihoods.log_gamma import log_gamma

tfd = tfp.distributions

# log λ is unchanged up to 17, 1 below the bound: for λ up to 2.4e7, more than
# 1.7e7, up to which float32 represents all integers.
MAX_LOG_RATE = 18.0


def bound_log_rate(log_rate: Any, ops: Any = TENSORFLOW) -> Any:
  """Bounds log λ smoothly to ±`MAX_LOG_RATE`; see `soft_bound`."""
  return soft_bound(log_rate, -MAX_LOG_RATE, MAX_LOG_RATE, ops)


def shape_for_xla(parameter: tf.Tensor) -> tf.Tensor:
  """Returns the shape of a parameter in a form that XLA can resolve.

  Where the batch size is unknown when a sampler of TFP with a loop is traced,
  XLA infers the shape from the computation of the parameter, and fails at a
  weight. It does not look further than a reshape to this shape.
  """
  if not parameter.shape[-1:].is_fully_defined():  # Scalar events.
    return tf.shape(parameter)
  return tf.concat(
      [tf.shape(parameter)[:-1], parameter.shape[-1:]], axis=0)


class Poisson(tfd.Poisson):
  """`tfd.Poisson` of log-rates whose log-density does not cancel.

  Near its peak log p(x) is about −9 nats at λ = 10⁷, a difference of terms of
  1.6e8, which in float32 has an error of 24 nats. Here the terms are float64,
  and their sum is rounded once. Unlike that of TFP it can be sampled under XLA.
  """

  def _log_prob(self, x):
    log_rate = tf.cast(self.log_rate, tf.float64)
    count = tf.cast(x, tf.float64)
    # log p(x) = x log λ − λ − log Γ(x + 1), with the gradient x − λ.
    log_prob = (count * log_rate - tf.exp(log_rate)
                - log_gamma(count + 1., self.dtype))
    return tf.cast(log_prob, self.dtype)

  def _sample_n(self, n, seed=None):
    log_rate = tf.reshape(self.log_rate, shape_for_xla(self.log_rate))
    return tfd.Poisson(log_rate=log_rate).sample(n, seed=seed)


@LIKELIHOODS.register('poisson')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentPoisson(Likelihood):
  """Emits p(x|z) = Π_d Poisson(x_d; λ_d) from log λ.

  log p(x|z) = Σ_d x_d log λ_d − λ_d − log x_d!, in nats, for x in {0, 1, …}.
  Each element is exact to 1e-5 nats, or to 1e-7 of its value where that is
  larger, for x and λ up to 10⁷; the gradient x − λ has the precision of
  float32.
  log λ is bounded to ±`MAX_LOG_RATE` by `soft_bound`. The mean is λ.

  Call arguments:
    params: Float tensor of log-rates, `[..., *event_shape]` or flat.

  Returns, when called:
    A `tfd.Independent` of float-valued Poissons, event shape `event_shape`.
  """

  support = 'counts'
  is_discrete = True
  parameters = 'log-rates'

  @staticmethod
  def element_distribution(log_rate: tf.Tensor) -> Poisson:
    """Returns Poisson(exp(log_rate)), with the log-rate bounded."""
    return Poisson(log_rate=bound_log_rate(log_rate))

  def keras3_mean(self, *parameters: Any, ops: Any) -> Any:
    """Returns λ; see the base class."""
    log_rate, = parameters
    return ops.exp(bound_log_rate(log_rate, ops))
