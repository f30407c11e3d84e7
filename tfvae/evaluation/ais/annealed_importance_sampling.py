"""Annealed importance sampling: lower and bidirectional bounds of log p(x)."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.evaluation.ais.annealing import annealed_bounds
from tfvae.evaluation.ais.annealing import check_annealing
from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.running.classes import class_rows
from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import examples
from tfvae.evaluation.running.examples import weights_of
from tfvae.evaluation.running.progress import batches
from tfvae.models import LatentVariableModel


def annealed_importance_sampling(
    model: LatentVariableModel,
    dataset: Any,
    num_steps: int = 500,
    num_chains: int = 16,
    num_leapfrog_steps: int = 2,
    start: str = 'posterior',
    seed: int = 0,
    jit_compile: bool = True,
    verbose: bool = False,
) -> Estimate:
  """Estimates log p(x) by annealing from p₀(z) to p(x, z).

    log p(x) ≥ E[log (1/C) Σ_c w_c],
    w = Π_t f_{β_{t+1}}(z_t) / f_{β_t}(z_t),  f_β = p₀(z)^(1−β) p(x, z)^β,

  with chains z₀ ~ p₀, z₁, … of Hamiltonian Monte Carlo transitions: Neal,
  Annealed Importance Sampling, 2001; Wu, Burda, Salakhutdinov and Grosse, On
  the Quantitative Analysis of Decoder-Based Generative Models, 2017. The
  estimate is a stochastic lower bound that rises to log p(x) with the numbers
  of steps and chains.

  A first run with its own noise tunes the step size of each transition and
  example to an acceptance rate of 65 %, or to trajectories of a quarter of a
  Gaussian's period if those are shorter. The second run, whose weights count,
  keeps the step sizes fixed, so that E[w] = p(x). Each dimension moves in
  proportion to its width under q(z|x) and p₀. An example takes
  2 (num_leapfrog_steps + 1) · num_steps · num_chains forward and backward
  passes through the decoder. Where the graph infers the label, an example with
  y has chains to p(x, y, z); in a batch where one has none, each example has
  those of every class, and their weights are added up to p(x).

  Args:
    model: Trained model with any graph and posterior.
    dataset: Batches as `fit` takes them, or arrays; see `examples.as_dataset`.
    num_steps: T, at least 2.
    num_chains: C, at least 1; all chains are in memory together.
    num_leapfrog_steps: Leapfrog steps of each transition, at least 1. More
      annealing steps usually help more.
    start: Start of the path, p₀: 'posterior' is q(z|x), which is near p(z|x);
      'prior' is p(z), which needs more steps and does not depend on the
      encoder.
    seed: Seed of the chains.
    jit_compile: Whether to compile with XLA, which makes convolutional models
      slower on a CPU.
    verbose: Whether to show progress.

  Returns:
    The bound of each example, in nats.

  Raises:
    ValueError: If a number is too small, or `start` is unknown.
  """
  anneal = _compiled_bounds(
      model, num_steps, num_chains, num_leapfrog_steps, start, jit_compile)
  title = f'log p(x), {num_steps} annealing steps'
  bounds = []
  for index, inputs in examples(
      model, dataset, title, verbose, with_target=True):
    rows = class_rows(model, inputs)
    bounds.append(rows.log_sum(
        anneal(rows.batch, tf.constant([seed, index])).numpy()))
  return Estimate(np.concatenate(bounds), weights_of(dataset))


@dataclasses.dataclass(frozen=True)
class BidirectionalBounds:
  """Bounds of log p(x) on data that the model simulated.

  Attributes:
    lower: Bound that is at most log p(x) in expectation, in nats.
    upper: Bound that is at least log p(x) in expectation, in nats.
    inputs: Simulated data: x, or a dictionary of 'x' and 'y', arrays
      `[n, ...]`.
  """

  lower: Estimate
  upper: Estimate
  inputs: Any

  @property
  def gap(self) -> Estimate:
    """Difference of the bounds; its mean bounds the mean error of each."""
    return Estimate(self.upper.values - self.lower.values)


def bidirectional_bounds(
    model: LatentVariableModel,
    num_examples: int,
    num_steps: int = 500,
    num_chains: int = 16,
    num_leapfrog_steps: int = 2,
    start: str = 'posterior',
    labels: np.ndarray | None = None,
    batch_size: int = 100,
    seed: int = 0,
    jit_compile: bool = True,
    verbose: bool = False,
) -> BidirectionalBounds:
  """Brackets log p(x) on simulated data, to measure the error of annealing.

    E[lower] ≤ log p(x) ≤ E[upper],  z ~ p(z), x ~ p(x|z).

  The lower bound is that of `annealed_importance_sampling`. Since z is an exact
  draw of p(z|x), chains from it back to p₀ have weights of mean 1 / p(x), and

    upper = −log (1/C) Σ_c w_c;

  Grosse, Ghahramani and Adams, Sandwiching the Marginal Likelihood Using
  Bidirectional Monte Carlo, 2015. A small gap means that the number of steps
  is sufficient for this model, on data like those that it simulates. Where the
  graph infers the label, y is drawn as well, and the bounds are those of
  log p(x, y).

  Args:
    model: Trained model.
    num_examples: Number n of x to simulate.
    num_steps: T; see `annealed_importance_sampling`.
    num_chains: C; the reverse chains of an example all start at its z.
    num_leapfrog_steps: Leapfrog steps of each transition.
    start: Start of the path, 'prior' or 'posterior'.
    labels: Labels y of a conditional model, one-hot `[n, classes]`; None where
      the graph infers the label.
    batch_size: Examples in a batch.
    seed: Seed of the data and of the chains.
    jit_compile: Whether to compile with XLA.
    verbose: Whether to show progress.

  Returns:
    The bounds of each example, and the data.

  Raises:
    ValueError: If a number is too small, `start` is unknown, or the number of
      labels differs from `num_examples`, or there are labels and the model
      draws them.
  """
  anneal = _compiled_bounds(
      model, num_steps, num_chains, num_leapfrog_steps, start, jit_compile)
  inputs, latents = _simulate(model, num_examples, labels, seed)
  dataset = tf.data.Dataset.from_tensor_slices((inputs, latents))
  title = f'Bounds of log p(x), {num_steps} annealing steps'
  parts = []
  for index, (x, z) in batches(dataset.batch(batch_size), title, verbose):
    parts.append(np.stack(anneal(x, tf.constant([seed, index]), z)))
  lower, upper = np.concatenate(parts, axis=1)
  return BidirectionalBounds(Estimate(lower), Estimate(upper),
                             tf.nest.map_structure(np.array, inputs))


def _compiled_bounds(model, num_steps, num_chains, num_leapfrog_steps, start,
                     jit_compile):
  settings = num_steps, num_chains, num_leapfrog_steps, start
  check_annealing(*settings)
  return compiled(model, annealed_bounds, *settings, jit_compile=jit_compile)


def _simulate(model, num_examples, labels, seed):
  """Returns x ~ p(x|z), with any labels, and z ~ p(z)."""
  if labels is not None and len(labels) != num_examples:
    raise ValueError('`labels` must have a row for each example. Received: '
                     f'num_examples={num_examples}, {len(labels)} labels')
  if labels is not None and model.graph.infers_label:
    raise ValueError('A model in which y has factors draws its labels; leave '
                     f'`labels` out. Received: {len(labels)} labels')
  seeds = tfp.random.split_seed([seed, -1], n=2)  # No batch has number −1.
  given = None if labels is None else {'y': tf.constant(labels, tf.float32)}
  latents = model.sample_prior(num_examples, seeds[0], given)
  if model.graph.infers_label:
    given = {'y': latents.pop('y')}
  x = model.decode(latents, given).sample(seed=seeds[1])
  return (given | {'x': x} if given else x), latents
