"""The variational autoencoder of keras.io's examples, on Keras 3.

https://keras.io/examples/generative/vae: a `Sampling` layer, and a `Model` with
its own `train_step`. Two things differ from the example: the widths, and the
binary batches, where the example trains on gray pixels.
"""

from typing import Any

import keras
from keras import layers
from keras import ops
import tensorflow as tf

from benchmarks.peers import mnist
from benchmarks.peers.score import score
from benchmarks.peers.tuned_batches import tuned_batches
from benchmarks.peers.watch import Watch
from benchmarks.peers.watch import watched_fit

# Arguments of `compile` by form. By default, Keras 3 compiles with XLA.
_FORMS = {
    'as written': {},
    'graph, 50 steps': {'jit_compile': False, 'steps_per_execution': 50},
    'XLA, 50 steps': {'jit_compile': True, 'steps_per_execution': 50},
}


class Sampling(layers.Layer):
  """Layer that draws z from its mean and log variance."""

  def __init__(self, **kwargs):
    super().__init__(**kwargs)
    self.seed_generator = keras.random.SeedGenerator(1337)

  def call(self, inputs):
    """Returns z, `[b, d]`."""
    z_mean, z_log_var = inputs
    epsilon = keras.random.normal(
        shape=ops.shape(z_mean), seed=self.seed_generator)
    return z_mean + ops.exp(0.5 * z_log_var) * epsilon


class VAE(keras.Model):
  """Model with a custom training step."""

  def __init__(self, encoder, decoder, **kwargs):
    super().__init__(**kwargs)
    self.encoder, self.decoder = encoder, decoder
    self._trackers = [keras.metrics.Mean(name=name) for name in (
        'total_loss', 'reconstruction_loss', 'kl_loss')]

  @property
  def metrics(self):
    """Means that Keras resets at the start of an epoch."""
    return self._trackers

  def train_step(self, data):
    """Takes a gradient step."""
    with tf.GradientTape() as tape:
      z_mean, z_log_var, z = self.encoder(data)
      reconstruction = ops.mean(ops.sum(
          keras.losses.binary_crossentropy(data, self.decoder(z)),
          axis=(1, 2)))
      kl = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
      kl = ops.mean(ops.sum(kl, axis=1))
      loss = reconstruction + kl
    weights = self.trainable_weights
    gradients = tape.gradient(loss, weights)
    self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
    for tracker, value in zip(
        self._trackers, (loss, reconstruction, kl), strict=True):
      tracker.update_state(value)
    return {tracker.name: tracker.result() for tracker in self._trackers}


def train(case: dict[str, Any], form: str, watch: Watch) -> dict[str, float]:
  """Trains the peer and returns its scores; see `process`."""
  keras.utils.set_random_seed(0)
  encoder, decoder = _networks(case)
  model = VAE(encoder, decoder)
  model.compile(keras.optimizers.Adam(1e-3), **_FORMS[form])
  fit = watched_fit(
      keras.Model.fit, keras.callbacks.Callback, watch, case['images'])
  fit(model, tuned_batches(case), epochs=case['epochs'], verbose=0)

  def posterior(x):
    z_mean, z_log_var, _ = encoder(x)
    return z_mean, ops.exp(0.5 * z_log_var)

  logits = keras.Model(decoder.input, decoder.get_layer('logits').output)
  return score(mnist.binary_test_images(case), posterior, logits)


def _networks(case: dict[str, Any]) -> tuple[keras.Model, keras.Model]:
  shape, latents = mnist.image_shape(case), mnist.latent_size(case)
  x, z = keras.Input(shape), keras.Input([latents])
  if case['model'] != 'conv':
    h = layers.Flatten()(x)
    for _ in range(2):
      h = layers.Dense(200, activation='tanh')(h)
    g = z
    for _ in range(2):
      g = layers.Dense(200, activation='tanh')(g)
    g = layers.Reshape(shape, name='logits')(
        layers.Dense(mnist.num_pixels(case))(g))
  else:
    h = x
    for filters in (32, 64):
      h = layers.Conv2D(filters, 3, strides=2, padding='same',
                        activation='relu')(h)
    h = layers.Flatten()(h)
    g = layers.Reshape((7, 7, 64))(
        layers.Dense(7 * 7 * 64, activation='relu')(z))
    for filters in (64, 32):
      g = layers.Conv2DTranspose(filters, 3, strides=2, padding='same',
                                 activation='relu')(g)
    g = layers.Conv2D(1, 3, padding='same', name='logits')(g)
  moments = [layers.Dense(latents, name=name)(h)
             for name in ('z_mean', 'z_log_var')]
  encoder = keras.Model(x, [*moments, Sampling()(moments)], name='encoder')
  return encoder, keras.Model(z, layers.Activation('sigmoid')(g))
