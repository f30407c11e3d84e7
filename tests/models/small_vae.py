"""Two small models of binary images, for tests that take any model."""

import numpy as np
import tf_keras

import tfvae

IMAGE, LATENT, CLASSES = (2, 3, 1), 2, 3


def encoder(**input_shape):
  return tf_keras.Sequential([
      tf_keras.layers.Flatten(**input_shape),
      tf_keras.layers.Dense(2 * LATENT),
      tfvae.layers.MultivariateNormalDiag(
          LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(
              tfvae.priors.StandardNormal(LATENT)))])


def decoder(likelihood=None, **input_shape):
  likelihood = likelihood or tfvae.layers.IndependentBernoulli(IMAGE)
  return tf_keras.Sequential([
      tf_keras.layers.Dense(6, **input_shape), likelihood])


def vae(likelihood=None):
  tf_keras.utils.set_random_seed(1)
  return tfvae.VAE(encoder(input_shape=IMAGE),
                   decoder(likelihood, input_shape=[LATENT]))


def graph_vae(preset='vae', likelihood='bernoulli', latents=f'z:{LATENT}',
              **settings):
  tf_keras.utils.set_random_seed(1)
  graph = tfvae.graph.GraphicalModel.parse(
      **tfvae.graph.PRESETS[preset] | {'latents': latents})
  return tfvae.models.image_vae(
      graph, IMAGE, 'mlp', (4,), likelihood=likelihood,
      num_classes=CLASSES if graph.is_conditional else None, **settings)


def data(n):
  rng = np.random.default_rng(n)
  return (rng.random((n, *IMAGE)) < 0.4).astype(np.float32)


def labels(n):
  return np.eye(CLASSES, dtype=np.float32)[np.arange(n) % CLASSES]
