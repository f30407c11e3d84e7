"""Priors with parameters train and survive saving, inside a VAE."""

import json
import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

import tfvae
from tfvae import priors

_INPUT_SHAPE = (2, 3, 1)

_LEARNABLE = {
    'learned_normal': lambda: priors.LearnedNormal(2),
    'gaussian_mixture': lambda: priors.GaussianMixture(2, 3, seed=4),
    'vamp': lambda: priors.VampPrior(2, 3, _INPUT_SHAPE, (-1.0, 2.0), seed=4),
    'realnvp': lambda: priors.FlowPrior(2, 'realnvp', 2, [4], 'relu'),
    'maf': lambda: priors.FlowPrior(2, 'maf', 2, [4]),
    'spline': lambda: priors.SplineFlowPrior(2, 2, 4, 3.0, [4], 'relu'),
}


def _vae(prior):
  """A VAE in two latent dimensions, its posterior regularized with `prior`."""
  layers = tf_keras.layers
  posterior = tfvae.layers.MultivariateNormalDiag(
      2, activity_regularizer=tfvae.KLDivergenceRegularizer(prior))
  encoder = tf_keras.Sequential([
      layers.Input(_INPUT_SHAPE), layers.Flatten(), layers.Dense(4, 'tanh'),
      layers.Dense(4), posterior])
  decoder = tf_keras.Sequential([
      layers.Input([2]), layers.Dense(4, 'tanh'), layers.Dense(6),
      layers.Reshape(_INPUT_SHAPE),
      tfvae.layers.IndependentBernoulli(_INPUT_SHAPE)])
  return tfvae.VAE(encoder, decoder)


def _bind(vae):
  """Hands a VampPrior the encoder up to its distribution layer."""
  if isinstance(vae.prior, priors.VampPrior):
    posterior = vae.encoder.layers[-1]
    network = tf_keras.Model(vae.encoder.inputs, posterior.input)
    vae.prior.bind(lambda u: posterior.new(network(u), posterior.event_size))


class LearnableTest(tf.test.TestCase, parameterized.TestCase):

  # In a GraphVAE, the others do in tests/models/matrix_test.py.
  @parameterized.named_parameters(
      ('realnvp', 'realnvp', False), ('spline', 'spline', False),
      ('vamp_under_xla', 'vamp', True))
  def test_trains_and_survives_saving(self, name, jit_compile):
    x = (np.random.default_rng(0).random((24, *_INPUT_SHAPE)) < 0.4).astype(
        np.float32)
    vae = _vae(_LEARNABLE[name]())
    _bind(vae)
    vae.compile(tf_keras.optimizers.Adam(0.01), jit_compile=jit_compile,
                run_eagerly=not jit_compile)
    z = np.random.default_rng(2).normal(size=(9, 2)).astype(np.float32)
    initial, initial_log_prob = (
        vae.prior.get_weights(), vae.prior.distribution().log_prob(z))
    history = vae.fit(x, batch_size=8, epochs=2, verbose=0).history
    self.assertAllInRange(history['loss'], 0., 20.)
    log_prob = vae.prior.distribution().log_prob(z)
    self.assertNotAllClose(log_prob, initial_log_prob)
    for before, after in zip(initial, vae.prior.get_weights(), strict=True):
      self.assertNotAllClose(before, after)
    trained = [w.ref() for w in vae.trainable_weights]
    self.assertLen(set(trained), len(trained))
    self.assertContainsSubset([w.ref() for w in vae.prior.weights], trained)

    path = os.path.join(self.get_temp_dir(), 'vae.keras')
    vae.save(path)
    loaded = tf_keras.models.load_model(path, safe_mode=True)
    _bind(loaded)
    self.assertAllEqual(loaded.prior.distribution().log_prob(z), log_prob)
    self.assertEqual(loaded.prior.get_config(), vae.prior.get_config())

  @parameterized.named_parameters(*_LEARNABLE.items())
  def test_config_is_plain_data(self, make):
    prior = make()
    config = json.loads(json.dumps(prior.get_config()))
    copy = type(prior).from_config(config)
    self.assertEqual(copy.get_config(), prior.get_config())
    self.assertEqual([w.shape for w in copy.weights],
                     [w.shape for w in prior.weights])


if __name__ == '__main__':
  tf.test.main()
