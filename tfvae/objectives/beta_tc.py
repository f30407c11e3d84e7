"""The β-TCVAE objective, which weighs the latents' total correlation."""

from collections.abc import Iterable, Mapping
import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.graph import GraphicalModel
from tfvae.inference import Inference
from tfvae.inference import LatentVariableModel
from tfvae.layers import SeededSample
from tfvae.objectives.objective import Objective
from tfvae.objectives.objective import OBJECTIVES
from tfvae.registry import Setting

tfd = tfp.distributions


@OBJECTIVES.register('beta_tc', beta=Setting(
    'tc_weight', 6.0, 'weight β of the total correlation in beta_tc; 1 is the '
    'ELBO',
    at_least=0))
@tf_keras.saving.register_keras_serializable(package='tfvae')
class BetaTC(Objective):
  """The ELBO with its total correlation weighted by β.

    E[log p(x|z)] − I(x; z) − β KL(q(z) ‖ Π_d q(z_d))
                  − (Σ_d KL(q(z_d) ‖ p(z_d))),

  where q(z) = (1/N) Σ_n q(z|x_n); the three terms add up to the KL at β = 1.
  Chen, Li, Grosse and Duvenaud, Isolating Sources of Disentanglement in VAEs,
  2018. A KL schedule multiplies all three; KL weights, free bits and
  capacities have no effect, and `compile` raises for them. It needs a single
  latent with a diagonal normal posterior.

  log q(z) is estimated from the minibatch, weighted as in the paper:

    log q(z_i) ≈ log Σ_j q(z_i|x_j) − log(N M),  M examples in the minibatch,

  and log q(z_i,d) in the same way. The objective leaves out a constant of this
  estimate, (β − 1)(d − 1) log N, and is thus the ELBO with the total
  correlation of the minibatch's mixture (1/M) Σ_j q(z|x_j). It depends on the
  batch size; with several replicas, on that of each replica. It takes memory
  for M × M × d densities.
  """

  uses_kl_penalty = False
  compares_examples = True

  def __init__(self, beta: float, num_examples: int = 1):
    """Initializes the objective.

    Args:
      beta: Weight β of the total correlation, at least 0.
      num_examples: Size N of the training set, at least 1. It shifts `terms` by
        constants; the objective does not depend on it.

    Raises:
      ValueError: If a number is out of range.
    """
    if not 0 <= beta < math.inf:
      raise ValueError('`beta` must be finite and at least 0. Received: '
                       f'beta={beta}')
    if not isinstance(num_examples, int) or num_examples < 1:
      raise ValueError('`num_examples` must be an integer of at least 1, the '
                       'number of training examples. Received: '
                       f'num_examples={num_examples!r}')
    self.beta, self.num_examples = float(beta), num_examples

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns the weighted bound and the ELBO's parts; see `Objective`."""
    inference = model.infer(inputs, SeededSample(seed), training)
    log_likelihood = model.log_likelihood(
        inference.latents, target, inputs, training)
    terms = self.terms(inference)
    size = next(iter(inference.latents.values())).shape[-1]
    constant = (self.beta - 1) * (size - 1) * math.log(self.num_examples)
    penalty = (terms['mutual_information']
               + self.beta * terms['total_correlation']
               + terms['dimension_wise_kl'] - constant)
    return {'objective': kl_factor * penalty - log_likelihood
            } | inference.elbo_parts(log_likelihood).per_example()

  def for_training_set(self, num_examples: int) -> 'BetaTC':
    """Returns the objective with the terms of a training set."""
    return BetaTC(self.beta, num_examples)

  def check_model(self, graph: GraphicalModel, posteriors: Mapping[str, Any]):
    """Raises unless there is one latent, of a diagonal normal posterior."""
    _check_single(graph.latent_names)
    for layer in posteriors.values():
      if not getattr(layer, 'is_diagonal_normal', True):
        raise _no_density_of_dimensions(layer)

  def terms(self, inference: Inference) -> dict[str, tf.Tensor]:
    """Returns the three terms at each draw, `[b]`, in nats.

    Args:
      inference: One draw for each example, of a single latent.

    Returns:
      'mutual_information', 'total_correlation' and 'dimension_wise_kl', which
      add up to log q(z|x) − log p(z).

    Raises:
      ValueError: If there are several latents, or the posterior is not a
        diagonal normal.
    """
    name, posterior = _only_posterior(inference)
    z, prior = inference.latents[name], inference.priors[name]
    # log q(z_i,d|x_j), [i, j, d]
    log_densities = tfd.Normal(posterior.mean(), posterior.stddev()).log_prob(
        z[:, tf.newaxis])
    batch_size = tf.cast(tf.shape(z)[0], z.dtype)
    log_count = tf.math.log(self.num_examples * batch_size)  # log(N M)
    log_joint = tf.reduce_logsumexp(
        tf.reduce_sum(log_densities, axis=-1), axis=1) - log_count
    log_product = tf.reduce_sum(
        tf.reduce_logsumexp(log_densities, axis=1) - log_count, axis=-1)
    return {
        # log q(z|x) − log q(z)
        'mutual_information': posterior.log_prob(z) - log_joint,
        # log q(z) − Σ_d log q(z_d)
        'total_correlation': log_joint - log_product,
        # Σ_d log q(z_d) − log p(z)
        'dimension_wise_kl': log_product - prior.log_prob(z)}

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    return {'beta': self.beta, 'num_examples': self.num_examples}


def _only_posterior(inference: Inference) -> tuple[str, tfd.Distribution]:
  _check_single(inference.posteriors)
  (name, posterior), = inference.posteriors.items()
  if not isinstance(posterior, tfd.MultivariateNormalDiag):
    raise _no_density_of_dimensions(posterior)
  return name, posterior


def _check_single(names: Iterable[str]):
  """Raises if a graph has several latents."""
  names = list(names)
  if len(names) > 1:
    raise ValueError("BetaTC needs a single latent; use `objective='elbo'`, or "
                     "a graph such as `latents='z:16'`. Received: latents="
                     f'{",".join(names)}')


def _no_density_of_dimensions(posterior: Any) -> ValueError:
  return ValueError(
      'BetaTC needs the density of each dimension, so a diagonal normal: use '
      "`posterior='normal_diag'`, a MultivariateNormalDiag layer. Received: "
      f'posterior={getattr(posterior, "__name__", posterior)}')
