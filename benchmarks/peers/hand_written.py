"""The limit: a training loop by hand, with a whole epoch in one function.

It has no Keras, metrics, callbacks or input pipeline. The images are one uint8
tensor, and a `tf.while_loop` over the steps gathers, binarizes, computes the
gradient and updates with Adam. XLA compiles it, or it is a plain graph, which
is faster for convolutions on a CPU. It drops the last partial batch of an
epoch.
"""

from collections.abc import Callable
import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.peers import mnist
from benchmarks.peers.score import score
from benchmarks.peers.watch import Watch

_LEARNING_RATE, _BETA_1, _BETA_2, _EPSILON = 1e-3, 0.9, 0.999, 1e-7

Tensors = list[tf.Tensor]


class Networks(NamedTuple):
  """Encoder and decoder as functions of pairs of kernels and biases.

  Attributes:
    shapes: Shapes of the kernels, and the lengths of their biases.
    encode: Function from pairs and x to the parameters of q(z|x), `[b, 2 d]`.
    decode: Function from pairs and z to the logits of p(x|z), `[b, pixels]`.
    pixels: Number of pixels of x.
    latents: Length of z.
  """

  shapes: list[tuple[list[int], int]]
  encode: Callable[[list[Tensors], tf.Tensor], tf.Tensor]
  decode: Callable[[list[Tensors], tf.Tensor], tf.Tensor]
  pixels: int = 784
  latents: int = 50


def train(case: dict[str, Any], form: str, watch: Watch) -> dict[str, float]:
  """Trains the peer and returns its scores; see `process`."""
  networks = _conv() if case['model'] == 'conv' else _mlp(
      mnist.num_pixels(case), mnist.latent_size(case))
  images = mnist.training_images(case)
  weights = _initial_weights(networks.shapes)
  state = [tf.Variable(value) for value in (
      *weights, *(np.zeros_like(w) for w in 2 * weights))]
  steps = len(images) // case['batch_size']
  epoch = make_epoch(
      networks, tf.constant(images.reshape(len(images), -1)), state,
      case['batch_size'], case['importance_samples'], form == 'xla')
  for index in range(case['epochs']):
    with watch.epoch(steps * case['batch_size']):
      order = tf.random.experimental.stateless_shuffle(
          tf.range(len(images)), seed=[0, index], alg='philox')
      float(epoch(order, tf.constant(index * steps)))
    watch.step_done()  # The first result is that of an epoch.
  watch.training_done()
  if not case.get('scored', True):
    return {}
  return _score(networks, _pairs(state[:len(weights)]), case)


def make_epoch(networks: Networks, images: tf.Tensor, state: list[tf.Variable],
               batch_size: int, num_samples: int,
               jit_compile: bool) -> Callable[..., tf.Tensor]:
  """Returns a function that trains for one epoch.

  Args:
    networks: Networks to train.
    images: Images, uint8 `[n, pixels]`.
    state: Weights, followed by the first and the second moments of Adam.
    batch_size: Images per step.
    num_samples: K; 1 is the ELBO with its KL in closed form, larger values are
      the importance-weighted bound.
    jit_compile: Whether XLA compiles the function.

  Returns:
    A function of the order of the images and the number of earlier steps that
    returns the mean loss.
  """
  steps, third = images.shape[0] // batch_size, len(state) // 3

  @tf.function(jit_compile=jit_compile, autograph=False)
  def epoch(order, steps_before):
    def step(index, total, values):
      count = steps_before + index
      chosen = tf.slice(order, [index * batch_size], [batch_size])
      x = _binary(tf.gather(images, chosen), tf.stack([1, count]))
      weights = values[:third]
      with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = _loss(networks, _pairs(weights), x, num_samples,
                     tf.stack([2, count]))
      return index + 1, total + loss, _adam(
          values, tape.gradient(loss, weights), tf.cast(count + 1, tf.float32))

    _, total, values = tf.while_loop(
        lambda index, *_: index < steps, step,
        (0, 0.0, [variable.read_value() for variable in state]))
    for variable, value in zip(state, values, strict=True):
      variable.assign(value)
    return total / steps

  return epoch


def _loss(networks, pairs, x, num_samples, seed) -> tf.Tensor:
  """Returns the mean of −ELBO, or of −L_K, in nats."""
  loc, log_variance = tf.split(networks.encode(pairs, x), 2, axis=-1)
  noise = tf.random.stateless_normal(
      [num_samples, x.shape[0], networks.latents], seed, alg='philox')
  z = loc + tf.exp(0.5 * log_variance) * noise
  logits = tf.reshape(
      networks.decode(pairs, tf.reshape(z, [-1, networks.latents])),
      [num_samples, x.shape[0], networks.pixels])
  # log p(x|z) = Σ x l − log(1 + eˡ)
  likelihood = tf.reduce_sum(x * logits - _softplus(logits), axis=-1)
  if num_samples == 1:
    kl = 0.5 * tf.reduce_sum(
        loc**2 + tf.exp(log_variance) - 1 - log_variance, axis=-1)
    return tf.reduce_mean(kl - likelihood)
  # log w = log p(x|z) + log p(z) − log q(z|x); ½ log 2π cancels.
  log_weights = likelihood + 0.5 * tf.reduce_sum(
      log_variance + noise**2 - z**2, axis=-1)
  return math.log(num_samples) - tf.reduce_mean(
      tf.reduce_logsumexp(log_weights, axis=0))


def _adam(values: Tensors, gradients: Tensors, count: tf.Tensor) -> Tensors:
  """Returns weights and moments after a step of Adam."""
  third = len(values) // 3
  weights, firsts, seconds = (
      values[start:start + third] for start in (0, third, 2 * third))
  rate = (_LEARNING_RATE * tf.sqrt(1 - tf.pow(_BETA_2, count))
          / (1 - tf.pow(_BETA_1, count)))
  firsts = [_BETA_1 * m + (1 - _BETA_1) * g
            for m, g in zip(firsts, gradients, strict=True)]
  seconds = [_BETA_2 * v + (1 - _BETA_2) * g * g
             for v, g in zip(seconds, gradients, strict=True)]
  return [w - rate * m / (tf.sqrt(v) + _EPSILON) for w, m, v in zip(
      weights, firsts, seconds, strict=True)] + firsts + seconds


@tf.custom_gradient
def _softplus(x):
  """Returns log(1 + eˣ) in a form that XLA compiles to a faster loop."""
  return (tf.nn.relu(x) + tf.math.log(1 + tf.exp(-tf.abs(x))),
          lambda upstream: upstream * tf.sigmoid(x))


def _binary(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Draws x ~ Bernoulli(image / 255) from 16 random bits per pixel."""
  words = tf.random.stateless_uniform(
      [tf.size(images) // 4, 2], seed, minval=None, maxval=None,
      dtype=tf.uint64, alg='philox')[:, 0]
  # Divides by one, so that XLA computes a word of four pixels only once.
  words //= tf.cast(tf.bitwise.bitwise_or(seed[1], 1) != 0, tf.uint64)
  noise = tf.reshape(tf.bitcast(words, tf.uint16), images.shape)
  return tf.cast(tf.cast(noise, tf.float32) * (255 / 65536)
                 < tf.cast(images, tf.float32), tf.float32)


def _mlp(pixels: int, latents: int) -> Networks:
  """Returns pixels-200-200-latents and its mirror, tanh."""
  def perceptron(pairs, h):
    *hidden, (kernel, bias) = pairs
    for w, b in hidden:
      h = tf.tanh(h @ w + b)
    return h @ kernel + bias

  return Networks(
      [(shape, shape[-1]) for shape in (
          [pixels, 200], [200, 200], [200, 2 * latents],
          [latents, 200], [200, 200], [200, pixels])],
      lambda pairs, x: perceptron(pairs[:3], x),
      lambda pairs, z: perceptron(pairs[3:], z), pixels, latents)


def _conv() -> Networks:
  """Returns the convolutions of `configs/mnist_conv.flags`, ReLU."""
  def encode(pairs, x):
    h = tf.reshape(x, [-1, 28, 28, 1])
    for w, b in pairs[:2]:
      h = tf.nn.relu(tf.nn.conv2d(h, w, 2, 'SAME') + b)
    w, b = pairs[2]
    return tf.reshape(h, [-1, 7 * 7 * 64]) @ w + b

  def decode(pairs, z):
    (w, b), *transposed, (kernel, bias) = pairs[3:]
    h = tf.reshape(tf.nn.relu(z @ w + b), [-1, 7, 7, 64])
    for w, b in transposed:
      size = 2 * h.shape[1]
      h = tf.nn.relu(tf.nn.conv2d_transpose(
          h, w, [z.shape[0], size, size, w.shape[2]], 2, 'SAME') + b)
    h = tf.nn.conv2d(h, kernel, 1, 'SAME') + bias
    return tf.reshape(h, [-1, 784])

  return Networks(
      [([3, 3, 1, 32], 32), ([3, 3, 32, 64], 64),
       ([7 * 7 * 64, 100], 100), ([50, 7 * 7 * 64], 7 * 7 * 64),
       # The kernel of a transposed convolution has outputs before inputs.
       ([3, 3, 64, 64], 64), ([3, 3, 32, 64], 32), ([3, 3, 32, 1], 1)],
      encode, decode)


def _initial_weights(
    shapes: list[tuple[list[int], int]]) -> list[np.ndarray]:
  """Returns Glorot uniform kernels and zero biases, the defaults of Keras."""
  rng, weights = np.random.default_rng(0), []
  for shape, size in shapes:
    limit = math.sqrt(6 / (math.prod(shape[:-2]) * sum(shape[-2:])))
    weights += [np.float32(rng.uniform(-limit, limit, shape)),
                np.zeros(size, np.float32)]
  return weights


def _pairs(weights: Tensors) -> list[Tensors]:
  return [weights[i:i + 2] for i in range(0, len(weights), 2)]


def _score(networks, pairs, case) -> dict[str, float]:
  def posterior(x):
    loc, log_variance = tf.split(
        networks.encode(pairs, tf.reshape(x, [len(x), -1])), 2, axis=-1)
    return loc, tf.exp(0.5 * log_variance)

  return score(mnist.binary_test_images(case), posterior,
               lambda z: networks.decode(pairs, tf.constant(z)),
               case['importance_samples'])
