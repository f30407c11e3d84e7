"""The layer of the posterior with full covariance."""

import os

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae.layers import MultivariateNormalTriL
from tfvae.layers.base.soft_bound import MAX_LOG_VARIANCE
from tfvae.layers.base.soft_bound import MIN_LOG_VARIANCE

tfd = tfp.distributions

_SIZE = 3


def _parameters(n=4):
  return np.random.default_rng(0).normal(size=(
      n, MultivariateNormalTriL.params_size(_SIZE))).astype(np.float32)


def _moments(params):
  """Mean and Cholesky factor of one row, in float64, filled as TFP does."""
  lower = np.array(tfp.math.fill_triangular(np.float64(params[_SIZE:])))
  np.fill_diagonal(lower, np.exp(np.diag(lower) / 2))
  return np.float64(params[:_SIZE]), lower


class MultivariateNormalTriLTest(tf.test.TestCase, parameterized.TestCase):

  def test_emits_the_normal_of_its_parameters(self):
    params = _parameters()
    posterior = MultivariateNormalTriL(_SIZE)(params)
    z = posterior.sample(seed=1).numpy()
    for row, params_row in enumerate(params):
      mean, lower = _moments(params_row)
      expected = stats.multivariate_normal(mean, lower @ lower.T)
      self.assertAllClose(posterior.mean()[row], mean)
      self.assertAllClose(
          posterior.covariance()[row], lower @ lower.T, rtol=1e-5)
      self.assertAllClose(
          posterior.log_prob(z)[row], expected.logpdf(z[row]), rtol=1e-4)

  def test_draws_have_mean_and_covariance(self):
    n, params = 20_000, _parameters(1)
    mean, lower = _moments(params[0])
    z = MultivariateNormalTriL(_SIZE)(params).sample(n, seed=2).numpy()[:, 0]
    covariance = lower @ lower.T
    variance = np.diag(covariance)
    # Within 5 standard errors.
    self.assertAllLess(np.abs(z.mean(0) - mean) / np.sqrt(variance / n), 5)
    scale = np.sqrt((np.outer(variance, variance) + covariance**2) / n)
    self.assertAllLess(np.abs(np.cov(z.T) - covariance) / scale, 5)

  def test_draws_are_reparameterised(self):
    """z = μ + L ε, so that dz/dμ = 1 and Σ_ij dz_i/dL_ij = Σ_ij ε_j."""
    params = tf.constant(_parameters(1))
    with tf.GradientTape() as tape:
      tape.watch(params)
      z = MultivariateNormalTriL(_SIZE).distribution(params).sample(seed=3)
    gradient = tape.gradient(z, params)[0].numpy()
    mean, lower = _moments(params[0])
    noise = np.linalg.solve(lower, np.float64(z[0]) - mean)
    triangle = np.array(tfp.math.fill_triangular(gradient[_SIZE:]))
    expected = np.tril(np.tile(noise, (_SIZE, 1)))
    # On the diagonal dz/dlog σ² = ½ σ ε.
    np.fill_diagonal(expected, 0.5 * np.diag(lower) * noise)
    self.assertAllClose(gradient[:_SIZE], np.ones(_SIZE))
    self.assertAllClose(triangle, expected, rtol=1e-3, atol=1e-5)

  def test_kl_from_the_standard_normal_is_exact(self):
    """½ (tr Σ + |μ|² − n − log |Σ|)."""
    params = _parameters()
    regularizer = tfvae.KLDivergenceRegularizer(
        tfvae.priors.StandardNormal(_SIZE), use_exact_kl=True)
    actual = regularizer.kl(MultivariateNormalTriL(_SIZE).distribution(params))
    expected = []
    for row in params:
      mean, lower = _moments(row)
      expected.append(0.5 * (
          np.sum(lower**2) + mean @ mean - _SIZE
          - 2 * np.log(np.diag(lower)).sum()))
    self.assertAllClose(actual, expected, rtol=1e-5)

  @parameterized.parameters(-1e4, 1e4)
  def test_bounded_log_variance_has_a_finite_gradient(self, value):
    params = tf.constant([[0.5, value]])
    with tf.GradientTape() as tape:
      tape.watch(params)
      posterior = MultivariateNormalTriL(1).distribution(params)
      everything = [posterior.sample(seed=1), posterior.entropy()]
    bound = MIN_LOG_VARIANCE if value < 0 else MAX_LOG_VARIANCE
    self.assertAllClose(posterior.stddev(), [[np.exp(bound / 2)]], rtol=1e-4)
    self.assertAllInRange(tape.gradient(everything, params), -1e9, 1e9)

  def test_saves_and_loads_in_safe_mode(self):
    inputs = tf_keras.Input([9])
    model = tf_keras.Model(inputs, MultivariateNormalTriL(
        _SIZE, 'mean', tfvae.KLDivergenceRegularizer(
            tfvae.priors.LearnedNormal(_SIZE)))(inputs))
    path = os.path.join(self.get_temp_dir(), 'model.keras')
    model.save(path)
    params = _parameters()
    self.assertAllEqual(
        tf_keras.models.load_model(path)(params).covariance(),
        model(params).covariance())

  def test_errors_name_the_value(self):
    with self.assertRaisesRegex(ValueError, 'event_size=0'):
      MultivariateNormalTriL(0)
    with self.assertRaisesRegex(ValueError, r'9 parameters.*\(2, 6\)'):
      MultivariateNormalTriL(_SIZE)(np.zeros([2, 6], np.float32))


if __name__ == '__main__':
  tf.test.main()
