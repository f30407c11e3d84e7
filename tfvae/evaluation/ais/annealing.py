"""Hamiltonian Monte Carlo along an annealing path, and its weights.

`tfp.mcmc.sample_annealed_importance_chain` has a single step size and evenly
spaced β, and runs in one direction only. It also starts each transition with
the log-density of the state under the previous β, so no transition leaves its
density invariant: on a linear Gaussian model, 50 steps from the prior, its E[w]
is 0.735 ± 0.007 of p(x) with TFP 0.25, and 0.997 ± 0.008 here, where each
transition evaluates its own density (tensorflow/probability issue 1429).
"""

from collections.abc import Mapping
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.evaluation.ais.annealing_path import AnnealingPath
from tfvae.evaluation.ais.annealing_path import schedule
from tfvae.evaluation.ais.annealing_path import STARTS
from tfvae.models import LatentVariableModel

# Near the optimum of HMC; Neal, MCMC Using Hamiltonian Dynamics, 2011.
_TARGET_ACCEPTANCE = 0.65
# The step size is in units of the density's width; the rate is the change of
# its logarithm in a transition.
_FIRST_STEP_SIZE, _ADAPTATION_RATE = 0.5, 0.2


def annealed_bounds(
    model: LatentVariableModel,
    num_steps: int,
    num_chains: int,
    num_leapfrog_steps: int,
    start: str,
    inputs: Any,
    seed: tf.Tensor,
    exact_latents: Mapping[str, tf.Tensor] | None = None,
) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
  """Returns bounds of log p(x) for one batch; compile it.

  Args:
    model: Trained model.
    num_steps: T, at least 2.
    num_chains: Chains for each example, at least 1.
    num_leapfrog_steps: Leapfrog steps of each transition, at least 1.
    start: Start of the path, one of `STARTS`.
    inputs: Batch of x, or a dictionary of 'x' and 'y'.
    seed: Int tensor `[2]`.
    exact_latents: Draw of p(z|x) for each example, by name, or None.

  Returns:
    The lower bound, float64 `[b]`, in nats. With `exact_latents`, the lower
    and the upper bound.
  """
  betas = schedule(num_steps)
  seeds = tfp.random.split_seed(seed, n=6)
  path = AnnealingPath(model, inputs, start, seeds[0])
  step_sizes = tuned_step_sizes(
      path, path.sample_start(num_chains, seeds[1]), betas,
      num_leapfrog_steps, seeds[2])
  lower = log_mean_weight(
      path, path.sample_start(num_chains, seeds[3]), betas, step_sizes,
      num_leapfrog_steps, seeds[4])
  if exact_latents is None:
    return lower
  z = path.flatten(exact_latents)
  return lower, -log_mean_weight(
      path, tf.broadcast_to(z, [num_chains, *z.shape]), betas[::-1],
      step_sizes[::-1], num_leapfrog_steps, seeds[5])


def tuned_step_sizes(path: AnnealingPath, z: tf.Tensor, betas: np.ndarray,
                     num_leapfrog_steps: int, seed: tf.Tensor) -> tf.Tensor:
  """Runs chains to find the step sizes of `log_mean_weight`.

  The step sizes adapt to the acceptance rate of each example's chains. A
  transition that depends on the past of its chain would bias the weights, so
  these chains have no other use.

  Args:
    path: Path of densities.
    z: Draws of the start of the path, `[num_chains, b, size]`.
    betas: Inverse temperatures β₀, …, β_T.
    num_leapfrog_steps: Leapfrog steps of each transition.
    seed: Int tensor `[2]`.

  Returns:
    Step sizes for β₁, …, β_{T−1} and each example, `[T - 1, b]`, in units of
    the density's width.
  """
  num_moves = len(betas) - 2
  betas = tf.constant(betas, tf.float32)

  def body(t, z, log_step_size, tuned):
    step_size = tf.exp(log_step_size)
    z, acceptance = _move(path, z, betas[t + 1], step_size, num_leapfrog_steps,
                          _fold_in(seed, t))
    log_step_size += _ADAPTATION_RATE * (
        tf.reduce_mean(acceptance, axis=0) - _TARGET_ACCEPTANCE)
    log_step_size = tf.minimum(log_step_size, longest)
    return t + 1, z, log_step_size, tuned.write(t, step_size)

  # After a quarter of a Gaussian's period a draw is independent; longer
  # trajectories turn back.
  longest = math.log(0.5 * math.pi / num_leapfrog_steps)
  first = tf.fill(z.shape[1:2], min(math.log(_FIRST_STEP_SIZE), longest))
  tuned = tf.TensorArray(tf.float32, num_moves, element_shape=first.shape)
  *_, tuned = tf.while_loop(
      lambda t, *_: t < num_moves, body, [0, z, first, tuned],
      parallel_iterations=1)
  return tuned.stack()


def log_mean_weight(path: AnnealingPath, z: tf.Tensor, betas: np.ndarray,
                    step_sizes: tf.Tensor, num_leapfrog_steps: int,
                    seed: tf.Tensor) -> tf.Tensor:
  """Runs chains along the path, and returns their mean weight.

    log w = Σ_t (β_{t+1} − β_t) (log p(x, z_t) − log p₀(z_t)),

  with z₀ given and z_t from z_{t−1} by a transition that leaves f_{β_t}
  invariant, t = 1, …, T − 1. Where z₀ is a draw of f_{β₀}, E[w] is the ratio of
  the normalizers: p(x) from β = 0 to 1, and 1 / p(x) from 1 to 0; Neal,
  Annealed Importance Sampling, 2001.

  Args:
    path: Path of densities.
    z: Start z₀ of each chain, `[num_chains, b, size]`.
    betas: Inverse temperatures β₀, …, β_T.
    step_sizes: Step sizes of the transitions, `[T - 1, b]`.
    num_leapfrog_steps: Leapfrog steps of each transition.
    seed: Int tensor `[2]`.

  Returns:
    The logarithm of the mean weight, log (1/C) Σ_c w_c over the chains, float64
    `[b]`, in nats.
  """
  num_moves = len(betas) - 2
  increments = tf.constant(np.diff(betas))
  betas = tf.constant(betas, tf.float32)

  def log_ratio(t, z):  # log f_{β_{t+1}}(z) − log f_{β_t}(z)
    return increments[t] * tf.cast(path.log_prob_parts(z)[1], tf.float64)

  def body(t, z, log_weight):
    log_weight += log_ratio(t, z)
    z, _ = _move(path, z, betas[t + 1], step_sizes[t], num_leapfrog_steps,
                 _fold_in(seed, t))
    return t + 1, z, log_weight

  _, z, log_weight = tf.while_loop(
      lambda t, *_: t < num_moves, body,
      [0, z, tf.zeros(z.shape[:-1], tf.float64)], parallel_iterations=1)
  return tfp.math.reduce_logmeanexp(
      log_weight + log_ratio(num_moves, z), axis=0)


def _move(path, z, beta, step_size, num_leapfrog_steps, seed):
  """Makes a transition; returns z and the acceptance, `[num_chains, b]`."""
  def log_prob(z):
    log_start, log_ratio = path.log_prob_parts(z)
    return log_start + beta * log_ratio

  kernel = tfp.mcmc.HamiltonianMonteCarlo(
      log_prob, step_size[:, tf.newaxis] * path.width(beta),
      num_leapfrog_steps)
  z, results = kernel.one_step(z, kernel.bootstrap_results(z), seed=seed)
  return z, tf.exp(tf.minimum(results.log_accept_ratio, 0.))


def _fold_in(seed, index):
  return tf.random.experimental.stateless_fold_in(seed, index, alg='philox')


def check_annealing(num_steps: int, num_chains: int, num_leapfrog_steps: int,
                    start: str):
  """Raises a `ValueError` if a setting of `annealed_bounds` is invalid."""
  if num_steps < 2 or num_chains < 1 or num_leapfrog_steps < 1:
    raise ValueError(
        '`num_steps` must be at least 2, `num_chains` and `num_leapfrog_steps` '
        'at least 1. '
        f'Received: num_steps={num_steps}, num_chains={num_chains}, '
        f'num_leapfrog_steps={num_leapfrog_steps}')
  if start not in STARTS:
    raise ValueError(f'`start` must be one of {", ".join(STARTS)}. Received: '
                     f'start={start!r}')
