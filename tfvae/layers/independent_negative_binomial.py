"""The likelihood layer of counts that vary more than a Poisson's."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers import conversion
from tfvae.layers.independent_poisson import MAX_LOG_RATE
from tfvae.layers.independent_poisson import shape_for_xla
from tfvae.layers.likelihood import Shape
from tfvae.layers.likelihood import soft_bound
from tfvae.layers.two_parameter_likelihood import TwoParameterLikelihood

tfd = tfp.distributions


class NegativeBinomial(tfd.NegativeBinomial):
  """`tfd.NegativeBinomial` that XLA can sample: all else is the same."""

  def _sample_n(self, n, seed=None):
    # x ~ Poisson(λ), λ ~ Gamma(r, exp(−l)), as in TFP, whose own code calls a
    # gamma sampler that XLA has no kernel for.
    gamma_seed, poisson_seed = tfp.random.split_seed(
        seed, n=2, salt='NegativeBinomial')
    shape = shape_for_xla(self.logits)
    rate = tfd.Gamma(tf.reshape(self.total_count, shape),
                     log_rate=-tf.reshape(self.logits, shape))
    rate = tf.reshape(
        rate.sample(n, seed=gamma_seed), tf.concat([[n], shape], axis=0))
    return tfd.Poisson(log_rate=tf.math.log(rate)).sample(seed=poisson_seed)


@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentNegativeBinomial(TwoParameterLikelihood):
  """Emits p(x|z) = Π_d NB(x_d; μ_d, r) from log μ and, per pixel, log r.

    p(x) = Γ(x + r) / (Γ(r) x!) · (r / (r + μ))^r (μ / (r + μ))^x,

  for x in {0, 1, …}, in nats; the mean is μ, the variance μ + μ² / r, so that
  with growing `total_count` r it becomes the Poisson. log μ is bounded to
  ±`MAX_LOG_RATE`, log r to `log_bounds`: above, r can hardly be told from
  infinity, and its float32 gradient is lost in rounding.

  Reference: R. Lopez, J. Regier, M. B. Cole, M. I. Jordan and N. Yosef, Deep
  Generative Modeling for Single-cell Transcriptomics, Nature Methods 2018.

  Call arguments:
    params: float tensor,
      `[..., *params_shape(event_shape, total_count=total_count)]` or flat;
      with 'per_pixel' the log μ of all channels, then their log r.

  Returns, when called:
    A `tfd.Independent` of negative binomials, float-valued, event shape
    `event_shape`.
  """

  support = 'counts'
  is_discrete = True
  parameters = 'log-means and, per pixel, log total counts'
  second_name = 'total_count'
  log_bounds = (-8.0, 8.0)

  def __init__(
      self,
      event_shape: Shape,
      total_count: float | str = 'shared',
      convert_to_tensor_fn: str | conversion.Conversion = 'mean',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initialises the layer.

    Args:
      event_shape: shape of one x, for example `(2000,)` genes.
      total_count: r, 'shared' or 'per_pixel'.
      convert_to_tensor_fn: 'mean' (μ) by default; a 'sample' is not
        differentiable.
      activity_regularizer: called on the distribution.
      **kwargs: of `tf_keras.layers.Layer`.

    Raises:
      ValueError: if a dimension of `event_shape` is not a positive integer, or
        `total_count` none of the above.
    """
    super().__init__(
        event_shape, total_count, convert_to_tensor_fn, activity_regularizer,
        **kwargs)

  @classmethod
  def element_distribution(
      cls,
      log_mean: tf.Tensor,
      log_total_count: tf.Tensor | None = None,
      total_count: float | tf.Tensor | str = 'shared',
  ) -> NegativeBinomial:
    """Returns the negative binomial of mean exp log_mean, bounded."""
    # Broadcast here: XLA cannot tell the shape of a draw from one weight.
    total_count = tf.broadcast_to(
        cls.second_parameter(log_total_count, total_count, log_mean.dtype),
        tf.shape(log_mean))
    log_mean = soft_bound(log_mean, -MAX_LOG_RATE, MAX_LOG_RATE)
    # TFP's logits: l = log μ − log r.
    return NegativeBinomial(
        total_count, logits=log_mean - tf.math.log(total_count))
