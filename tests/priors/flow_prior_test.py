"""The flows: change of variables, start, fit and order of dimensions."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tests import flows
from tfvae.priors import FlowPrior

_KINDS = ('realnvp', 'maf')


def _flow(kind, event_size, num_layers=3):
  """A flow in float64 with random parameters."""
  prior = FlowPrior(event_size, kind, num_layers, [8, 6], dtype='float64')
  rng = np.random.default_rng(event_size)
  prior.set_weights([
      rng.normal(scale=0.5, size=w.shape) for w in prior.get_weights()])
  return prior


class FlowPriorTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(kind=_KINDS, event_size=[2, 5], num_layers=[1, 3])
  def test_log_density_equals_base_and_numerical_jacobian(
      self, kind, event_size, num_layers):
    prior = _flow(kind, event_size, num_layers)
    noise = np.random.default_rng(0).normal(size=(9, event_size))
    z = prior.distribution().bijector.forward(noise)
    self.assertAllClose(  # With bijectors that have not seen the noise.
        prior.distribution().log_prob(z),
        flows.numerical_log_prob(prior, noise),
        rtol=1e-7, atol=1e-7)

  @parameterized.product(kind=_KINDS, num_layers=[1, 2, 3],
                         hidden_units=[(), (6,)])
  def test_begins_as_the_identity(self, kind, num_layers, hidden_units):
    prior = FlowPrior(3, kind, num_layers, hidden_units)
    noise = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    distribution = prior.distribution()
    self.assertAllClose(distribution.bijector.forward(noise), noise)
    self.assertAllClose(distribution.log_prob(noise),
                        stats.norm.logpdf(noise).sum(axis=-1), rtol=1e-5)

  @parameterized.parameters(*_KINDS)
  def test_every_dimension_is_transformed_by_two_layers(self, kind):
    prior = _flow(kind, 3, num_layers=2)
    noise = np.random.default_rng(0).normal(size=(9, 3))
    moved = np.abs(prior.distribution().bijector.forward(noise) - noise)
    self.assertAllGreater(moved.max(axis=0), 1e-3)

  @parameterized.parameters(*_KINDS)
  def test_log_scale_is_bounded(self, kind):
    prior = _flow(kind, 2, num_layers=1)
    prior.set_weights([1e6 * w for w in prior.get_weights()])
    z = np.random.default_rng(0).normal(size=(9, 2))
    log_det = np.abs(prior.distribution().bijector.inverse_log_det_jacobian(
        z, event_ndims=1))
    self.assertAllInRange(log_det, 0.0, 6.0)  # Two dimensions of ±3 at most.
    self.assertGreater(log_det.max(), 2.99)  # Reached.

  @parameterized.parameters(*_KINDS)
  def test_fits_a_density_that_is_not_normal(self, kind):
    # z_1 = ε_1, z_2 = z_1² − 1 + ½ ε_2: dependent, though uncorrelated.
    noise = np.random.default_rng(0).normal(size=(1000, 2))
    z = np.stack([noise[:, 0], noise[:, 0]**2 - 1 + noise[:, 1] / 2], axis=-1)
    entropy = np.log(2 * np.pi * np.e) + np.log(0.5)
    tf_keras.utils.set_random_seed(1)
    prior = FlowPrior(2, kind, 3, [16], dtype='float64')
    loss = flows.last_loss(prior, z)
    # The best Gaussian: variances 1 and Var(z_1²) + ¼ = 2¼.
    gaussian = np.log(2 * np.pi * np.e) + np.log(2.25) / 2
    self.assertLess(loss, entropy + 0.1 * (gaussian - entropy))
    # And it is a density still.
    noise = noise[:9]
    z = prior.distribution().bijector.forward(noise)
    self.assertAllClose(
        prior.distribution().log_prob(z),
        flows.numerical_log_prob(prior, noise),
        rtol=1e-5, atol=1e-5)


if __name__ == '__main__':
  tf.test.main()
