"""The best posterior of each example, found by optimization.

The search adds an offset to the unconstrained parameters of a posterior; see
`tfvae.inference.moved_posteriors`.
"""

import functools

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import autograph
from tfvae.inference import unpack_batch
from tfvae.inference.moved_posteriors import log_ratio
from tfvae.inference.moved_posteriors import parameters
from tfvae.inference.refinement import ascend
from tfvae.layers import SeededSample
from tfvae.models import LatentVariableModel

tfd = tfp.distributions

# Adam's decay rates. The second is below the usual 0.999, since a cold start's
# first gradients are large and must be forgotten within the search.
_BETA_1, _BETA_2 = 0.9, 0.99

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
    function = functools.partial(autograph.function, jit_compile=jit_compile)
    self.encode = function(lambda inputs: parameters(
        model, unpack_batch(inputs)[0], tfd.Distribution.mean))
    self.cold_start = function(lambda inputs: -parameters(
        model, unpack_batch(inputs)[0],
        lambda posterior: tf.zeros_like(posterior.mean())))
    self.optimize = function(self._optimize)
    self.elbo = function(self._elbo)

  def _elbo(self, inputs, offset, num_samples, key):
    elbos = log_ratio(self._model, *unpack_batch(inputs))
    total = tf.while_loop(
        lambda k, _: k < num_samples,
        lambda k, total: (k + 1, total + tf.cast(
            elbos(offset, SeededSample(fold_in(key, k))), tf.float64)),
        (0, tf.zeros_like(offset[:, 0], tf.float64)),
        parallel_iterations=1)[1]  # Parallel ones would need more memory.
    return total / tf.cast(num_samples, tf.float64)

  def _optimize(self, inputs, offset, num_steps, key):
    elbos = log_ratio(self._model, *unpack_batch(inputs))
    zeros = tf.zeros_like(offset)
    return ascend(
        lambda offset, t: elbos(offset, SeededSample(
            fold_in(key, t), self._draws_per_step)),
        offset, num_steps, self._learning_rate, _adam, (zeros, zeros))


def _adam(t, rate, offset, gradient, moments):
  """Returns the step of Adam, and the moments of the gradients after it."""
  first, second = moments
  first = _BETA_1 * first + (1 - _BETA_1) * gradient
  second = _BETA_2 * second + (1 - _BETA_2) * gradient**2
  number = tf.cast(t + 1, offset.dtype)
  mean = first / (1 - _BETA_1**number)
  scale = tf.sqrt(second / (1 - _BETA_2**number)) + 1e-8
  return rate * mean / scale, (first, second)
