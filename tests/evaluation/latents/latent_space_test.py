"""Measures of the latent space against those of linear Gaussian models."""

import functools
import json
import warnings

from absl.testing import parameterized
import numpy as np
from scipy import integrate
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests.eager_case import EagerCase
from tests.linear_gaussian import LATENT
from tests.linear_gaussian import LinearGaussian
from tests.linear_gaussian import SIZE
import tfvae
from tfvae import models
from tfvae.evaluation.latents.latent_space import latent_space
from tfvae.evaluation.latents.latent_space import measure_latents
from tfvae.graph import GraphicalModel

tfb, tfd = tfp.bijectors, tfp.distributions


class ShiftedNormal(tfvae.layers.DistributionLayer):
  """N(μ, diag σ²) by a bijector, so of a family without a known mean."""

  def __init__(self, prior):
    super().__init__(
        self._new, 'sample',
        activity_regularizer=tfvae.KLDivergenceRegularizer(prior))

  def _new(self, params):
    loc, log_variance = tf.split(params, 2, axis=-1)
    return tfd.TransformedDistribution(
        tfd.MultivariateNormalDiag(scale_diag=tf.exp(0.5 * log_variance)),
        tfb.Shift(loc))


@functools.cache
def _measured(n=2000, norms=(2.0, 1.0, 0.5), **distortion):
  exact = LinearGaussian(norms=norms, **distortion)
  return exact, latent_space(exact.model, exact.dataset(n, 400))


def _graph_vae(text):
  """A `GraphVAE` of linear maps, x of two dimensions and y of two classes."""
  tf_keras.utils.set_random_seed(2)
  graph = GraphicalModel.parse(*text)
  return models.GraphVAE(
      graph, tf_keras.Sequential([tf_keras.layers.Flatten(input_shape=[2])]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(2, input_shape=[
              models.decoder_input_size(graph, 2)]),
          tfvae.layers.IndependentNormal([2])]),
      num_classes=2, factor_units=(5,))


def _labelled(n):
  rng = np.random.default_rng(0)
  return tf.data.Dataset.from_tensor_slices({
      'x': np.float32(rng.normal(size=(n, 2))),
      'y': np.eye(2, dtype=np.float32)[rng.integers(0, 2, size=n)]}).batch(16)


class LatentTest(EagerCase):

  def test_active_units_and_kl_are_exact(self):
    exact, space = _measured(norms=(2.0, 0.2, 0.0))
    latent, x = space.latents['z'], exact.draw(2000)
    mean, kl = exact.posterior_mean(x), exact.kl_per_dimension(x)
    self.assertAllClose(
        latent.variances, mean.var(axis=0, ddof=1), rtol=1e-4, atol=1e-7)
    self.assertAllEqual(latent.active, [True, True, False])
    self.assertEqual(space.active_units, 2)
    self.assertAllEqual(latent.informative, kl.mean(axis=0) > 0.1)
    self.assertAllEqual(space.informative, [True, False, False])
    self.assertAllClose(
        latent.kl_per_dimension, kl.mean(axis=0), rtol=1e-4, atol=1e-6)
    self.assertAllClose(
        latent.kl_per_dimension_standard_error,
        kl.std(axis=0, ddof=1) / 2000**0.5, rtol=1e-4, atol=1e-6)
    self.assertAllClose(latent.kl.values, kl.sum(axis=1), rtol=1e-4, atol=1e-5)

  def test_latents_alone_are_those_of_the_latent_space(self):
    exact, space = _measured()
    for compiles in (False, True):
      tf.config.run_functions_eagerly(False)
      latent = measure_latents(
          exact.model, exact.dataset(2000, 400), compiles=compiles)['z']
      self.assertAllClose(latent.to_dict(), space.latents['z'].to_dict(),
                          rtol=1e-5)
    alone = measure_latents(exact.model, exact.draw(1), compiles=False)['z']
    self.assertAllEqual(alone.active, [False] * LATENT)

  def test_a_posterior_without_mean_is_measured_by_draws(self):
    exact, other = _measured()
    prior = tfvae.priors.StandardNormal(LATENT)
    encoder = tf_keras.Sequential([
        tf_keras.layers.Dense(2 * LATENT, input_shape=[SIZE]),
        ShiftedNormal(prior)])
    encoder.set_weights(exact.model.encoder.get_weights())
    space = latent_space(
        tfvae.VAE(encoder, exact.model.decoder), exact.dataset(2000, 400))
    latent = space.latents['z']
    self.assertIsNone(latent.kl_per_dimension)
    # m̄ = m + e, Var(e) = v / 16: Var(m̄) errs by 2 Σ m e / n + Σ e² / n.
    noise, signal = exact.variance / 16, 1 - exact.variance
    error = np.sqrt((4 * signal * noise + 2 * noise**2) / 2000)
    self.assertAllLess(
        np.abs(latent.variances - other.latents['z'].variances) / error, 3)
    self.assertLess(
        abs(latent.kl.mean - other.latents['z'].kl.mean),
        3 * latent.kl.standard_error)

  def test_a_mixture_is_measured_by_its_mean(self):
    exact, other = _measured()
    latent = latent_space(
        exact.mixture(3), exact.dataset(2000, 400)).latents['z']
    self.assertAllClose(
        latent.variances, other.latents['z'].variances, rtol=1e-4, atol=1e-7)

  def test_draws_of_parents_do_not_count_as_variance(self):
    """z2 sees x through a draw of z1 alone, and linearly."""
    model = _graph_vae(('z1:2,z2:1', 'z1|x; z2|z1', 'z2; z1|z2; x|z1'))
    for layer in model.inference_factors['z2'].network:
      layer.activation = tf_keras.activations.linear
    x = np.float32(np.random.default_rng(0).normal(size=(1000, 2)))
    space = latent_space(
        model, tf.data.Dataset.from_tensor_slices(x).batch(500))
    factors = {name: [np.float64(w) for layer in factor.network
                      for w in layer.get_weights()]
               for name, factor in model.inference_factors.items()}
    first, bias = factors['z1']
    slope = factors['z2'][0] @ factors['z2'][2][:, :1]
    mean = x @ first[:, :2] @ slope  # E[z2|x] up to a constant.
    variance = np.exp(x @ first[:, 2:] + bias[2:]) @ slope**2 / 16
    error = np.sqrt(4 * np.mean(mean**2 * variance) / 1000
                    + 2 * np.mean(variance**2) / 1000)
    self.assertGreater(variance.mean(), 5 * error)  # It would show.
    self.assertLess(
        abs(space.latents['z2'].variances[0] - mean.var(ddof=1)), 3 * error)
    self.assertIsNone(space.latents['z1'].kl_per_dimension)  # A log-ratio.
    self.assertAllClose(space.latents['z2'].kl_per_dimension.sum(),
                        space.latents['z2'].kl.mean, rtol=1e-4)


class LatentSpaceTest(EagerCase, parameterized.TestCase):

  @parameterized.parameters(dict(), dict(factor=0.5, shift=0.3))
  def test_of_the_data_set_against_quadrature(self, factor=1.0, shift=0.0):
    """One dimension tells of x; the others are alike for all x."""
    exact, space = _measured(
        n=150, norms=(2.0, 0.0, 0.0), factor=factor, shift=shift)
    mean = exact.posterior_mean(exact.draw(150))[:, 0] + shift
    scale = factor * np.sqrt(exact.variance)
    z = np.linspace(-9, 9, 20001)
    density = stats.norm.pdf(z, mean[:, np.newaxis], scale[0]).mean(axis=0)
    integral = functools.partial(integrate.simpson, x=z)
    entropy = -integral(density * np.log(density + 1e-300))
    cross = -integral(density * stats.norm.logpdf(z))
    rest = 0.5 * (factor**2 + shift**2 - 1) - np.log(factor)
    for estimate, expected in (
        (space.mutual_information, entropy - stats.norm(0, scale[0]).entropy()),
        (space.aggregate_kl, cross - entropy + 2 * rest),
        (space.log_volume,
         entropy - stats.norm.entropy() + 2 * np.log(factor)),
        (space.kl, exact.kl_per_dimension(exact.draw(150)).sum(1).mean())):
      self.assertLess(
          abs(estimate.mean - expected), 3 * estimate.standard_error)
      self.assertLess(estimate.standard_error, 0.2)

  @parameterized.parameters(dict(), dict(factor=0.7, shift=0.4))
  def test_brackets_the_population(self, factor=1.0, shift=0.0):
    """There q(z) = N(shift, 1 − v + factor² v) in every dimension."""
    exact, space = _measured(factor=factor, shift=shift)
    within = factor**2 * exact.variance
    variance = 1 - exact.variance + within
    information = 0.5 * np.log(variance / within).sum()
    volume = 0.5 * np.log(variance).sum()
    kl = 0.5 * (variance + shift**2 - 1).sum() - volume
    lower, upper = space.mutual_information, space.mutual_information_upper
    self.assertAllLess(
        [lower.mean - information, information - upper.mean],
        3 * lower.standard_error)
    # Their distance, which bounds the bias, is within the noise.
    self.assertLess(upper.mean - lower.mean, 3 * lower.standard_error)
    self.assertLess(
        abs(lower.mean - information), 3 * lower.standard_error)
    self.assertAllLess(
        [space.log_volume.mean - volume, volume - space.log_volume_upper.mean],
        3 * space.log_volume.standard_error)
    below = space.log_others - space.log_prior  # Of E[log q(z) − log p(z)].
    self.assertAllLess(
        [below.mean() - kl, kl - space.aggregate_kl.mean],
        3 * space.aggregate_kl.standard_error)

  def test_parts_add_up_and_stay_below_the_log_of_n(self):
    exact, space = _measured(factor=0.01, n=150)  # Components far apart.
    self.assertAllClose(
        space.kl.values,
        space.mutual_information.values + space.aggregate_kl.values)
    self.assertAllClose(space.mutual_information.values, np.full(
        150, np.log(150)), atol=0.5)
    self.assertAllLess(space.mutual_information.values, np.log(150) + 1e-9)
    self.assertLess(
        abs(space.kl.mean - exact.kl_per_dimension(exact.draw(150)).sum(
            axis=1).mean()), 3 * space.kl.standard_error)

  def test_labels_that_condition_the_prior_condition_all(self):
    """q(z|x,y) = p(z|y): nothing but y tells of z, so every term is 0."""
    model = _graph_vae(('z:2', 'z|x,y', 'z|y; x|z'))
    kernel, bias = model.priors['z'].network[-1].get_weights()
    model.inference_factors['z'].network[-1].set_weights(
        [np.concatenate([np.zeros([2, 4]), 3 * kernel]), bias + 1])
    model.priors['z'].network[-1].set_weights([3 * kernel, bias + 1])
    space = latent_space(model, _labelled(60))
    for estimate in (space.mutual_information, space.mutual_information_upper,
                     space.aggregate_kl):
      self.assertAllClose(estimate.values, np.zeros(60), atol=1e-4)
    self.assertLess(
        abs(space.log_volume.mean), 3 * space.log_volume.standard_error)
    self.assertEqual(space.active_units, 2)  # They move with y.

  def test_repeats_whatever_the_chunk(self):
    exact = LinearGaussian()
    results = [latent_space(exact.model, exact.dataset(70), seed=seed,
                            chunk_size=chunk).to_dict()
               for seed, chunk in ((1, 500), (1, 500), (2, 500), (1, 40))]
    self.assertEqual(results[0], results[1])
    for name in ('mutual_information', 'log_volume_upper'):
      self.assertNotAllClose(results[0][name], results[2][name])
      self.assertAllClose(results[0][name], results[3][name], atol=1e-5)

  def test_under_xla_and_on_some_of_the_examples(self):
    exact, space = _measured()
    tf.config.run_functions_eagerly(False)
    part = latent_space(
        exact.model, exact.dataset(2000, 400), num_draws=300, seed=3,
        jit_compile=True)
    self.assertLen(part.kl.values, 300)
    self.assertEqual(part.num_examples, 2000)
    for name in ('kl', 'mutual_information', 'aggregate_kl', 'log_volume'):
      one, other = getattr(space, name), getattr(part, name)
      self.assertLess(
          abs(one.mean - other.mean),
          3 * np.hypot(one.standard_error, other.standard_error))

  def test_is_plain_data(self):
    _, space = _measured(norms=(2.0, 0.2, 0.0))
    result = json.loads(json.dumps(space.to_dict()))
    self.assertEqual(result['active_units'], 2)
    self.assertEqual(result['latent_size'], 3)
    self.assertAllClose(
        result['log_volume_per_dimension'], space.log_volume.mean / 3)
    self.assertAllClose(result['latents']['z']['kl_per_dimension'],
                        space.latents['z'].kl_per_dimension)

  def test_refuses_data_that_change_between_passes(self):
    exact = LinearGaussian()
    shuffled = tf.data.Dataset.from_tensor_slices(exact.draw(60)).shuffle(
        60, seed=0).batch(20)
    with self.assertRaisesRegex(ValueError, 'same order'):
      latent_space(exact.model, shuffled)

  def test_refuses_a_label_with_one_example(self):
    model = _graph_vae(('z:2', 'z|x,y', 'z|y; x|z'))
    data = tf.data.Dataset.from_tensors({
        'x': tf.zeros([3, 2]), 'y': tf.one_hot([0, 1, 0], 2)})
    with self.assertRaisesRegex(ValueError, r'examples by label=\[1, 2\]'):
      latent_space(model, data)

  def test_refuses_a_single_example(self):
    exact = LinearGaussian()
    with warnings.catch_warnings():
      warnings.simplefilter('error', RuntimeWarning)
      with self.assertRaisesRegex(ValueError, r'at least two examples.*=\[1\]'):
        latent_space(exact.model, exact.dataset(1))

  @parameterized.parameters(dict(num_samples=1), dict(num_draws=1),
                            dict(chunk_size=0))
  def test_refuses(self, **arguments):
    exact = LinearGaussian()
    with self.assertRaisesRegex(ValueError, 'must be at least'):
      latent_space(exact.model, exact.dataset(10), **arguments)


if __name__ == '__main__':
  tf.test.main()
