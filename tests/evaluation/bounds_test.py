"""Importance-weighted bounds against a model whose log p(x) is known."""

from absl.testing import parameterized
import numpy as np
from scipy import integrate
import tensorflow as tf
import tf_keras

from tfvae import evaluation
from tfvae import models

_IMAGE = (2, 2, 1)


def _model(latent_size=1):
  tf_keras.utils.set_random_seed(3)
  return models.image_vae(latent_size, _IMAGE, 'mlp', (6,))


def _data(n=9):
  rng = np.random.default_rng(0)
  return (rng.random((n, *_IMAGE)) < 0.5).astype(np.float32)


def _batches(x, batch_size):
  return tf.data.Dataset.from_tensor_slices(x).batch(batch_size)


class ImportanceWeightedNllTest(tf.test.TestCase, parameterized.TestCase):

  def test_many_samples_reach_the_quadrature(self):
    """log p(x) = log ∫ p(x|z) p(z) dz, with one latent, in float64."""
    model, x = _model(), _data()
    v1, c1, v2, c2 = [np.float64(w) for w in model.decoder.get_weights()]
    z = np.linspace(-9, 9, 4001)[:, np.newaxis]
    logits = np.tanh(z @ v1 + c1) @ v2 + c2
    joint = np.exp(
        x.reshape(9, 1, 4) * logits - np.log1p(np.exp(logits))).prod(-1)
    density = np.exp(-z[:, 0]**2 / 2) / np.sqrt(2 * np.pi)
    expected = -np.log(integrate.simpson(joint * density, x=z[:, 0]))
    estimates = np.stack([evaluation.importance_weighted_nll(
        model, _batches(x, 9), num_samples=16000, chunk_size=16000,
        seed=seed).values for seed in range(10)])
    error = estimates.std(axis=0, ddof=1) / np.sqrt(10)
    self.assertAllLess(error, 0.02)
    self.assertAllLess(np.abs(estimates.mean(axis=0) - expected) / error, 5)

  def test_one_sample_is_minus_the_elbo(self):
    model, x = _model(3), np.repeat(_data(), 2000, axis=0)
    model.compile('sgd')
    elbo = model.evaluate(x, batch_size=3000, return_dict=True, verbose=0)
    estimate = evaluation.importance_weighted_nll(
        model, _batches(x, 3000), num_samples=1)
    # Two independent estimates of one mean: within 5 standard errors, of the
    # difference of log-weights within each of the nine images' copies.
    noise = estimate.values.reshape(9, 2000).std(axis=1)
    error = np.sqrt(2 * np.mean(noise**2) / len(x))
    self.assertLess(abs(estimate.mean + elbo['elbo']), 5 * error)

  def test_falls_with_the_number_of_samples(self):
    model, x = _model(3), np.repeat(_data(), 500, axis=0)
    bounds = [evaluation.importance_weighted_nll(
        model, _batches(x, 1000), num_samples=k) for k in (1, 5, 50)]
    for looser, tighter in zip(bounds, bounds[1:], strict=False):
      self.assertGreater(looser.mean, tighter.mean)

  def test_repeats_with_a_seed(self):
    model, x = _model(2), _data()
    draws = [evaluation.importance_weighted_nll(
        model, _batches(x, 4), num_samples=7, chunk_size=3, seed=seed).values
             for seed in (1, 1, 2)]
    self.assertAllEqual(draws[0], draws[1])
    self.assertNotAllClose(draws[0], draws[2])

  def test_estimate_has_a_standard_error(self):
    values = np.random.default_rng(0).normal(size=100)
    estimate = evaluation.Estimate(values)
    self.assertAllClose(
        estimate.standard_error, np.sqrt(np.var(values, ddof=1) / 100))

  @parameterized.parameters(dict(num_samples=0),
                            dict(num_samples=5, chunk_size=0))
  def test_refuses(self, **arguments):
    with self.assertRaisesRegex(ValueError, '=0'):
      evaluation.importance_weighted_nll(
          _model(), _batches(_data(), 4), **arguments)


if __name__ == '__main__':
  tf.test.main()
