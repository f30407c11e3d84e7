"""Posteriors of a graph: full covariance, flows, precision-weighted merging."""

import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae import models
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.layers import SeededSample

_SCALE = 0.7


def _ladder(**kwargs):
  tf_keras.utils.set_random_seed(1)
  return models.image_vae(
      GraphicalModel.parse(**PRESETS['ladder'] | {'latents': 'z1:3,z2:2'}),
      (4, 4, 1), hidden_units=(6,), factor_units=(5,), **kwargs)


def _images(n=4):
  rng = np.random.default_rng(0)
  return (rng.random((n, 4, 4, 1)) < 0.5).astype(np.float32)


class FullCovarianceTest(tf.test.TestCase):

  def test_exact_posterior_of_a_linear_model_closes_the_gap(self):
    """p(x|z) = N(Wz + b, s² I), W any: log p(x, z) − log q(z|x) = log p(x).

    p(z|x) = N(V Wᵀ (x − b) / s², V), V⁻¹ = I + Wᵀ W / s².
    """
    rng = np.random.default_rng(0)
    loadings, bias = rng.normal(size=(5, 3)), rng.normal(size=5)
    covariance = np.linalg.inv(np.eye(3) + loadings.T @ loadings / _SCALE**2)
    lower = np.linalg.cholesky(covariance)
    np.fill_diagonal(lower, 2 * np.log(np.diag(lower)))
    features = tf_keras.Sequential([tf_keras.layers.Flatten(input_shape=[5])])
    decoder = tf_keras.Sequential([
        tf_keras.layers.Dense(5, input_shape=[3]),
        tfvae.layers.IndependentNormal([5], _SCALE)])
    decoder.set_weights([loadings.T, bias])
    model = models.GraphVAE(
        GraphicalModel.parse('z:3'), features, decoder,
        posteriors={'z': tfvae.layers.MultivariateNormalTriL(3)})
    gain = loadings @ covariance / _SCALE**2
    kernel = np.concatenate([gain, np.zeros([5, 6])], axis=1)
    # Where TFP puts the i-th of the six numbers: found by filling in i + 1.
    filled = tfp.math.fill_triangular(np.arange(1.0, 7.0)).numpy().ravel()
    order = [int(np.where(filled == i)[0][0]) for i in range(1, 7)]
    model.inference_factors['z'].set_weights([
        kernel, np.concatenate([-bias @ gain, lower.ravel()[order]])])
    x = rng.normal(size=(20, 5)).astype(np.float32)
    inference = model.infer(x, SeededSample(tf.constant([0, 1]), 3))
    actual = (model.log_likelihood(inference.latents, x, x)
              + inference.log_ratio())
    expected = stats.multivariate_normal(
        bias, loadings @ loadings.T + _SCALE**2 * np.eye(5)).logpdf(x)
    self.assertAllClose(actual, np.tile(expected, (3, 1)), atol=1e-3)


class MergingTest(tf.test.TestCase):

  def test_is_the_normalised_product_of_evidence_and_prior(self):
    model, x = _ladder(merging='precision_weighted'), _images()
    inference = model.infer(x, SeededSample(tf.constant([0, 1])))
    evidence = model.inference_factors['z1'].distribution([model.features(x)])
    prior = model.priors['z1'].distribution([inference.latents['z2']])
    grid = np.linspace(-12, 12, 24_001)
    for row in range(len(x)):
      for d in range(3):
        product = np.prod([
            stats.norm(part.mean()[row, d], part.stddev()[row, d]).pdf(grid)
            for part in (evidence, prior)], axis=0)
        product /= product.sum()
        mean = product @ grid
        q = inference.posteriors['z1']
        self.assertAllClose(q.mean()[row, d], mean, atol=1e-4)
        self.assertAllClose(
            q.stddev()[row, d], np.sqrt(product @ (grid - mean)**2), atol=1e-4)

  def test_kl_is_exact_and_the_network_sees_x_alone(self):
    model, x = _ladder(merging='precision_weighted'), _images()
    self.assertEqual(model.inference_factors['z1'].input_size, 6)
    self.assertEqual(_ladder().inference_factors['z1'].input_size, 8)
    inference = model.infer(x, SeededSample(tf.constant([0, 1])))
    q, p = inference.posteriors['z1'], inference.priors['z1']
    ratio, distance = q.stddev() / p.stddev(), (
        q.mean() - p.mean()) / p.stddev()
    self.assertAllClose(
        inference.kl['z1'], np.sum(
            0.5 * (ratio**2 + distance**2 - 1) - np.log(ratio), axis=-1),
        rtol=1e-4)

  def test_posterior_and_density_agree_with_infer(self):
    model, x = _ladder(merging='precision_weighted'), _images()
    inference = model.infer(x, SeededSample(tf.constant([0, 1])))
    expected = sum(inference.posteriors[name].log_prob(z)
                   for name, z in inference.latents.items())
    self.assertAllClose(
        model.log_posterior(inference.latents, x), expected, rtol=1e-5)
    self.assertAllClose(
        model.posterior(x).log_prob(**inference.latents), expected, rtol=1e-5)

  def test_refusals_name_factor_and_remedy(self):
    with self.assertRaisesRegex(ValueError, "'network'.*Received: z:2 · q:"):
      models.image_vae('z:2', (4, 4, 1), merging='precision_weighted')
    two_layer = GraphicalModel.parse(**PRESETS['two_layer'])
    with self.assertRaisesRegex(ValueError, r"z1\|z2,x"):
      models.image_vae(two_layer, (4, 4, 1), merging='precision_weighted')
    with self.assertRaisesRegex(ValueError, 'diagonal.*MultivariateNormalTriL'):
      _ladder(merging='precision_weighted', posterior='normal_tril')
    with self.assertRaisesRegex(ValueError, "merging='sum'"):
      _ladder(merging='sum')


class PosteriorTest(tf.test.TestCase):

  def test_refusals_name_latent_and_remedy(self):
    graph = GraphicalModel.parse('z:3')
    features = tf_keras.Sequential([tf_keras.layers.Flatten(input_shape=[4])])
    decoder = tf_keras.Sequential([
        tf_keras.layers.Dense(4, input_shape=[3]),
        tfvae.layers.IndependentBernoulli([4])])
    layer = tfvae.layers.MultivariateNormalTriL
    with self.assertRaisesRegex(ValueError, 'z must have its size, 3.*=2'):
      models.GraphVAE(graph, features, decoder, posteriors={'z': layer(2)})
    with self.assertRaisesRegex(ValueError, 'leave out'):
      models.GraphVAE(graph, features, decoder, posteriors={
          'z': layer(3, activity_regularizer=tfvae.KLDivergenceRegularizer(
              tfvae.priors.StandardNormal(3)))})
    with self.assertRaisesRegex(ValueError, "free_bits_per='latent'"):
      models.GraphVAE(
          graph, features, decoder, posteriors={'z': layer(3)}, kl_controls={
              'free_bits': 0.1, 'free_bits_per': 'dimension'})
    with self.assertRaisesRegex(ValueError, "has no latent 'w'"):
      models.GraphVAE(graph, features, decoder, posteriors={'w': layer(3)})


if __name__ == '__main__':
  tf.test.main()
