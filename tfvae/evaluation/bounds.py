"""Bounds of log p(x)."""

import dataclasses
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers import conversion
from tfvae.models import VAE

tfd = tfp.distributions


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
    model: VAE,
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
    dataset: batches of x.
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
      lambda x, n, seed: _log_weights(model, x, n, seed), jit_compile=True)
  bounds = []
  for index, x in enumerate(dataset):
    total = np.full(len(x), -np.inf)  # log Σ_k w_k
    for start in range(0, num_samples, chunk_size):
      n = min(chunk_size, num_samples - start)
      chunk = log_weights(
          x, n, tf.constant([seed, index * num_samples + start]))
      total = np.logaddexp(
          total, np.logaddexp.reduce(np.float64(chunk.numpy()), axis=0))
    bounds.append(math.log(num_samples) - total)
  return Estimate(np.concatenate(bounds))


def _log_weights(model: VAE, x: tf.Tensor, n: int, seed: tf.Tensor):
  """Returns log w of n draws for each example, `[n, b]`."""
  with conversion.convert_with(tfd.Distribution.mean):
    posterior = model.encoder(x, training=False)
  z = posterior.sample(n, seed=seed)  # [n, b, latent_size]
  likelihood = model.decoder(
      tf.reshape(z, [-1, z.shape[-1]]), training=False)
  copies = tf.repeat(x[tf.newaxis], n, axis=0)
  x_rows = tf.reshape(copies, tf.concat([[-1], tf.shape(x)[1:]], axis=0))
  log_likelihood = tf.reshape(likelihood.log_prob(x_rows), [n, -1])
  # log w = log p(x|z) + log p(z) − log q(z|x)
  return (log_likelihood + model.prior_distribution().log_prob(z)
          - posterior.log_prob(z))
