"""Bounds of log p(x)."""

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import layers
from tfvae.models import LatentVariableModel


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A value for each example, in nats.

  Attributes:
    values: float64 array `[n]`.
  """

  values: np.ndarray

  @property
  def mean(self) -> float:
    """The mean over the examples."""
    return float(np.mean(self.values))

  @property
  def standard_error(self) -> float:
    """The standard error of the mean over the examples."""
    return float(np.std(self.values, ddof=1) / math.sqrt(len(self.values)))


def importance_weighted_nll(
    model: LatentVariableModel,
    dataset: tf.data.Dataset,
    num_samples: int,
    chunk_size: int = 50,
    seed: int = 0,
) -> Estimate:
  """Estimates −log p(x) with K importance samples of the posterior.

    −log p(x) ≤ −E[log (1/K) Σ_k w_k],  w_k = p(x|z_k) p(z_k) / q(z_k|x),

  with z_k ~ q(z|x). At K = 1 it is −ELBO(x), and it falls with K towards
  −log p(x); Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders,
  2016. The sum runs as a log-sum-exp in float64 over chunks of samples, so
  memory does not grow with K.

  Args:
    model: a trained model.
    dataset: batches of x, or of dictionaries of 'x' and 'y'.
    num_samples: K, at least 1.
    chunk_size: samples decoded at a time; it changes the draws, not what is
      estimated.
    seed: of the draws.

  Returns:
    The bound of each example, in nats.

  Raises:
    ValueError: if `num_samples` or `chunk_size` is below 1.
  """
  if num_samples < 1 or chunk_size < 1:
    raise ValueError('num_samples and chunk_size must be at least 1. Received: '
                     f'num_samples={num_samples}, chunk_size={chunk_size}')
  log_weights = tf.function(
      lambda inputs, n, seed: _log_weights(model, inputs, n, seed),
      jit_compile=True)
  bounds = []
  for index, inputs in enumerate(dataset):
    total = -np.inf  # log Σ_k w_k
    for start in range(0, num_samples, chunk_size):
      n = min(chunk_size, num_samples - start)
      chunk = log_weights(
          inputs, n, tf.constant([seed, index * num_samples + start]))
      total = np.logaddexp(
          total, np.logaddexp.reduce(np.float64(chunk.numpy()), axis=0))
    bounds.append(math.log(num_samples) - total)
  return Estimate(np.concatenate(bounds))


def _log_weights(model: LatentVariableModel, inputs: Any, n: int,
                 seed: tf.Tensor) -> tf.Tensor:
  """Returns log w of n draws for each example, `[n, b]`."""
  x = inputs['x'] if isinstance(inputs, dict) else inputs
  inference = model.infer(inputs, layers.SeededSample(seed, n))
  # log w = log p(x|z) + log p(z) − log q(z|x)
  return (model.log_likelihood(inference.latents, x, inputs)
          + inference.log_ratio())
