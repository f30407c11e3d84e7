"""The importance-weighted bound, and its doubly reparameterised gradient."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.inference import Inference
from tfvae.inference import LatentVariableModel
from tfvae.layers import SeededSample
from tfvae.objectives.objective import Objective

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class ImportanceWeighted(Objective):
  """The importance-weighted bound of K draws.

    L_K(x) = E[log (1/K) Σ_k w_k],  w_k = p(x|z_k) p(z_k) / q(z_k|x),

  with z_k ~ q(z|x); Burda, Grosse and Salakhutdinov, Importance Weighted
  Autoencoders, 2016. It is the ELBO at K = 1 and rises with K to log p(x). KL
  weights, schedules, free bits and capacities have no part in it, and `compile`
  refuses them.

  Doubly reparameterised (DReG; Tucker et al., Doubly Reparameterized Gradient
  Estimators for Monte Carlo Objectives, 2019), the gradient towards φ is

    Σ_k w̃_k² ∂log w_k/∂z_k ∂z_k/∂φ,  w̃_k = w_k / Σ_i w_i,

  which has the same mean, and a signal-to-noise ratio that grows with K where
  that of the plain gradient falls. Towards θ nothing changes.
  """

  uses_kl_penalty = False
  uses_kl_schedule = False

  def __init__(self, num_samples: int, doubly_reparameterized: bool = False):
    """Initialises the objective.

    Args:
      num_samples: K, at least 1.
      doubly_reparameterized: use DReG; it needs latents that have no latents
        for parents in q.

    Raises:
      ValueError: if `num_samples` is not a positive integer.
    """
    if not isinstance(num_samples, int) or num_samples < 1:
      raise ValueError('ImportanceWeighted needs at least one sample. '
                       f'Received: num_samples={num_samples!r}')
    self.num_samples = num_samples
    self.doubly_reparameterized = doubly_reparameterized

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns −L_K and the ELBO's parts; see `Objective`."""
    del kl_factor
    draw, weights = SeededSample(seed, self.num_samples), {}
    if self.doubly_reparameterized:
      draw = _with_weighted_gradient(draw, weights)
    inference = model.infer(inputs, draw, training)
    log_ratio = (_log_ratio_of_draws_alone(inference)
                 if self.doubly_reparameterized else inference.log_ratio())
    log_likelihood = model.log_likelihood(
        inference.latents, target, inputs, training)
    log_weights = log_likelihood + log_ratio  # log w_k, [K, b]
    weights['normalized'] = tf.stop_gradient(tf.nn.softmax(log_weights, axis=0))
    bound = tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(
        tf.cast(self.num_samples, log_weights.dtype))
    return {'objective': -bound} | inference.elbo_parts(
        log_likelihood).per_example()

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    return {'num_samples': self.num_samples,
            'doubly_reparameterized': self.doubly_reparameterized}


def _with_weighted_gradient(draw, weights):
  """Multiplies the gradient that reaches each draw z_k by w̃_k.

  The gradient of the bound towards z_k has the factor w̃_k already, so that two
  factors reach φ, and one reaches θ. The weights follow from the draws, so
  they are looked up only when the gradient is taken.
  """

  @tf.custom_gradient
  def weighted(z):
    return tf.identity(z), lambda upstream: (
        upstream * weights['normalized'][..., tf.newaxis])

  return lambda posterior: weighted(draw(posterior))


def _log_ratio_of_draws_alone(inference: Inference) -> tf.Tensor:
  """Returns log p(z) − log q(z|x) whose gradient towards φ is through z."""
  terms = []
  for name, z in inference.latents.items():
    posterior = inference.posteriors[name]
    if posterior.batch_shape.rank > 1:
      raise ValueError(
          'The doubly reparameterised gradient is not that of the bound where '
          'a latent has latents for parents in q; use ImportanceWeighted with '
          'doubly_reparameterized=False. Received: a posterior of '
          f'{name!r} given other latents, {posterior}')
    terms += [inference.priors[name].log_prob(z),
              -_log_prob_of_draw_alone(posterior, z)]
  return tf.add_n(terms)


def _log_prob_of_draw_alone(posterior: tfd.Distribution,
                            z: tf.Tensor) -> tf.Tensor:
  """Returns log q(z|x) whose gradient is ∂log q/∂z, and none towards φ."""
  fixed = tf.stop_gradient(z)
  with tf.GradientTape() as tape:
    tape.watch(fixed)
    log_prob = posterior.log_prob(fixed)
  slope = tf.stop_gradient(tape.gradient(log_prob, fixed))
  # The second summand is 0, and carries the gradient.
  return tf.stop_gradient(log_prob) + tf.reduce_sum(
      slope * (z - fixed), axis=-1)
