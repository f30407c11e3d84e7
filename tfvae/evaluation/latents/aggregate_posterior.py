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
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Evaluates q(z) at draws of the posteriors of given examples.

    log q(z) = log (1/N) Σ_n q(z|x_n),  z ~ q(z|x_i),

  with all components, without the component i of the draw, and with that
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

  Returns:
    Float64 arrays `[m]` of log q(z), log 1/(N−1) Σ_{n≠i} q(z|x_n) and
    log q(z|x_i), in nats.
  """
  log_sums = compiled(model, _log_sums, jit_compile=jit_compile)
  others, own = np.full([2, len(examples)], -np.inf)
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
      sums = log_sums(draws, inputs, tf.constant(is_own), tf.constant(is_other))
      own[rows], others[rows] = [
          np.logaddexp(total, np.float64(part.numpy()))
          for total, part in zip((own[rows], others[rows]), sums, strict=True)]
  count = np.bincount(groups)[groups[examples]]
  return (np.logaddexp(own, others) - np.log(count),
          others - np.log(count - 1), own)


def _log_sums(model: LatentVariableModel, latents: Mapping[str, tf.Tensor],
              inputs: Any, *masks: tf.Tensor) -> list[tf.Tensor]:
  """Returns log Σ_n q(z|x_n) over the examples of each mask, `[m]`."""
  shape = tf.shape(masks[0])
  pairs = {
      name: tf.broadcast_to(
          z[:, tf.newaxis], tf.concat([shape, z.shape[-1:]], axis=0))
      for name, z in latents.items()}
  log_densities = model.log_posterior(pairs, inputs)
  return [
      tf.reduce_logsumexp(tf.where(mask, log_densities, -math.inf), axis=1)
      for mask in masks]
