"""Draws whose densities train without the scores of q and of normal priors."""

from collections.abc import Callable, Mapping
import dataclasses
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.inference.inference import Draw
from tfvae.inference.inference import Inference

tfd = tfp.distributions

Latents = Mapping[str, tf.Tensor]


def _as_drawn(z: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
  del moved
  return z


class PathInference:
  """The part of a `LatentVariableModel` that serves estimators of gradients.

  Let z = T(ε; φ) be all latents of one draw. Then

    d/dφ log [p(z) / q(z|x; φ)] = ∂/∂z log [p(z) / q(z|x; φ)] · dT/dφ
                                  − ∂/∂φ log q(z|x; φ).

  The last summand is the score of q. Its mean is zero, and it is noise even
  where q is the exact posterior: Roeder, Wu and Duvenaud, Sticking the Landing,
  2017. In q(z_1|z_2, x; φ), it is the derivative with respect to φ at fixed z_1
  and z_2; the derivative with respect to the parent z_2 is a part of ∂/∂z.

  A prior p_j = p(z_j|Pa_p(z_j); θ) has a score in d/dθ too. If p_j is normal, a
  draw z_j of q is also T_j(ε̃; θ) with some ε̃, and for a function g of z

    E_q[g ∂/∂θ log p_j]
      = E_q[(∂g/∂z_j + g ∂/∂z_j (log q(z|x) − log p_j)) · ∂/∂θ T_j(ε̃; θ)]:

  Bauer and Mnih, Generalized Doubly Reparameterized Gradient Estimators, 2021.
  """

  def posterior_has_prior(self, name: str) -> bool:
    """Returns whether q(z_j|Pa_q(z_j)) contains p(z_j|Pa_p(z_j)).

    Args:
      name: Name of the latent.
    """
    del name
    return False

  def infer_along_paths(
      self, inputs: Any, draw: Draw, training: bool = False,
      at: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = _as_drawn,
      reparameterize_priors: bool = False) -> Inference:
    """Draws the latents as `infer` does; `log_ratio` has other gradients.

    Its values are those of `infer`, and its gradient lacks the score of q.

    Where q_j contains p_j, the score of p_j is replaced as well, by
    g ∂/∂z_j (log q(z|x) − log p_j) · ∂/∂θ T_j, with g the derivative of the
    objective with respect to the log-ratio: the two scores nearly cancel, so
    that one alone has a large variance. `at` contributes ∂g/∂z_j. A `VampPrior`
    contains q_j instead; its score stays, also with respect to φ.

    A factor of q that has latents among its parents is evaluated twice, and
    another time if the score of a prior is replaced.

    Args:
      inputs: Inputs of `infer`.
      draw: Function from a posterior to a draw, reparameterized.
      training: Whether networks run in training mode.
      at: Function from a draw as T(ε; φ)_j, and the same draw as T_j(ε̃; θ), to
        its value with any gradient; the second is a constant where the score of
        p_j stays. All densities are taken at the results, whereas children in q
        are drawn given T(ε; φ)_j, so that the gradient of a density passes `at`
        once on its way to φ.
      reparameterize_priors: Whether to replace the score of every prior that is
        a diagonal normal.
    """
    inputs = self.completed(inputs)
    values = self.inference_values(inputs, training)
    drawn, posteriors = self._draw_latents(values, draw, training)
    fixed = _fixed(drawn)
    priors = self._reparameterized_priors(
        inputs, fixed, reparameterize_priors)
    moved = {name: _moved(prior, fixed[name])
             for name, prior in priors.items()}
    latents = {name: at(z, moved.get(name, fixed[name]))
               for name, z in drawn.items()}

    def log_q(latents):
      return tf.add_n([
          (self.posterior_factor(name, values | latents, training)
           if self._has_latent_parents(name) else q).log_prob(latents[name])
          for name, q in posteriors.items()])

    inference = self._inference_at(inputs, latents, posteriors, draw)
    log_ratio = self._log_prior_without_scores(
        inputs, inference, priors) - along(log_q, latents)
    if priors:  # 0, with the gradient (log q − log p_j) · ∂T_j.
      log_ratio += _zero_along(
          lambda z: log_q(fixed | z) - _log_prob(priors, z), moved)
    return dataclasses.replace(inference, path_log_ratio=log_ratio)

  def _has_latent_parents(self, name):
    return bool(set(self.graph.parents('inference', name))
                & set(self.graph.latent_names))

  def _reparameterized_priors(self, inputs, latents, every):
    """Returns the priors, given latents, whose scores are replaced."""
    values = self.observed_values(inputs, self._prior_factors) | latents
    priors = {name: self.prior_factor(name, values) for name in latents
              if every or self.posterior_has_prior(name)}
    return {name: prior for name, prior in priors.items()
            if isinstance(prior, tfd.MultivariateNormalDiag)}

  def _log_prior_without_scores(self, inputs, inference, reparameterized):
    """Returns log p(z), without gradients to weights of some priors."""
    latents = inference.latents
    values = self.observed_values(inputs, self._prior_factors)
    others = _log_prob({name: prior for name, prior in inference.priors.items()
                        if name not in reparameterized}, latents)

    def log_p(latents):
      return _log_prob({name: self.prior_factor(name, values | latents)
                        for name in reparameterized}, latents)

    return others + along(log_p, latents) if reparameterized else others


def along(density: Callable[[Latents], tf.Tensor],
          latents: Latents) -> tf.Tensor:
  """Returns density(latents), whose gradient is that through the latents alone.

  The weights that the density depends on get none.

  Args:
    density: Function from latents to a tensor `[*sample_shape, b]`, whose
      elements each depend on their own draw alone.
    latents: Tensors `[*sample_shape, b, size]` by name.
  """
  fixed = _fixed(latents)
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(fixed)
    value = density(fixed)
  slopes = tape.gradient(value, fixed, unconnected_gradients='zero')
  # The summands of the latents are 0 and carry the gradient.
  return tf.stop_gradient(value) + tf.add_n([
      tf.reduce_sum(tf.stop_gradient(slopes[name]) * (z - fixed[name]), axis=-1)
      for name, z in latents.items()])


def _zero_along(density, latents):
  nats = along(density, latents)
  return nats - tf.stop_gradient(nats)


def _fixed(latents):
  return {name: tf.stop_gradient(z) for name, z in latents.items()}


def _log_prob(priors, latents):
  return sum(prior.log_prob(latents[name]) for name, prior in priors.items())


def _moved(prior, z):
  """Returns z = μ + σ ε̃ as a function of μ and σ at fixed ε̃."""
  noise = tf.stop_gradient((z - prior.mean()) / prior.stddev())
  return prior.mean() + prior.stddev() * noise
