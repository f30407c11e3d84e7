"""Simulation-based calibration of the amortized posterior."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import layers
from tfvae.evaluation.calibration.rank_statistics import Calibration
from tfvae.evaluation.running import progress
from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.draws import BLOCK_SIZE
from tfvae.models import LatentVariableModel


def simulation_based_calibration(
    model: LatentVariableModel,
    num_simulations: int = 1000,
    num_draws: int = 199,
    num_bins: int = 20,
    inputs: Mapping[str, Any] | None = None,
    batch_size: int = 100,
    seed: int = 0,
    jit_compile: bool = False,
    verbose: bool = False,
) -> Calibration:
  """Ranks the latents of simulated data among draws of q(z|x).

    z̃ ~ p(z),  x̃ ~ p(x|z̃),  z_1, …, z_L ~ q(z|x̃),  r_d = #{l: z_l,d < z̃_d}.

  If q(z|x) is p(z|x), every rank is uniform on 0, …, L; Talts et al.,
  Validating Bayesian Inference Algorithms with Simulation-Based Calibration,
  2018. It tests the posterior of the model, on data of the model: it does not
  measure how well the model fits other data. Nor does it measure information:
  q(z|x) = p(z) for every x passes.

  Args:
    model: Trained model.
    num_simulations: Number of pairs of z̃ and x̃, at least five for each bin.
    num_draws: Number of draws L; `num_bins` must divide L + 1.
    num_bins: Number of bins of the rank histograms, at least 2.
    inputs: Dictionary with 'y' of a conditional model, a row for each
      simulation; None where the graph infers the label, which is then drawn.
    batch_size: Simulations in a batch.
    seed: Seed of the draws.
    jit_compile: Whether to compile with XLA, which takes seconds and saves
      little time here.
    verbose: Whether to show a progress bar.

  Returns:
    The ranks of each dimension of every latent, in joint draws of q.

  Raises:
    ValueError: If a number is out of range, the number of labels differs from
      that of the simulations, or y is a parent in q and in no factor of p.
  """
  _check_graph(model)
  _check(num_simulations, num_draws, num_bins, batch_size, inputs)
  simulate, count_below = [
      compiled(model, function, jit_compile=jit_compile)
      for function in (_simulate, _count_below)]
  rows = {'index': np.arange(num_simulations)} | dict(inputs or {})
  blocks = range(0, num_draws, BLOCK_SIZE)
  ranks = []
  for index, batch in progress.batches(
      tf.data.Dataset.from_tensor_slices(rows).batch(batch_size),
      'Calibration', verbose):
    size, given = len(batch.pop('index')), batch or None
    first = index * (num_draws + 1)
    z, seen = simulate(size, given, tf.constant([seed, first]))
    counts = [count_below(z, seen, tf.constant(num_draws - start),
                          tf.constant([seed, first + 1 + start]))
              for start in blocks]
    ranks.append(tf.nest.map_structure(lambda *parts: sum(parts), *counts))
  return Calibration(
      {name: np.concatenate([batch[name] for batch in ranks])
       for name in ranks[0]}, num_draws, num_bins)


def _simulate(model: LatentVariableModel, n: int, given: Any,
              seed: tf.Tensor) -> tuple[dict[str, tf.Tensor], Any]:
  """Returns z̃ by name, `[n, size]`, and x̃ as `infer` takes it."""
  z_seed, x_seed = tfp.random.split_seed(seed, n=2)
  z = model.sample_prior(n, z_seed, given)
  if 'y' in z:  # The graph infers the label.
    given = {'y': z.pop('y')}
  x = model.decode(z, given).sample(seed=x_seed)
  return z, x if given is None else dict(given) | {'x': x}


def _count_below(model: LatentVariableModel, z: Mapping[str, tf.Tensor],
                 inputs: Any, n: tf.Tensor,
                 seed: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns how many draws of q(z|x̃), of a block or n, are below z̃."""
  draws = model.infer(inputs, layers.SeededSample(seed, BLOCK_SIZE)).latents
  return {name: tf.math.count_nonzero(draws[name][:n] < value, axis=0)
          for name, value in z.items()}


def _check_graph(model: LatentVariableModel):
  graph = model.graph
  if graph.is_conditional and not graph.infers_label and not any(
      'y' in factor.parents for factor in graph.generative):
    raise ValueError(
        'Calibration draws z, x and y from their joint distribution, which '
        'this model does not define: y is a parent in q and in no factor of '
        'p, so a simulated x has no label. Make y a parent in p, such as in '
        f"'z|y' or 'x|z,y'. Received: model.graph={graph}")


def _check(num_simulations, num_draws, num_bins, batch_size, inputs):
  if min(num_draws, num_bins - 1, batch_size) < 1:
    raise ValueError(
        '`num_draws` and `batch_size` must be at least 1, `num_bins` at least '
        '2. Received: '
        f'num_draws={num_draws}, num_bins={num_bins}, batch_size={batch_size}')
  if (num_draws + 1) % num_bins:
    raise ValueError(
        '`num_bins` must divide `num_draws` + 1, as 20 divides 199 + 1. '
        f'Received: num_draws={num_draws}, num_bins={num_bins}')
  if num_simulations < 5 * num_bins:
    raise ValueError(
        'The chi-square test needs at least five simulations for each bin; '
        'raise `num_simulations`, or lower `num_bins`. '
        f'Received: num_simulations={num_simulations}, num_bins={num_bins}')
  labels = (inputs or {}).get('y')
  if labels is not None and len(labels) != num_simulations:
    raise ValueError(
        "`inputs['y']` must have a row for each simulation. Received: "
        'num_simulations='
        f"{num_simulations}, inputs['y'].shape={np.shape(labels)}")
