"""Prior of a diagonal normal with learned mean and variance."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.soft_bound import bound_log_variance
from tfvae.layers.posteriors.multivariate_normal_diag import NormalDiag
from tfvae.priors.prior import Prior
from tfvae.priors.prior import PRIORS

tfd = tfp.distributions


@PRIORS.register('learned_normal')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class LearnedNormal(Prior):
  """p(z; θ) = N(z; μ, diag σ²) with θ = (μ, log σ²), initially N(0, I).

  log σ² is bounded by `bound_log_variance`, like that of the posterior. The KL
  divergence of a Gaussian posterior from it is exact.
  """

  def __init__(self, event_size: int | None = None, **kwargs):
    """Initializes the prior.

    Args:
      event_size: Dimensions of z, at least 1; None for a template.
      **kwargs: Arguments of `Prior` and `tf_keras.layers.Layer`.

    Raises:
      ValueError: If `event_size` is not a positive integer.
    """
    super().__init__(event_size, **kwargs)
    if event_size is None:
      return
    self.loc = self.add_weight('loc', [event_size], initializer='zeros')
    self.log_variance = self.add_weight(
        'log_variance', [event_size], initializer='zeros')

  def distribution(self) -> tfd.MultivariateNormalDiag:
    """Returns N(μ, diag σ²): batch shape `[]`, event shape `[event_size]`."""
    # σ = exp(½ log σ²)
    scale_diag = tf.exp(0.5 * bound_log_variance(self.log_variance))
    return NormalDiag(tf.convert_to_tensor(self.loc), scale_diag)
