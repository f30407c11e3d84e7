"""The importance-weighted bound, and its doubly reparameterized gradient."""

from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.inference import LatentVariableModel
from tfvae.inference import StratifiedSample
from tfvae.objectives.objective import Objective
from tfvae.objectives.objective import OBJECTIVES
from tfvae.registry import Setting

_SAMPLES = Setting(
    'importance_samples', 5, 'importance samples K per example of iwae, dreg '
    'and gdreg', at_least=1)


@OBJECTIVES.register(
    'gdreg', num_samples=_SAMPLES, doubly_reparameterized=True,
    reparameterized_priors=True)
@OBJECTIVES.register(
    'dreg', num_samples=_SAMPLES, doubly_reparameterized=True)
@OBJECTIVES.register('iwae', num_samples=_SAMPLES)
@tf_keras.saving.register_keras_serializable(package='tfvae')
class ImportanceWeighted(Objective):
  """The importance-weighted bound of K draws.

    L_K(x) = E[log (1/K) Σ_k w_k],  w_k = p(x|z_k) p(z_k) / q(z_k|x),

  with z_k ~ q(z|x); Burda, Grosse and Salakhutdinov, Importance Weighted
  Autoencoders, 2016. It is the ELBO at K = 1 and rises with K to log p(x). KL
  weights, schedules, free bits and capacities have no effect, and `compile`
  raises for them. For a mixture posterior Σ_m π_m q_m it takes K draws z_km of
  each component, and w_k = Σ_m π_m p(x|z_km) p(z_km) / q(z_km|x): SIWAE,
  Morningstar et al., Automatic Differentiation Variational Inference with
  Mixtures, 2021.

  Doubly reparameterized (DReG; Tucker et al., Doubly Reparameterized Gradient
  Estimators for Monte Carlo Objectives, 2019), the gradient with respect to φ
  is

    Σ_k w̃_k² ∂log w_k/∂z_k dz_k/dφ,  w̃_k = w_k / Σ_i w_i,

  which has the same mean, and a signal-to-noise ratio that grows with K, where
  that of the plain gradient falls. z_k are all latents of a draw: dz_k/dφ is
  the total derivative, through the parents of each latent in q, and
  ∂log w_k/∂z_k a partial one. Posteriors must be reparameterized. A VampPrior
  adds Σ_k w̃_k ∂log p(z_k; φ)/∂φ. The gradient with respect to θ is the plain
  one, Σ_k w̃_k ∂log w_k/∂θ.

  With reparameterized priors too (GDReG; Bauer and Mnih, Generalized Doubly
  Reparameterized Gradient Estimators, 2021), the parameters θ of a prior
  p(z_j|Pa(z_j)) that is a diagonal normal get

    Σ_k (w̃_k ∂/∂z_kj [log p(x, z_k) − log p(z_kj|Pa(z_kj))]
         − w̃_k² ∂log w_k/∂z_kj) · ∂z_kj/∂θ,

  where z_kj is a function of θ: the draw that p(z_j|Pa(z_j)) makes of fixed
  noise. The variance can be lower or higher than that of the plain gradient. A
  prior that is part of a posterior, by precision-weighted merging, gets this
  gradient by DReG too.
  """

  uses_kl_penalty = False
  uses_kl_schedule = False

  def __init__(self, num_samples: int, doubly_reparameterized: bool = False,
               reparameterized_priors: bool = False):
    """Initializes the objective.

    Args:
      num_samples: Number of draws K, at least 1.
      doubly_reparameterized: Whether to use DReG.
      reparameterized_priors: Whether to use GDReG; then
        `doubly_reparameterized` must be True.

    Raises:
      ValueError: If `num_samples` is not a positive integer, or the prior alone
        is to be reparameterized.
    """
    if not isinstance(num_samples, int) or num_samples < 1:
      raise ValueError('`num_samples` must be an integer of at least 1. '
                       f'Received: num_samples={num_samples!r}')
    if reparameterized_priors and not doubly_reparameterized:
      raise ValueError(
          '`reparameterized_priors` extends DReG; set '
          '`doubly_reparameterized=True` as well. Received: '
          'doubly_reparameterized=False, reparameterized_priors=True')
    self.num_samples = num_samples
    self.doubly_reparameterized = doubly_reparameterized
    self.reparameterized_priors = reparameterized_priors
    # DReG replaces the score of q, but draws of a component are from q_m.
    self.stratifies = not doubly_reparameterized

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns −L_K and the ELBO's parts; see `Objective`."""
    del kl_factor
    draw, weights = StratifiedSample(seed, self.num_samples), {}
    inference = (
        model.infer_along_paths(inputs, draw, training, _weighted(weights),
                                self.reparameterized_priors)
        if self.doubly_reparameterized else model.infer(inputs, draw, training))
    log_likelihood = model.log_likelihood(
        inference.latents, target, inputs, training)
    # log w_k, [K, b]; the sum is that over the components of a mixture.
    log_weights = inference.log_weights(log_likelihood)
    weights['normalized'] = tf.stop_gradient(tf.nn.softmax(log_weights, axis=0))
    bound = tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(
        tf.cast(self.num_samples, log_weights.dtype))
    return {'objective': -bound} | inference.elbo_parts(
        log_likelihood).per_example()

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    return {'num_samples': self.num_samples,
            'doubly_reparameterized': self.doubly_reparameterized,
            'reparameterized_priors': self.reparameterized_priors}


def _weighted(weights):
  """Returns a function that divides the gradient of a draw between φ and θ.

  The gradient of the bound with respect to z_k already has the factor w̃_k. φ
  gets it with another one, and θ of a reparameterized prior with 1 − w̃_k.

  Args:
    weights: Dictionary that receives w̃, `[K, b]`, as 'normalized'. They are
      computed from the draws, so they are looked up only when the gradient is
      taken.
  """

  @tf.custom_gradient
  def weighted(z, moved):
    del moved  # The same z as a function of θ.

    def gradient(upstream):
      w = weights['normalized'][..., tf.newaxis]
      return w * upstream, (1 - w) * upstream

    return tf.identity(z), gradient

  return weighted
