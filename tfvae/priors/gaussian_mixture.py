"""Prior of a mixture of Gaussians."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.soft_bound import bound_log_variance
from tfvae.layers.posteriors.multivariate_normal_diag import NormalDiag
from tfvae.priors.mixture import COMPONENTS
from tfvae.priors.mixture import Mixture
from tfvae.priors.prior import Prior
from tfvae.priors.prior import PRIORS

tfd = tfp.distributions

# Initially each dimension has variance 1, half of it between the components and
# half within them: they differ, and together resemble N(0, I).
_INITIAL_VARIANCE = 0.5


@PRIORS.register('mixture', num_components=COMPONENTS)
@tf_keras.saving.register_keras_serializable(package='tfvae')
class GaussianMixture(Prior):
  """p(z; θ) = Σ_k π_k N(z; μ_k, diag σ_k²), θ = (logits of π, μ, log σ²).

  log σ² is bounded by `bound_log_variance`. The KL divergence from a mixture
  has no closed form and is the Monte Carlo estimate. Dilokthanakul et al., Deep
  Unsupervised Clustering with Gaussian Mixture Variational Autoencoders, 2016.
  """

  def __init__(self, event_size: int | None = None,
               num_components: int = 100, seed: int = 0, **kwargs):
    """Initializes the prior.

    Args:
      event_size: Dimensions of z, at least 1; None for a template.
      num_components: K, at least 1.
      seed: Seed of the initial means.
      **kwargs: Arguments of `Prior` and `tf_keras.layers.Layer`.

    Raises:
      ValueError: If a size is not a positive integer.
    """
    super().__init__(event_size, **kwargs)
    self._check_positive(num_components=num_components)
    self.num_components = num_components
    self.seed = seed
    if event_size is None:
      return
    shape = [num_components, event_size]
    self.logits = self.add_weight(
        'logits', [num_components], initializer='zeros')
    self.loc = self.add_weight(
        'loc', shape, initializer=tf_keras.initializers.RandomNormal(
            stddev=(1.0 - _INITIAL_VARIANCE)**0.5, seed=seed))
    self.log_variance = self.add_weight(
        'log_variance', shape, initializer=tf_keras.initializers.Constant(
            math.log(_INITIAL_VARIANCE)))

  def distribution(self) -> tfd.MixtureSameFamily:
    """Returns the mixture: batch shape `[]`, event shape `[event_size]`."""
    # σ = exp(½ log σ²)
    scale_diag = tf.exp(0.5 * bound_log_variance(self.log_variance))
    return Mixture(
        tfd.Categorical(logits=tf.convert_to_tensor(self.logits)),
        NormalDiag(tf.convert_to_tensor(self.loc), scale_diag))

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the prior."""
    return super().get_config() | {
        'num_components': self.num_components, 'seed': self.seed}
