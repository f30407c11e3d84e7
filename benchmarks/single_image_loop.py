"""The importance-weighted NLL as a Python loop over single images."""

from collections.abc import Callable
import math

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import VAE

# By name: the compiler of a chunk; the draws per chunk; whether each draw
# encodes the image again. pythae's `get_nll` takes 100 draws and encodes for
# each.
FORMS = {
    'loop, eager, as pythae': (lambda chunk: chunk, 100, True),
    'loop, tf.function, as pythae': (tf.function, 100, True),
    'loop, XLA, as pythae': (
        lambda chunk: tf.function(chunk, jit_compile=True), 100, True),
    'loop, tf.function, encoded once': (tf.function, 1000, False),
}


def log_evidence_fn(
    model: VAE,
    num_samples: int,
    compiler: Callable,
    chunk_size: int,
    encodes_every_draw: bool,
) -> Callable[[np.ndarray, int], np.ndarray]:
  """Returns a function that estimates log p(x), one image at a time.

  Args:
    model: VAE with a standard normal prior, binary x and a normal posterior.
    num_samples: K, a multiple of `chunk_size`.
    compiler: Function that compiles a function.
    chunk_size: Number of draws decoded at a time.
    encodes_every_draw: Whether q(z|x) is computed again for every draw.

  Returns:
    A function of images `[n, 28, 28, 1]` and a seed that returns `[n]`, in
    nats.
  """
  encoder, decoder = (  # Without their distributions.
      tf_keras.Model(part.inputs, part.layers[-2].output)
      for part in (model.encoder, model.decoder))

  @compiler
  def log_weights(x, seed):
    copies = tf.repeat(x, chunk_size, axis=0) if encodes_every_draw else x
    loc, log_variance = tf.split(encoder(copies), 2, axis=-1)
    noise = tf.random.stateless_normal(
        [chunk_size, loc.shape[-1]], seed, alg='philox')
    z = loc + tf.exp(0.5 * log_variance) * noise
    logits = decoder(z)
    pixels = tf.broadcast_to(tf.reshape(x, [1, -1]), tf.shape(logits))
    # log w = log p(x|z) + log p(z) − log q(z|x); ½ log 2π cancels.
    return (
        0.5 * tf.reduce_sum(log_variance + noise**2 - z**2, axis=-1)
        - tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(
            labels=pixels, logits=logits), axis=-1))

  def run(images, seed):
    values = []
    for index, image in enumerate(images):
      x = tf.constant(image[np.newaxis])
      log_w = tf.concat([
          log_weights(x, tf.constant([seed, index * num_samples + part]))
          for part in range(num_samples // chunk_size)], axis=0)
      values.append(float(tf.reduce_logsumexp(log_w)) - math.log(num_samples))
    return np.array(values)

  return run
