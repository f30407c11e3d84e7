"""Parts that the tests of flows share."""

import os

import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

import tfvae


def numerical_log_prob(prior, noise):
  """Returns log p(f(ε)), `[n]`, from f alone: its Jacobian by differences."""
  forward, step = prior.distribution().bijector.forward, 1e-5
  # Column j of ∂f/∂ε is (f(ε + h e_j) − f(ε − h e_j)) / 2h.
  jacobian = np.stack([
      (forward(noise + shift) - forward(noise - shift)) / (2 * step)
      for shift in step * np.eye(noise.shape[-1])], axis=-1)
  _, log_det = np.linalg.slogdet(jacobian)
  return stats.norm.logpdf(noise).sum(axis=-1) - log_det


def last_loss(prior, z):
  """Fits a prior to z, `[n, d]`, and returns the mean of −log p(z)."""
  optimizer = tf_keras.optimizers.Adam(0.02)
  optimizer.build(prior.trainable_weights)

  @tf.function(jit_compile=True)
  def step():
    with tf.GradientTape() as tape:
      loss = -tf.reduce_mean(prior.distribution().log_prob(z))
    gradients = tape.gradient(loss, prior.trainable_weights)
    optimizer.apply_gradients(
        zip(gradients, prior.trainable_weights, strict=True))
    return loss

  return [step().numpy() for _ in range(200)][-1]


def check_networks_train_and_are_saved(test, layer):
  """Trains a VAE with a posterior layer of 2 dimensions, and loads its file."""
  size = layer.params_size(2, **layer.settings)
  model = tfvae.VAE(
      tf_keras.Sequential([
          tf_keras.layers.Dense(size, input_shape=[4]), layer]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(4, input_shape=[2]),
          tfvae.layers.IndependentNormal([4], 1.0)]))
  model.compile('adam', jit_compile=True)
  before = layer.get_weights()
  x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
  model.fit(x, batch_size=20, epochs=2, verbose=0)
  for old, new in zip(before, layer.get_weights(), strict=True):
    test.assertNotAllEqual(old, new)
  path = os.path.join(test.get_temp_dir(), 'model.keras')
  model.save(path)
  test.assertAllEqual(
      tf_keras.models.load_model(path)(x).mean(), model(x).mean())
