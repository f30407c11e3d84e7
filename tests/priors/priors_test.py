"""Properties of every prior: a density, and draws that follow it."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae import priors
from tfvae.layers import MultivariateNormalDiag

tfpl = tfp.layers

_INPUT_SHAPE = (2, 3, 1)


def _vamp(params_size, make_posterior):
  """A VampPrior whose encoder is one matrix."""
  rng = np.random.default_rng(3)
  matrix = rng.normal(size=(6, params_size)).astype(np.float32)
  prior = priors.VampPrior(2, 5, _INPUT_SHAPE)
  prior.bind(lambda u: make_posterior(
      tf.reshape(u, [-1, 6]) @ (matrix - matrix.mean(axis=0)), 2))
  return prior


_PRIORS = {
    'standard_normal': lambda: priors.StandardNormal(2),
    'learned_normal': lambda: priors.LearnedNormal(2),
    'gaussian_mixture': lambda: priors.GaussianMixture(2, 3),
    'vamp': lambda: _vamp(4, MultivariateNormalDiag.new),
    'vamp_of_full_covariance': lambda: _vamp(
        5, tfpl.MultivariateNormalTriL.new),
    'realnvp': lambda: priors.FlowPrior(2, 'realnvp', 3, [8]),
    'maf': lambda: priors.FlowPrior(2, 'maf', 3, [8]),
    'spline': lambda: priors.SplineFlowPrior(2, 2, 4, hidden_units=[8]),
}
_ALL = tuple({'testcase_name': name, 'make': make}
             for name, make in _PRIORS.items())


def _prior(make, scale=0.3):
  """A prior with random parameters, away from where it starts."""
  prior, rng = make(), np.random.default_rng(1)
  prior.set_weights([
      rng.normal(scale=scale, size=w.shape) for w in prior.get_weights()])
  return prior


class DensityTest(tf.test.TestCase, parameterized.TestCase):

  def _quadrature(self, prior):
    """Returns the nodes `[n, 2]` of a grid, and p(z) times a cell's area."""
    axis, step = np.linspace(-40, 40, 801, retstep=True)
    nodes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    log_prob = prior.distribution().log_prob(nodes.astype(np.float32))
    return nodes, np.exp(np.float64(log_prob)) * step**2

  @parameterized.named_parameters(*_ALL)
  def test_integrates_to_one(self, make):
    _, mass = self._quadrature(_prior(make))
    self.assertAllClose(mass.sum(), 1.0, atol=1e-4)

  @parameterized.named_parameters(*_ALL)
  def test_draws_have_the_moments_of_the_density(self, make):
    prior, n = _prior(make), 20_000
    nodes, mass = self._quadrature(prior)

    def draw(seed):
      return prior.distribution().sample(n, seed=seed)

    for function in (draw, tf.function(draw, jit_compile=True)):
      z = np.float64(function(tf.constant([0, 1])))
      self.assertEqual(z.shape, (n, 2))
      for i, j in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (2, 1), (1, 2)):
        expected = np.sum(mass * nodes[:, 0]**i * nodes[:, 1]**j)
        values = z[:, 0]**i * z[:, 1]**j
        standard_error = values.std() / n**0.5
        self.assertAllClose(values.mean(), expected, rtol=0,
                            atol=5 * standard_error, msg=f'moment {i}, {j}')

  @parameterized.named_parameters(*_ALL)
  def test_shapes(self, make):
    distribution = make().distribution()
    self.assertEqual(distribution.batch_shape, ())
    self.assertEqual(distribution.event_shape, (2,))
    for shape in ((), (4,), (3, 4)):
      z = distribution.sample(shape, seed=[0, 1])
      self.assertEqual(z.shape, (*shape, 2))
      self.assertAllEqual(z, distribution.sample(shape, seed=[0, 1]))
      self.assertEqual(distribution.log_prob(z).shape, shape)

  @parameterized.named_parameters(*_ALL)
  def test_same_log_density_under_xla(self, make):
    prior = _prior(make)
    z = np.random.default_rng(0).normal(size=(4, 9, 2)).astype(np.float32)
    log_prob = tf.function(
        lambda z: prior.distribution().log_prob(z), jit_compile=True)
    self.assertAllClose(
        log_prob(z), prior.distribution().log_prob(z), rtol=1e-4, atol=1e-5)

  @parameterized.named_parameters(*_ALL)
  def test_computes_in_float32_under_a_mixed_policy(self, make):
    prior = _prior(make)
    tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
    try:
      mixed = _prior(make)
    finally:
      tf_keras.mixed_precision.set_global_policy('float32')
    z = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    self.assertEqual(mixed.distribution().sample(seed=[0, 1]).dtype, tf.float32)
    self.assertAllClose(mixed.distribution().log_prob(z),
                        prior.distribution().log_prob(z), rtol=1e-6)


class RefusalTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (lambda: priors.LearnedNormal(0), 'at least 1.*event_size=0'),
      (lambda: priors.LearnedNormal(2.0), 'integer.*event_size=2.0'),
      (lambda: priors.LearnedNormal(2, dtype='float16'),
       'float32 or float64.*dtype=float16'),
      (lambda: priors.GaussianMixture(2, 0), 'num_components=0'),
      (lambda: priors.VampPrior(2, 0, (3,)), 'num_components=0'),
      (lambda: priors.VampPrior(2, 4, (3, 0)), 'input_shape=0'),
      (lambda: priors.VampPrior(2, 4, (3,), (1., 0.)),
       r'input_range=\(1.0, 0.0\)'),
      (lambda: priors.FlowPrior(1), 'use LearnedNormal.*event_size=1'),
      (lambda: priors.FlowPrior(2, 'nice'), "realnvp.*maf.*kind='nice'"),
      (lambda: priors.FlowPrior(2, num_layers=0), 'num_layers=0'),
      (lambda: priors.FlowPrior(2, hidden_units=[8, 0]), 'hidden_units=0'),
      (lambda: priors.FlowPrior(2, activation='tan'), 'tan'))
  def test_refuses(self, make, message):
    with self.assertRaisesRegex(ValueError, message):
      make()

  def test_a_prior_must_have_a_distribution(self):
    with self.assertRaisesRegex(NotImplementedError, 'Prior has no distrib'):
      priors.Prior(2).distribution()


if __name__ == '__main__':
  tf.test.main()
