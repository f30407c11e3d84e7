"""The importance-weighted bound, and its doubly reparameterized gradient."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.graph import GraphicalModel
from tfvae.inference import Inference
from tfvae.inference import LatentVariableModel
from tfvae.inference import StratifiedSample
from tfvae.objectives.objective import Objective
from tfvae.objectives.objective import OBJECTIVES
from tfvae.registry import Setting

tfd = tfp.distributions

_SAMPLES = Setting(
    'importance_samples', 5, 'importance samples K per example of iwae and '
    'dreg', at_least=1)


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

    Σ_k w̃_k² ∂log w_k/∂z_k ∂z_k/∂φ,  w̃_k = w_k / Σ_i w_i,

  which has the same mean, and a signal-to-noise ratio that grows with K, where
  that of the plain gradient falls. The gradient with respect to θ is the same.
  """

  uses_kl_penalty = False
  uses_kl_schedule = False

  def __init__(self, num_samples: int, doubly_reparameterized: bool = False):
    """Initializes the objective.

    Args:
      num_samples: Number of draws K, at least 1.
      doubly_reparameterized: Whether to use DReG, which needs a graph in which
        no latent has a latent among its parents in q.

    Raises:
      ValueError: If `num_samples` is not a positive integer.
    """
    if not isinstance(num_samples, int) or num_samples < 1:
      raise ValueError('`num_samples` must be an integer of at least 1. '
                       f'Received: num_samples={num_samples!r}')
    self.num_samples = num_samples
    self.doubly_reparameterized = doubly_reparameterized
    # The weights of a mixture have no reparameterized gradient.
    self.stratifies = not doubly_reparameterized

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns −L_K and the ELBO's parts; see `Objective`."""
    del kl_factor
    draw, weights = StratifiedSample(seed, self.num_samples), {}
    if self.doubly_reparameterized:
      draw = _with_weighted_gradient(draw, weights)
    inference = model.infer(inputs, draw, training)
    log_ratio = (_log_ratio_of_draws_alone(inference)
                 if self.doubly_reparameterized else inference.log_ratio())
    log_likelihood = model.log_likelihood(
        inference.latents, target, inputs, training)
    # log w_k, [K, b]; the sum is that over the components of a mixture.
    log_weights = inference.log_sum(log_likelihood + log_ratio)
    weights['normalized'] = tf.stop_gradient(tf.nn.softmax(log_weights, axis=0))
    bound = tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(
        tf.cast(self.num_samples, log_weights.dtype))
    return {'objective': -bound} | inference.elbo_parts(
        log_likelihood).per_example()

  def check_model(self, graph: GraphicalModel, posteriors: Mapping[str, Any]):
    """Raises if DReG would be biased: a latent has latent parents in q."""
    for factor in graph.inference if self.doubly_reparameterized else ():
      if set(factor.parents) & set(graph.latent_names):
        raise _biased(f"another factor than '{factor}'",
                      f'inference={graph.inference_text!r}')

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    return {'num_samples': self.num_samples,
            'doubly_reparameterized': self.doubly_reparameterized}


def _with_weighted_gradient(draw, weights):
  """Multiplies the gradient that reaches each draw z_k by w̃_k.

  The gradient of the bound with respect to z_k already has the factor w̃_k, so
  φ receives two factors, and θ one. The weights are computed from the draws,
  so they are looked up only when the gradient is taken.
  """

  @tf.custom_gradient
  def weighted(z):
    return tf.identity(z), lambda upstream: (
        upstream * weights['normalized'][..., tf.newaxis])

  return lambda posterior: weighted(draw(posterior))


def _log_ratio_of_draws_alone(inference: Inference) -> tf.Tensor:
  """Returns log p(z) − log q(z|x), whose gradient reaches φ through z only."""
  terms = []
  for name, z in inference.latents.items():
    posterior = inference.posteriors[name]
    if posterior.batch_shape.rank > 1:
      raise _biased('another graph', f'the posterior of {name!r}, {posterior}')
    terms += [inference.priors[name].log_prob(z),
              -_log_prob_of_draw_alone(posterior, z)]
  return tf.add_n(terms)


def _biased(remedy: str, received: str) -> ValueError:
  return ValueError(
      'The doubly reparameterized gradient is biased where a latent has latent '
      f"parents in q; use `objective='iwae'`, or {remedy}. "
      f'Received: {received}')


def _log_prob_of_draw_alone(posterior: tfd.Distribution,
                            z: tf.Tensor) -> tf.Tensor:
  """Returns log q(z|x), whose gradient reaches φ through z only."""
  fixed = tf.stop_gradient(z)
  with tf.GradientTape() as tape:
    tape.watch(fixed)
    log_prob = posterior.log_prob(fixed)
  slope = tf.stop_gradient(tape.gradient(log_prob, fixed))
  # The second summand is 0 and carries the gradient.
  return tf.stop_gradient(log_prob) + tf.reduce_sum(
      slope * (z - fixed), axis=-1)
