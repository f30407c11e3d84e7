"""The best posterior of each example, found by optimization.

The search adds an offset to the unconstrained parameters of a posterior, μ and
log σ. An offset of zero is the encoder's posterior, so the search space
contains it; with a single latent it contains all Gaussians of the same kind.
"""

from collections.abc import Callable
import functools
import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.inference import unpack_batch
from tfvae.layers import SeededSample
from tfvae.models import LatentVariableModel

tfb = tfp.bijectors
tfd = tfp.distributions

# Adam's decay rates. The second is below the usual 0.999, since a cold start's
# first gradients are large and must be forgotten within the search.
_BETA_1, _BETA_2 = 0.9, 0.99

# From unconstrained numbers to L of Σ = L Lᵀ; the diagonal has log L_dd.
_SCALE_TRIL = tfb.FillScaleTriL(diag_bijector=tfb.Exp(), diag_shift=None)

fold_in = functools.partial(
    tf.random.experimental.stateless_fold_in, alg='philox')


class PerDatumInference:
  """Maximizes the ELBO of each example over the posterior's parameters.

    δ*(x) = argmax_δ E_q[log p(x, z) − log q(z|x; δ)],
    q(z|x; δ) = N(z; μ + δ_μ, diag σ² exp(2 δ_σ)),

  by Adam, for all examples of a batch together, with a learning rate that falls
  to zero along a cosine. The gradient omits the score of q, whose mean is zero,
  so that its variance vanishes where q is the exact posterior (Roeder, Wu and
  Duvenaud, Sticking the Landing, 2017). For a posterior of full covariance, δ
  is added to μ and to the Cholesky factor. For a latent with latent parents in
  q, it is added to the parameters of the encoder's factor.

  Attributes:
    encode: Function from inputs to the parameters of q(z|x), `[b, p]`; those of
      a latent with latent parents are at the means of its parents.
    cold_start: Function from inputs to the δ that makes q the standard normal,
      `[b, p]`; where latents have latent parents, with the parents at zero.
    optimize: Function from inputs, the initial δ, and tensors of the number of
      steps and of a key `[2]` to δ*, `[b, p]`.
    elbo: Function from inputs, δ, and tensors of the number of draws and of a
      key to the mean over the draws of log p(x, z) − log q(z|x; δ), in nats,
      float64 `[b]`. It makes one draw at a time.
  """

  def __init__(self, model: LatentVariableModel, draws_per_step: int = 10,
               learning_rate: float = 0.05, jit_compile: bool = True):
    """Initializes the search.

    Args:
      model: Trained model whose posteriors are Gaussian.
      draws_per_step: Draws of z for each example in a gradient.
      learning_rate: Learning rate of the first step, in units of z and of
        log σ.
      jit_compile: Whether XLA compiles the functions.
    """
    self._model = model
    self._draws_per_step = draws_per_step
    self._learning_rate = learning_rate
    function = functools.partial(tf.function, jit_compile=jit_compile)
    self.encode = function(lambda inputs: self._parameters(
        inputs, tfd.Distribution.mean))
    self.cold_start = function(lambda inputs: -self._parameters(
        inputs, lambda posterior: tf.zeros_like(posterior.mean())))
    self.optimize = function(self._optimize)
    self.elbo = function(self._elbo)

  def _parameters(self, inputs: Any, draw) -> tf.Tensor:
    found = []

    def record(posterior):
      found.append(_unconstrained(posterior))
      return draw(posterior)

    self._model.infer(unpack_batch(inputs)[0], record)
    return tf.concat(found, axis=-1)

  def _log_ratio(self, inputs: Any) -> Callable[..., tf.Tensor]:
    """Returns the function (δ, key, n) -> log p(x, z) − log q, `[n, b]`."""
    inputs, x = unpack_batch(inputs)
    posteriors = self._model.infer(inputs, tfd.Distribution.mean).posteriors

    def log_ratio(offset, key, n=None):
      draw = _MovedDraw(offset, SeededSample(key, n))
      # A single posterior is the same at every step: the encoder need not run.
      latents = (self._model.infer(inputs, draw).latents
                 if len(posteriors) > 1
                 else {name: draw(q) for name, q in posteriors.items()})
      return (self._model.log_likelihood(latents, x, inputs)
              + self._model.log_prior(latents, inputs)
              + self._model.log_label(latents, inputs) - draw.log_density)

    return log_ratio

  def _elbo(self, inputs, offset, num_samples, key):
    log_ratio = self._log_ratio(inputs)
    total = tf.while_loop(
        lambda k, _: k < num_samples,
        lambda k, total: (k + 1, total + tf.cast(
            log_ratio(offset, fold_in(key, k)), tf.float64)),
        (0, tf.zeros_like(offset[:, 0], tf.float64)),
        parallel_iterations=1)[1]  # Parallel ones would need more memory.
    return total / tf.cast(num_samples, tf.float64)

  def _optimize(self, inputs, offset, num_steps, key):
    log_ratio = self._log_ratio(inputs)
    number = functools.partial(tf.cast, dtype=offset.dtype)

    def step(t, offset, first, second):
      with tf.GradientTape() as tape:
        tape.watch(offset)
        elbos = log_ratio(offset, fold_in(key, t), self._draws_per_step)
        loss = -tf.reduce_sum(tf.reduce_mean(elbos, axis=0))
      gradient = tape.gradient(loss, offset)
      first = _BETA_1 * first + (1 - _BETA_1) * gradient
      second = _BETA_2 * second + (1 - _BETA_2) * gradient**2
      mean = first / (1 - _BETA_1**number(t + 1))
      scale = tf.sqrt(second / (1 - _BETA_2**number(t + 1))) + 1e-8
      # η_t = ½ η (1 + cos(π t / T))
      rate = 0.5 * self._learning_rate * (
          1 + tf.cos(math.pi * number(t) / number(num_steps)))
      return t + 1, offset - rate * mean / scale, first, second

    zeros = tf.zeros_like(offset)
    return tf.while_loop(lambda t, *_: t < num_steps, step,
                         (0, offset, zeros, zeros), parallel_iterations=1)[1]


class _MovedDraw:
  """Draw from each posterior in turn, with its part of the offset added.

  Attributes:
    log_density: Sum of log q(z|x; δ) of the draws so far, `[*sample_shape, b]`;
      its gradient with respect to δ is that through the draws alone.
  """

  def __init__(self, offset: tf.Tensor, draw: SeededSample):
    self.log_density = 0.0
    self._offset, self._draw = offset, draw

  def __call__(self, posterior: tfd.Distribution) -> tf.Tensor:
    size = _unconstrained(posterior).shape[-1]
    offset, self._offset = self._offset[:, :size], self._offset[:, size:]
    z = self._draw(_moved(posterior, offset))
    self.log_density += _moved(
        posterior, tf.stop_gradient(offset)).log_prob(z)
    return z


def is_movable(kind: type) -> bool:
  """Returns whether a class of posteriors has parameters to optimize."""
  return issubclass(
      kind, tfd.MultivariateNormalDiag | tfd.MultivariateNormalTriL)


def _unconstrained(posterior: tfd.Distribution) -> tf.Tensor:
  """Returns μ and log σ, or μ and L's, `[..., p]`; zeros for N(0, I)."""
  if isinstance(posterior, tfd.MultivariateNormalDiag):
    scale = tf.math.log(posterior.stddev())
  elif isinstance(posterior, tfd.MultivariateNormalTriL):
    scale = _SCALE_TRIL.inverse(posterior.scale.to_dense())
  else:
    raise ValueError(
        'The inference gaps need Gaussian posteriors, '
        'tfd.MultivariateNormalDiag or tfd.MultivariateNormalTriL; for others '
        'compare the ELBO with log p(x). Received: '
        f'posterior={posterior}')
  return tf.concat([posterior.mean(), scale], axis=-1)


def _moved(posterior: tfd.Distribution, offset: tf.Tensor) -> tfd.Distribution:
  """Returns the posterior with δ added to its unconstrained parameters."""
  size = posterior.event_shape[0]
  loc, scale = tf.split(
      _unconstrained(posterior) + offset,
      [size, offset.shape[-1] - size], axis=-1)
  if isinstance(posterior, tfd.MultivariateNormalDiag):
    return posterior.copy(loc=loc, scale_diag=tf.exp(scale))
  return posterior.copy(loc=loc, scale_tril=_SCALE_TRIL.forward(scale))
