"""InfoVAE and the maximum mean discrepancy, in float64 and in closed form."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

import tfvae
from tfvae.layers import SeededSample
from tfvae.objectives import InfoVAE
from tfvae.objectives import maximum_mean_discrepancy

_IMAGE = (2, 3, 1)


def _model(latents='z:3', inference=None, generative=None):
  tf_keras.utils.set_random_seed(1)
  return tfvae.models.image_vae(
      tfvae.graph.GraphicalModel.parse(latents, inference, generative), _IMAGE,
      'mlp', (5,), factor_units=[4])


def _data(n):
  rng = np.random.default_rng(n)
  return (rng.random((n, *_IMAGE)) < 0.4).astype(np.float32)


def _expected_mmd(x, y, kernel, bandwidth):
  """Gretton et al., 2012, lemma 6, one pair of draws at a time."""
  n, size = x.shape

  def k(a, b):
    distance = np.sum((a - b)**2) / (2 * size * bandwidth**2)
    return 1 / (1 + distance) if kernel == 'imq' else np.exp(-distance)

  return sum(
      k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(x[j], y[i])
      for i in range(n) for j in range(n) if i != j) / (n * (n - 1))


class MaximumMeanDiscrepancyTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      kernel=['imq', 'rbf'], bandwidth=[0.5, 1.0], n=[2, 11])
  def test_equals_float64(self, kernel, bandwidth, n):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 4)), 2 * rng.normal(size=(n, 4)) + 1
    self.assertAllClose(
        maximum_mean_discrepancy(
            tf.constant(x), tf.constant(y), kernel, bandwidth),
        _expected_mmd(x, y, kernel, bandwidth), rtol=1e-9)

  @parameterized.parameters('imq', 'rbf')
  def test_is_zero_on_average_for_equal_distributions(self, kernel, count=200):
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(count, 2, 20, 3))
    values = np.array(tf.map_fn(
        lambda pair: maximum_mean_discrepancy(pair[0], pair[1], kernel),
        tf.constant(draws)))
    self.assertLess(abs(values.mean()), 3 * values.std() / count**0.5)
    self.assertLess(values.min(), 0.)  # Unbiased, so of either sign.

  def test_of_two_normals_in_closed_form(self, count=200):
    # E exp(−(a − b)²/2) of a ~ N(μ, s²), b ~ N(ν, t²), with v = s² + t²:
    # exp(−(μ − ν)² / (2 (1 + v))) / √(1 + v).
    def mean_kernel(distance, v):
      return np.exp(-distance**2 / (2 * (1 + v))) / np.sqrt(1 + v)

    expected = mean_kernel(0, 2) + mean_kernel(0, 0.5) - 2 * mean_kernel(
        1, 1.25)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(count, 30, 1))
    y = 1 + 0.5 * rng.normal(size=(count, 30, 1))
    values = np.array(tf.map_fn(
        lambda pair: maximum_mean_discrepancy(pair[0], pair[1], 'rbf'),
        tf.constant(np.stack([x, y], axis=1))))
    self.assertLess(
        abs(values.mean() - expected), 3 * values.std() / count**0.5)

  @parameterized.parameters(0, 1)
  def test_is_zero_without_pairs(self, n):
    x = tf.ones([n, 3])
    with tf.GradientTape() as tape:
      tape.watch(x)
      value = maximum_mean_discrepancy(x, 2 * x)
    self.assertAllEqual(value, 0.)
    self.assertAllEqual(tape.gradient(value, x), tf.zeros([n, 3]))

  def test_refuses_different_numbers_of_draws(self):
    with self.assertRaisesRegex(ValueError, r'\(4, 3\).*\(5, 3\)'):
      maximum_mean_discrepancy(tf.ones([4, 3]), tf.ones([5, 3]))


class InfoVAETest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      setting=[(0.0, 10.0), (1.0, 10.0), (-1.0, 4.0)], kernel=['imq', 'rbf'])
  def test_equals_float64(self, setting, kernel):
    (alpha, lambda_), kl_factor, seed = setting, 0.5, tf.constant([1, 2])
    x, model = _data(9), _model()
    values = InfoVAE(alpha, lambda_, kernel, 0.7)(
        model, x, x, seed, kl_factor, True)
    inference = model.infer(x, SeededSample(seed))
    # The prior's draws have the seed after that of the one latent.
    prior_draws = model.sample_prior(
        9, tf.random.experimental.stateless_fold_in(seed, 1, alg='philox'))
    mmd = _expected_mmd(
        np.float64(inference.latents['z']), np.float64(prior_draws['z']),
        kernel, 0.7)
    posterior = inference.posteriors['z']
    mean, variance = np.float64(posterior.mean()), np.float64(
        posterior.variance())
    kl = 0.5 * np.sum(variance + mean**2 - 1 - np.log(variance), axis=1)
    self.assertAllClose(values['kl'], kl, rtol=1e-5)
    # −log p(x|z) + (1 − α) KL + (α + λ − 1) MMD²
    self.assertAllClose(
        values['objective'],
        -np.float64(model.log_likelihood(inference.latents, x))
        + kl_factor * (1 - alpha) * kl + (alpha + lambda_ - 1) * mmd,
        rtol=1e-5, atol=1e-5)

  def test_is_the_elbo_at_alpha_zero_and_lambda_one(self):
    x, model = _data(9), _model()
    values = InfoVAE(0.0, 1.0)(model, x, x, tf.constant([1, 2]), 1.0, True)
    self.assertAllClose(values['objective'], -values['elbo'], rtol=1e-6)

  def test_draws_of_posterior_and_prior_are_independent(self):
    # A posterior equal to the prior: only the seeds tell the draws apart.
    model, x = _model(), _data(100)
    for layer in model.inference_factors['z'].network:
      layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    values = []
    for index in range(40):
      objective = InfoVAE(1.0, 1.0)(
          model, x, x, tf.constant([1, index]), 1.0, True)
      values.append(np.mean(objective['objective']
                            + objective['reconstruction']))
    # Draws that were the same would give far less than independent ones do.
    rng = np.random.default_rng(0)
    independent = [float(maximum_mean_discrepancy(
        *tf.constant(rng.normal(size=(2, 100, 3))))) for _ in range(40)]
    self.assertLess(abs(np.mean(values)), 3 * np.std(values) / 40**0.5)
    self.assertBetween(np.std(values) / np.std(independent), 0.6, 1.6)

  def test_takes_all_latents_together(self):
    model = _model('z1:3,z2:2', 'z1|x; z2|z1', 'z2; z1|z2; x|z1')
    x, seed = _data(9), tf.constant([1, 2])
    values = InfoVAE(1.0, 2.0)(model, x, x, seed, 1.0, True)
    inference = model.infer(x, SeededSample(seed))
    prior_draws = model.sample_prior(
        9, tf.random.experimental.stateless_fold_in(seed, 2, alg='philox'))
    together = [np.concatenate([np.float64(draws[name]) for name in (
        'z1', 'z2')], axis=1) for draws in (inference.latents, prior_draws)]
    self.assertAllClose(
        values['objective'] + values['reconstruction'],
        np.full(9, 2 * _expected_mmd(*together, 'imq', 1.0)),
        rtol=1e-4, atol=1e-5)

  @parameterized.parameters(
      ((1.5, 3.0), 'alpha=1.5'), ((float('nan'), 3.0), 'alpha=nan'),
      ((0.0, 0.5), 'lambda_=0.5'), ((0.0, float('inf')), 'lambda_=inf'),
      ((0.0, 2.0, 'linear'), "kernel='linear'"),
      ((0.0, 2.0, 'rbf', 0.0), 'bandwidth=0.0'))
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, f'Received: {message}'):
      InfoVAE(*arguments)


if __name__ == '__main__':
  tf.test.main()
