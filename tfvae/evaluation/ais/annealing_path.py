"""The annealing path: densities from a start distribution to p(x, z)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import autograph
from tfvae.inference import unpack_batch
from tfvae.layers import SeededSample
from tfvae.models import LatentVariableModel

STARTS = ('prior', 'posterior')

# Draws from which the widths of both ends are estimated.
_WIDTH_DRAWS = 64


class AnnealingPath:
  """The densities f_β(z) ∝ p₀(z)^(1−β) p(x, z)^β for each example of a batch.

  p₀ is p(z) or q(z|x). All latents are concatenated into one vector z,
  `[..., b, size]`. The densities are traced once for all their uses in a graph.
  """

  def __init__(self, model: LatentVariableModel, inputs: Any, start: str,
               seed: tf.Tensor):
    """Initializes the path, and estimates the widths of both ends from draws.

    Args:
      model: Model of p(x, z), the end of the path.
      inputs: Batch as `fit` takes it: x, a dictionary of 'x' and 'y', or a pair
        with a target, which is then the x of p(x, z). Where the graph infers
        the label, y is complete, and the end of the path is p(x, y, z).
      start: Start of the path p₀, one of `STARTS`.
      seed: Int tensor `[2]`, the seed of those draws.
    """
    inputs, self._x = unpack_batch(inputs)
    self._model, self._inputs, self._start = model, inputs, start
    seeds = tfp.random.split_seed(seed, n=2)
    latents = model.infer(inputs, SeededSample(seeds[0], _WIDTH_DRAWS)).latents
    self._sizes = {name: z.shape[-1] for name, z in latents.items()}
    # Precisions, `[b, size]`; q(z|x) stands for p(z|x).
    self._start_precision, self._end_precision = [
        1 / tf.math.reduce_variance(z, axis=0)
        for z in (self.sample_start(_WIDTH_DRAWS, seeds[1]),
                  self.flatten(latents))]
    self._traced_parts = autograph.function(self._log_prob_parts)

  def flatten(self, latents: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns the latents by name as one z, `[..., b, size]`."""
    return tf.concat([latents[name] for name in self._sizes], axis=-1)

  def sample_start(self, num_draws: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns draws of p₀, `[num_draws, b, size]`."""
    if self._start == 'posterior':
      return self.flatten(self._model.infer(
          self._inputs, SeededSample(seed, num_draws)).latents)
    batch_size = self._x.shape[0]
    copies = tf.nest.map_structure(
        lambda rows: tf.concat([rows] * num_draws, axis=0), self._inputs)
    z = self.flatten(
        self._model.sample_prior(num_draws * batch_size, seed, copies))
    return tf.reshape(z, [num_draws, batch_size, z.shape[-1]])

  def log_prob_parts(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns log p₀(z) and log p(x, z) − log p₀(z).

    Args:
      z: `[*sample_shape, b, size]`.

    Returns:
      Tensors `[*sample_shape, b]`, in nats. With β times the second, the first
      is log f_β(z), up to its normalizer.
    """
    return self._traced_parts(z)

  def _log_prob_parts(self, z):
    parts = tf.split(z, list(self._sizes.values()), axis=-1)
    latents = dict(zip(self._sizes, parts, strict=True))
    log_prior = self._model.log_prior(latents, self._inputs)
    log_likelihood = self._model.log_likelihood(
        latents, self._x, self._inputs) + self._model.log_label(
            latents, self._inputs)
    if self._start == 'prior':
      return log_prior, log_likelihood
    log_posterior = self._model.log_posterior(latents, self._inputs)
    return log_posterior, log_prior + log_likelihood - log_posterior

  def width(self, beta: tf.Tensor) -> tf.Tensor:
    """Returns the width of f_β along each dimension of z, `[b, size]`.

    It is the standard deviation that f_β would have if both ends were Gaussian
    with independent dimensions and the last one were q(z|x), since precisions
    mix as log-densities do.
    """
    return tf.math.rsqrt(
        (1 - beta) * self._start_precision + beta * self._end_precision)


def schedule(num_steps: int) -> np.ndarray:
  """Returns the inverse temperatures β₀ = 0, …, β_T = 1, dense at both ends.

    β_t = (σ(s_t) − σ(−4)) / (σ(4) − σ(−4)),  s_t = 4 (2t/T − 1),

  with σ the logistic function; Wu, Burda, Salakhutdinov and Grosse, On the
  Quantitative Analysis of Decoder-Based Generative Models, 2017.

  Args:
    num_steps: Number of steps T.

  Returns:
    A float64 array `[num_steps + 1]`.
  """
  sigmoid = 1 / (1 + np.exp(-4 * np.linspace(-1, 1, num_steps + 1)))
  return (sigmoid - sigmoid[0]) / (sigmoid[-1] - sigmoid[0])
