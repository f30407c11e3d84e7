"""The posterior predictive p(x_mis|x_obs), by importance sampling from q."""

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import losses
from tfvae.inference import batches
from tfvae.inference.inference import Draw
from tfvae.inference.latent_variable_model import LatentVariableModel

tfd = tfp.distributions


@dataclasses.dataclass(frozen=True)
class PosteriorPredictive:
  """Mixture Σ_k w̃_k p(x|z_k) of K draws z_k ~ q(z|x_obs).

    w_k = p(x_obs|z_k) p(z_k) / q(z_k|x_obs),  w̃_k = w_k / Σ_i w_i,

  so that E[f(x_mis)|x_obs] ≈ Σ_k w̃_k E[f(x_mis)|z_k]: self-normalized
  importance sampling; Mattei and Frellsen, MIWAE, 2019, section 3.

  Attributes:
    x: Batch of x, NaN where a value is missing, `[b, *event_shape]`.
    weights: Values of w̃_k, which add up to 1 over k, `[b, K]`.
    likelihood: Distributions p(x|z_k), batch shape `[b K]`, those of an example
      one after the other.
  """

  x: tf.Tensor
  weights: tf.Tensor
  likelihood: tfd.Distribution

  @property
  def effective_sample_size(self) -> tf.Tensor:
    """1 / Σ_k w̃_k², from 1 to K, `[b]`; Kong, 1992."""
    return 1.0 / tf.reduce_sum(tf.square(self.weights), axis=1)

  def mean(self) -> tf.Tensor:
    """Returns E[x|x_obs], the most probable code of a category; x if observed.

    Returns:
      A tensor `[b, *event_shape]`.
    """
    if hasattr(self.likelihood, 'mixture_mean'):
      mean = self.likelihood.mixture_mean(self.weights)
    else:
      mean = tf.einsum('bk,bk...->b...', self.weights,
                       self.by_draw(self.likelihood.mean()))
    return self.completed(mean)

  def log_prob_of_elements(self, x: tf.Tensor) -> tf.Tensor:
    """Returns log p(x_d|x_obs) = log Σ_k w̃_k p(x_d|z_k) of each element.

    Args:
      x: Values, `[b, *event_shape]`, such as those that are missing.

    Returns:
      A tensor in nats, `[b, *event_shape]`.
    """
    k = self.weights.shape[1]
    nats = self.by_draw(self.likelihood.log_prob_of_elements(
        tf.repeat(x, k, axis=0)))
    log_weights = tf.reshape(tf.math.log(self.weights), tf.concat(
        [tf.shape(self.weights), tf.ones([tf.rank(x) - 1], tf.int32)], axis=0))
    return tf.reduce_logsumexp(nats + log_weights, axis=1)

  def draws(self, draw: Draw) -> tf.Tensor:
    """Returns a draw x_k ~ p(x|z_k) for each k, `[b, K, *event_shape]`.

    Args:
      draw: Function from p(x|z) to a draw, such as `layers.SeededSample`.
    """
    return self.by_draw(draw(self.likelihood))

  def quantiles(self, draws: tf.Tensor, levels: Any) -> tf.Tensor:
    """Returns quantiles of the weighted draws; x where it is observed.

    The quantile of p is the smallest draw whose cumulative weight is at least
    p. Categories without an order have none; theirs is the most probable one.

    Args:
      draws: Result of `draws`.
      levels: Probabilities, q of them.

    Returns:
      A tensor `[q, b, *event_shape]`.
    """
    # [b, K, …] to [b, D, K].
    size, k = tf.shape(draws)[0], draws.shape[1]
    values = tf.transpose(tf.reshape(draws, [size, k, -1]), [0, 2, 1])
    order = tf.argsort(values, axis=-1)
    values = tf.gather(values, order, batch_dims=2)
    below = tf.cumsum(tf.gather(
        tf.broadcast_to(self.weights[:, tf.newaxis], tf.shape(values)),
        order, batch_dims=2), axis=-1)
    found = []
    for level in levels:
      # Rounding may leave the sum of all weights below the level.
      index = tf.minimum(tf.reduce_sum(
          tf.cast(below < level, tf.int32), axis=-1), k - 1)
      found.append(self.completed(tf.reshape(
          tf.gather(values, index, batch_dims=2), tf.shape(self.x))))
    is_unordered = getattr(self.likelihood, 'is_unordered', False)
    return tf.where(is_unordered, self.mean(), tf.stack(found)) if np.any(
        is_unordered) else tf.stack(found)

  def resampled(self, draws: tf.Tensor, num: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns draws of p(x_mis|x_obs): sampling-importance resampling.

    Rubin, Using the SIR Algorithm to Simulate Posterior Distributions, 1988.

    Args:
      draws: Result of `draws`.
      num: Number of draws, with replacement.
      seed: Stateless seed, int tensor `[2]`.

    Returns:
      A tensor `[num, b, *event_shape]`; x where it is observed.
    """
    # The algorithm of `tf.random.stateless_categorical` depends on the device.
    uniform = tf.random.stateless_uniform(
        [tf.shape(self.weights)[0], num], seed, alg='philox')
    chosen = tf.minimum(tf.searchsorted(
        tf.cumsum(self.weights, axis=1), uniform, side='right'),
                        self.weights.shape[1] - 1)
    parts = tf.gather(draws, chosen, batch_dims=1)
    return self.completed(tf.stack(tf.unstack(parts, num, axis=1)))

  def by_draw(self, values: tf.Tensor) -> tf.Tensor:
    """Returns `[b K, …]` as `[b, K, …]`."""
    return tf.reshape(values, tf.concat(
        [tf.shape(self.weights), tf.shape(values)[1:]], axis=0))

  def completed(self, values: tf.Tensor) -> tf.Tensor:
    """Returns x, with values where it is missing, `[…, b, *event_shape]`."""
    return tf.where(tf.math.is_nan(self.x), values, self.x)


def posterior_predictive(model: LatentVariableModel, inputs: Any,
                         draw: Draw) -> PosteriorPredictive:
  """Returns p(x|x_obs) as a mixture over draws of z.

  Where the graph infers the label, and it is missing, the mixture has draws for
  each class c, with the weights of p(c, z|x_obs).

  Args:
    model: Model whose x may have missing values.
    inputs: Batch of x, NaN where a value is missing, or a dictionary; see
      `LatentVariableModel`.
    draw: Function from a posterior to K draws, such as
      `layers.SeededSample(seed, num_samples=K)`.
  """
  inference = model.infer_classes(inputs, draw)
  log_ratio = inference.log_ratio()
  if inference.classes is not None:
    log_ratio = tf.where(
        inference.classes.is_allowed, log_ratio, -float('inf'))
  # [K, b, size], or [classes, K, b, size], to [b K, size]
  k = math.prod(log_ratio.shape[:-1])

  def by_example(z):
    # A latent that does not depend on the class has no dimension of classes.
    z = tf.broadcast_to(z, [*log_ratio.shape[:-1], tf.shape(z)[-2],
                            z.shape[-1]])
    return tf.reshape(tf.transpose(
        tf.reshape(z, [k, -1, z.shape[-1]]), [1, 0, 2]), [-1, z.shape[-1]])

  latents = {name: by_example(z) for name, z in inference.latents.items()}
  repeated = {name: tf.repeat(value, k, axis=0)
              for name, value in batches.observed(inputs).items()}
  x = repeated['x']
  likelihood = model.decode(latents, repeated if 'y' in repeated else x)
  likelihood = getattr(likelihood, 'tensor_distribution', likelihood)
  log_weights = tf.reshape(
      losses.log_likelihood(x, likelihood), [-1, k]) + tf.transpose(
          tf.reshape(log_ratio, [k, -1]))
  return PosteriorPredictive(
      tf.cast(batches.observed(inputs)['x'], tf.float32),
      tf.nn.softmax(log_weights, axis=1), likelihood)
