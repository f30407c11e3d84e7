"""The prior of a neural spline flow: change of variables, start and fit."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tests import flows
from tfvae.priors import PRIORS
from tfvae.priors import SplineFlowPrior


def _prior(event_size, **kwargs):
  """A prior in float64 with random parameters."""
  prior = SplineFlowPrior(event_size, **{
      'num_layers': 3, 'num_bins': 5, 'hidden_units': [8, 6],
      'dtype': 'float64'} | kwargs)
  rng = np.random.default_rng(event_size)
  prior.set_weights([
      0.5 * rng.normal(size=w.shape) for w in prior.get_weights()])
  return prior


class SplineFlowPriorTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(event_size=[2, 5], num_layers=[1, 3])
  def test_log_density_equals_base_and_numerical_jacobian(
      self, event_size, num_layers):
    prior = _prior(event_size, num_layers=num_layers)
    noise = 2 * np.random.default_rng(0).normal(size=(20, event_size))
    z = prior.distribution().bijector.forward(noise)
    self.assertAllClose(  # With bijectors that have not seen the noise.
        prior.distribution().log_prob(z),
        flows.numerical_log_prob(prior, noise),
        rtol=1e-6, atol=1e-6)

  @parameterized.parameters((), (6,))
  def test_begins_as_the_identity(self, *hidden_units):
    prior = SplineFlowPrior(3, hidden_units=hidden_units)
    noise = 3 * np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    distribution = prior.distribution()
    self.assertAllClose(
        distribution.bijector.forward(noise), noise, atol=1e-5)
    self.assertAllClose(distribution.log_prob(noise),
                        stats.norm.logpdf(noise).sum(axis=-1), rtol=1e-5)

  def test_identity_outside_of_the_bound(self):
    prior = _prior(2, bound=2.0)
    z = np.array([[2.5, -3.0], [-7.0, 2.1]])
    self.assertAllEqual(prior.distribution().bijector.forward(z), z)
    inside = np.array([[0.5, -1.0]])
    self.assertNotAllClose(
        prior.distribution().bijector.forward(inside), inside, atol=0.01)

  def test_fits_a_density_of_two_modes(self):
    # z_1 = ±2 + ε_1 / 2 with equal probabilities, z_2 = z_1 / 2 + ε_2 / 2.
    rng = np.random.default_rng(0)
    z_1 = rng.choice([-2., 2.], 1000) + rng.normal(size=1000) / 2
    z = np.stack([z_1, z_1 / 2 + rng.normal(size=1000) / 2], axis=-1)
    log_density = (
        np.logaddexp(stats.norm.logpdf(z_1, -2, 0.5),
                     stats.norm.logpdf(z_1, 2, 0.5)) - np.log(2)
        + stats.norm.logpdf(z[:, 1], z_1 / 2, 0.5))
    tf_keras.utils.set_random_seed(1)
    prior = SplineFlowPrior(2, 2, hidden_units=[16], dtype='float64')
    loss = flows.last_loss(prior, z)
    # The best Gaussian has the covariance of z.
    gaussian = -np.mean(stats.multivariate_normal(
        z.mean(0), np.cov(z.T)).logpdf(z))
    exact = -log_density.mean()
    self.assertLess(loss, exact + 0.2 * (gaussian - exact))
    # And it is a density still.
    self.assertAllClose(
        prior.distribution().log_prob(
            prior.distribution().bijector.forward(z[:9])),
        flows.numerical_log_prob(prior, z[:9]), rtol=1e-5, atol=1e-5)

  def test_settings_by_name(self):
    prior = PRIORS.make('spline', 4, settings={
        'prior_spline_layers': 2, 'prior_spline_bins': 6,
        'prior_spline_units': (5,)})
    self.assertEqual((prior.num_layers, prior.num_bins, prior.hidden_units),
                     (2, 6, (5,)))

  @parameterized.parameters(
      ({'event_size': 1}, 'use LearnedNormal.*event_size=1'),
      ({'num_layers': 0}, 'num_layers=0'), ({'num_bins': 1}, 'num_bins=1'),
      ({'hidden_units': [8, 0]}, 'hidden_units=0'), ({'bound': 0.}, 'bound=0'))
  def test_errors_name_the_value(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      SplineFlowPrior(**{'event_size': 2} | arguments)


if __name__ == '__main__':
  tf.test.main()
