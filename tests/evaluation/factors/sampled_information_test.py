"""Mutual information of latents and factors against quadrature."""

from absl.testing import parameterized
import numpy as np
from scipy import integrate
from scipy import stats
import tensorflow as tf

from tests.eager_case import EagerCase
from tests.linear_gaussian import LinearGaussian
from tests.linear_graphs import LinearModel
from tfvae.evaluation.factors.disentanglement import mutual_information_gap
from tfvae.evaluation.factors.factor_prediction import normalized_gap
from tfvae.evaluation.factors.representation import posterior_means
from tfvae.evaluation.factors.sampled_information import sampled_information
from tfvae.evaluation.factors.sampled_information import (
  sampled_mutual_information_gap,
)
from tfvae.evaluation.latents.latent_space import latent_space

_N = 1000


def _quadrature(loc, scale, values):
  """I(z; v) = H(z) − H(z|v) of mixtures, and the variance of the log-ratio."""
  grid = np.linspace((loc - 9 * scale).min(), (loc + 9 * scale).max(), 2001)
  density = stats.norm.pdf(grid[:, np.newaxis], loc, scale)  # [g, N]
  marginal, moments = density.mean(axis=1), np.zeros(2)
  for value in np.unique(values):
    conditional = density[:, values == value].mean(axis=1)
    log_ratio = np.log(conditional + 1e-300) - np.log(marginal + 1e-300)
    moments += np.mean(values == value) * integrate.simpson(
        conditional * [log_ratio, log_ratio**2], x=grid)
  return moments[0], moments[1] - moments[0]**2


def _entropy(values):
  return stats.entropy(np.unique(values, return_counts=True)[1])


class SampledInformationTest(EagerCase, parameterized.TestCase):

  def test_of_mixtures_is_that_of_quadrature(self):
    """Posteriors of other means and widths; m independent draws."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(3, size=_N), rng.integers(2, size=_N)], 1)
    loc = np.stack([2.0 * factors[:, 0] + rng.normal(size=_N),
                    0.8 * factors[:, 1] + 0.3 * factors[:, 0],
                    rng.normal(size=_N)], axis=1)
    scale = rng.uniform(0.2, 1.0, size=(_N, 3))
    z = loc + scale * rng.normal(size=loc.shape)
    rows = np.arange(0, _N, 2)
    actual = sampled_information(loc, scale, z, factors, rows, chunk_size=99)
    self.assertEqual(actual.shape, (3, 2))
    for j, k in np.ndindex(3, 2):
      expected, variance = _quadrature(loc[:, j], scale[:, j], factors[:, k])
      error = np.sqrt(variance / len(rows))
      self.assertLess(abs(actual[j, k] - expected), 4 * error + 1e-6)
      self.assertLess(error, 0.06)
    # Another chunk is another order of the sums.
    self.assertAllClose(actual, sampled_information(
        loc, scale, z, factors, rows, chunk_size=1000), rtol=1e-10)

  def test_gap_of_a_model_is_that_of_quadrature(self):
    """One factor is the sign of z_0's cause, the other is unrelated."""
    exact = LinearGaussian(norms=(2.0, 1.0, 0.0))
    means = exact.posterior_mean(exact.draw(_N))
    other = np.random.default_rng(1).integers(2, size=_N)
    factors = np.stack([(means[:, 0] > 0).astype(int), other], axis=1)
    scale = np.sqrt(exact.variance)
    gaps, errors = [], []
    for k, v in enumerate(factors.T):
      parts = [_quadrature(means[:, j], np.full(_N, scale[j]), v)
               for j in range(3)]
      second, first = sorted(parts)[-2:]
      gaps.append((first[0] - second[0]) / _entropy(v))
      errors.append((first[1] + second[1]) / _N / _entropy(v)**2)
      self.assertAllClose(parts[2][0], 0.0, atol=1e-6, msg=k)
    score = sampled_mutual_information_gap(
        exact.model, exact.dataset(_N, 500), factors)
    self.assertLess(abs(score - np.mean(gaps)), 4 * np.sqrt(np.sum(errors)) / 2)
    self.assertGreater(score, 0.2)  # As it should: half of one gap of 0.5.

  def test_an_unused_dimension_gets_next_to_nothing(self):
    """Its mean decides the factors, but its KL is 0.011 nats."""
    exact = LinearGaussian(norms=(0.1, 0.0, 0.0))
    data = exact.dataset(_N, 500)
    mean = exact.posterior_mean(exact.draw(_N))[:, 0]
    factors = np.stack([(mean > 0).astype(int), (np.abs(mean) > 0.1) * 1], 1)
    space = latent_space(exact.model, data, num_draws=2)
    self.assertBetween(space.latents['z'].kl_per_dimension[0], 0.005, 0.02)
    self.assertTrue(space.latents['z'].active[0])
    self.assertAllEqual(space.informative, [False] * 3)
    codes = posterior_means(exact.model, data, jit_compile=False)['z']
    self.assertGreater(mutual_information_gap(codes, factors), 0.5)
    self.assertEqual(mutual_information_gap(
        codes, factors, informative=space.informative), 0.0)
    # I(z_d; v) ≤ KL_d; the draws' error, by quadrature of both log-ratios.
    parts = [_quadrature(mean, np.full(_N, exact.variance[0]**0.5), v)
             for v in factors.T]
    error = np.sqrt(sum(variance / _N / _entropy(v)**2 for (_, variance), v
                        in zip(parts, factors.T, strict=True))) / 2
    score = sampled_mutual_information_gap(exact.model, data, factors)
    self.assertLess(score, 0.012 / _entropy(factors[:, 1]) + 4 * error)
    self.assertLess(score, 0.04)

  def test_of_a_single_dimension(self):
    """It holds all of one factor and nothing of the other."""
    factors = np.stack([np.arange(40) // 20, np.arange(40) % 2], axis=1)
    loc = 6.0 * factors[:, :1] - 3
    z = loc + 0.1 * np.random.default_rng(0).normal(size=loc.shape)
    information = sampled_information(
        loc, np.full_like(loc, 0.1), z, factors, np.arange(40))
    self.assertAllClose(information, [[np.log(2), 0.0]], atol=1e-12)
    self.assertAllClose(normalized_gap(information, factors), 0.5)

  @parameterized.parameters(
      (dict(num_draws=0), 'num_draws=0'), (dict(chunk_size=0), 'chunk_size=0'),
      (dict(factors=np.zeros([4, 2], int)), 'two values or more'),
      (dict(factors=np.eye(6, 2, dtype=int)), r'\(6, 2\), 4 examples'))
  def test_refuses(self, settings, message):
    exact = LinearGaussian()
    settings = {'factors': np.eye(4, 2, dtype=int)} | settings
    with self.assertRaisesRegex(ValueError, message):
      sampled_mutual_information_gap(
          exact.model, exact.dataset(4), **settings)

  def test_refuses_a_posterior_given_latents(self):
    linear = LinearModel('bottom_up')
    data = tf.data.Dataset.from_tensor_slices(
        linear.inputs(linear.data(4))).batch(4)
    with self.assertRaisesRegex(ValueError, "diagonal Gaussian.*'z2'"):
      sampled_mutual_information_gap(
          linear.model, data, np.eye(4, 2, dtype=int))


if __name__ == '__main__':
  tf.test.main()
