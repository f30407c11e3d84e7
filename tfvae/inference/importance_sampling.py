"""Log p(x) of each example by importance sampling, in constant memory."""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.inference import batches
from tfvae.inference.latent_variable_model import LatentVariableModel
from tfvae.inference.row_draws import RowSeededSample

# Draws of all examples to decode at a time, and of one example.
_DECODED, _BLOCK = 1024, 50


class LogLikelihood(NamedTuple):
  """Estimate of log p(x) of each example.

  Attributes:
    nats: Values of log (1/K) Σ_k w_k, float64 `[b]`.
    effective_sample_size: (Σ_k w_k)² / Σ_k w_k², from 1 to K, float64 `[b]`;
      Kong, 1992. Far below K, the estimate is too low.
  """

  nats: tf.Tensor
  effective_sample_size: tf.Tensor


def importance_weighted(model: LatentVariableModel, inputs: Any,
                        num_samples: int,
                        draw: RowSeededSample) -> LogLikelihood:
  """Estimates log p(x) of each example from K draws of the posterior.

    log p(x) ≈ log (1/K) Σ_k w_k,  w_k = p(x|z_k) p(z_k) / q(z_k|x),

  with z_k ~ q(z|x), as `evaluation.importance_weighted_nll` does; in
  expectation it is at most log p(x). It consists of operations of TensorFlow,
  for a graph, and the result of an example depends on its own seed alone. The
  sums are log-sum-exps in float64, in a loop over blocks of draws whose memory
  does not grow with K. Where the graph infers the label, and it is missing, w_k
  is summed over the classes; of a given y it is log p(x, y).

  Args:
    model: Model; x may have missing values if it takes them.
    inputs: Batch of x, or a dictionary; see `LatentVariableModel`.
    num_samples: Number of importance samples K, at least 1.
    draw: Draw with the seeds of the examples; draws 0 to K − 1 are used.

  Returns:
    A `LogLikelihood`, in nats.

  Raises:
    ValueError: If `num_samples` is below 1.
  """
  if num_samples < 1:
    raise ValueError('`num_samples`, the number of importance samples, must be '
                     f'at least 1. Received: num_samples={num_samples}')
  target = batches.observed(inputs)['x']
  rows = tf.shape(target)[0]
  block = draws_at_a_time(rows)

  def log_weights(first):
    count = tf.minimum(block, num_samples - first)
    inference = model.infer_classes(inputs, draw.draws(count, first))
    return tf.cast(inference.log_weights(model.log_likelihood(
        inference.latents, target, inputs)), tf.float64)

  def body(first, log_sum, log_sum_of_squares):
    nats = log_weights(first)
    return (first + block, _added(log_sum, nats),
            _added(log_sum_of_squares, 2 * nats))

  nothing = tf.fill([rows], tf.constant(-math.inf, tf.float64))
  _, log_sum, log_sum_of_squares = tf.while_loop(
      lambda first, *_: first < num_samples, body, [0, nothing, nothing],
      parallel_iterations=1)  # Parallel iterations would need more memory.
  return LogLikelihood(log_sum - math.log(num_samples),
                       tf.exp(2 * log_sum - log_sum_of_squares))


def draws_at_a_time(rows: tf.Tensor) -> tf.Tensor:
  """Returns the draws of each row that a loop decodes at a time.

  Args:
    rows: Number of rows of the batch.
  """
  return tf.clip_by_value(_DECODED // tf.maximum(rows, 1), 1, _BLOCK)


def _added(log_sum: tf.Tensor, nats: tf.Tensor) -> tf.Tensor:
  """Returns log (exp log_sum + Σ_k exp nats_k), `[b]`, of nats `[k, b]`."""
  return tf.reduce_logsumexp(
      tf.concat([log_sum[tf.newaxis], nats], axis=0), axis=0)
