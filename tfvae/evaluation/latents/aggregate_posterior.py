"""The aggregate posterior: the mixture of the posteriors of a data set."""

from collections.abc import Mapping
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.running import examples as examples_lib
from tfvae.evaluation.running.compiled import compiled
from tfvae.models import LatentVariableModel


def log_aggregate_posterior(
    model: LatentVariableModel,
    dataset: Any,
    latents: Mapping[str, np.ndarray],
    examples: np.ndarray,
    groups: np.ndarray,
    chunk_size: int = 500,
    jit_compile: bool = False,
    verbose: bool = False,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Evaluates q(z) at draws of the posteriors of given examples.

    log q(z) = log (1/N) Σ_n q(z|x_n),  z ~ q(z|x_i),

  or Σ_n w_n q(z|x_n) / Σ_n w_n with sample weights w: with all components,
  without the component i of the draw, and with that
  component alone. It takes one pass over the data, and evaluates every
  posterior at every draw; the memory holds `chunk_size` draws by one batch of
  examples.

  Args:
    model: Trained model.
    dataset: Batches as `fit` takes them, or arrays, of N ≥ 2 examples; see
      `examples.as_dataset`. Each pass must yield them in the same order.
    latents: Draws by name, `[m, size]`.
    examples: Index i of each draw's example in the data, int `[m]`.
    groups: Group of each example, int `[N]`; the mixture at a draw is over the
      examples n in the group of i, at least 2.
    chunk_size: Draws to evaluate at a time.
    jit_compile: Whether to compile with XLA.
    verbose: Whether to show a progress bar.
    weights: Sample weights `[N]`, or None for equal weights.

  Returns:
    Float64 arrays `[m]` of log q(z), log 1/(N−1) Σ_{n≠i} q(z|x_n) and
    log q(z|x_i), in nats.
  """
  log_sums = compiled(model, _log_sums, jit_compile=jit_compile)
  others, own = np.full([2, len(examples)], -np.inf)
  weights = np.ones(len(groups)) if weights is None else weights
  with np.errstate(divide='ignore'):
    log_weights = np.log(weights)
  chunks = np.array_split(
      np.arange(len(examples)), math.ceil(len(examples) / chunk_size))
  start = 0
  for _, inputs in examples_lib.examples(
      model, dataset, 'Aggregate posterior', verbose):
    columns = start + np.arange(len(tf.nest.flatten(inputs)[0]))
    start += len(columns)
    for rows in chunks:
      draws = {name: tf.constant(z[rows]) for name, z in latents.items()}
      is_own = examples[rows, np.newaxis] == columns
      is_other = ~is_own & (
          groups[examples[rows], np.newaxis] == groups[columns])
      sums = log_sums(
          draws, inputs, tf.constant(np.where(is_own, 0., -np.inf), tf.float32),
          tf.constant(np.where(is_other, log_weights[columns], -np.inf),
                      tf.float32))
      own[rows], others[rows] = [
          np.logaddexp(total, np.float64(part.numpy()))
          for total, part in zip((own[rows], others[rows]), sums, strict=True)]
  total = np.bincount(groups, weights)[groups[examples]]
  return (np.logaddexp(own + log_weights[examples], others) - np.log(total),
          others - np.log(total - weights[examples]), own)


def _log_sums(model: LatentVariableModel, latents: Mapping[str, tf.Tensor],
              inputs: Any, *log_weights: tf.Tensor) -> list[tf.Tensor]:
  """Returns log Σ_n w_n q(z|x_n) for each weighting of the examples, `[m]`."""
  shape = tf.shape(log_weights[0])
  pairs = {
      name: tf.broadcast_to(
          z[:, tf.newaxis], tf.concat([shape, z.shape[-1:]], axis=0))
      for name, z in latents.items()}
  log_densities = model.log_posterior(pairs, model.completed(inputs))
  return [
      tf.reduce_logsumexp(tf.where(
          tf.math.is_finite(log_weight), log_densities + log_weight, -math.inf),
                          axis=1)
      for log_weight in log_weights]
