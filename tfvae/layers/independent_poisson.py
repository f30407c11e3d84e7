"""The likelihood layer of counts."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.likelihood import Likelihood
from tfvae.layers.likelihood import soft_bound

tfd = tfp.distributions

# Rates from 3e-7 to 3.3e6; float32 holds integers to 1.7e7.
MAX_LOG_RATE = 15.0


def shape_for_xla(parameter: tf.Tensor) -> tf.Tensor:
  """Returns a parameter's shape such that TFP's samplers compile with it.

  Where the batch size is unknown when a sampler with a loop is traced, XLA
  looks for the shape in the computation of the parameter, and gives up when it
  meets a weight. It does not look behind a reshape to this shape.
  """
  if not parameter.shape[-1:].is_fully_defined():  # Scalar events.
    return tf.shape(parameter)
  return tf.concat(
      [tf.shape(parameter)[:-1], parameter.shape[-1:]], axis=0)


class Poisson(tfd.Poisson):
  """`tfd.Poisson`, of log-rates, that XLA can sample: all else is the same."""

  def _sample_n(self, n, seed=None):
    log_rate = tf.reshape(self.log_rate, shape_for_xla(self.log_rate))
    return tfd.Poisson(log_rate=log_rate).sample(n, seed=seed)


@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentPoisson(Likelihood):
  """Emits p(x|z) = Π_d Poisson(x_d; λ_d) from log λ.

  log p(x|z) = Σ_d x_d log λ_d − λ_d − log x_d!, in nats, for x in {0, 1, …}.
  log λ is bounded to ±`MAX_LOG_RATE` by `soft_bound`. The mean is λ.

  Call arguments:
    params: float tensor of log-rates, `[..., *event_shape]` or flat.

  Returns, when called:
    A `tfd.Independent` of Poissons, float-valued, event shape `event_shape`.
  """

  support = 'counts'
  is_discrete = True
  parameters = 'log-rates'

  @staticmethod
  def element_distribution(log_rate: tf.Tensor) -> Poisson:
    """Returns Poisson(exp log_rate), bounded."""
    return Poisson(
        log_rate=soft_bound(log_rate, -MAX_LOG_RATE, MAX_LOG_RATE))
