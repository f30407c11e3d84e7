"""Scores of hidden values against closed forms and a double sum."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf

from tests.missing_linear_gaussian import MissingLinearGaussian
from tfvae.evaluation.imputation import scores
from tfvae.evaluation.imputation.impute import predictive

_DRAWS = 4000


def _crps_of_normal(mean, scale, y):
  """Returns the CRPS of N(mean, scale²); Gneiting and Raftery, 2007."""
  u = (y - mean) / scale
  return scale * (u * (2 * stats.norm.cdf(u) - 1) + 2 * stats.norm.pdf(u)
                  - 1 / np.sqrt(np.pi))


class CrpsTest(parameterized.TestCase, tf.test.TestCase):

  def test_is_the_double_sum(self):
    rng = np.random.default_rng(0)
    draws = np.round(rng.normal(size=[20, 15]), 1)  # With ties.
    weights = rng.dirichlet(np.ones(15), size=20)
    y = rng.normal(size=20)
    expected = np.sum(weights * np.abs(draws - y[:, np.newaxis]), axis=1)
    expected -= 0.5 * np.einsum(
        'ck,cl,ckl->c', weights, weights,
        np.abs(draws[:, :, np.newaxis] - draws[:, np.newaxis]))
    self.assertAllClose(scores.crps(draws, weights, y), expected, atol=1e-12)

  @parameterized.parameters(0., 20_000.)  # Days since 1970.
  def test_many_draws_have_that_of_their_distribution(self, loc):
    rng = np.random.default_rng(0)
    draws = np.float32(loc + 2 * rng.normal(size=[5, 100_000]))
    weights = np.full(draws.shape, 1 / draws.shape[1], np.float32)
    y = np.float32(loc + np.array([-4., -1., 0., 0.5, 9.]))
    self.assertAllClose(scores.crps(draws, weights, y),
                        _crps_of_normal(loc, 2., np.float64(y)), atol=0.02)

  def test_one_draw_has_its_absolute_error(self):
    self.assertAllClose(scores.crps(
        np.array([[3.]]), np.ones([1, 1]), np.array([5.])), [2.])


class LinearGaussianTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.exact = MissingLinearGaussian(factor=1.2)
    cls.x, given = cls.exact.draw(300, seed=3)
    cls.mask = np.isnan(given)
    found, draws = predictive(
        cls.exact.model, tf.constant(given), _DRAWS, tf.constant([0, 1]))
    cls.found = found
    parts = tf.nest.map_structure(
        np.array, scores.hidden_values(found, draws, cls.x, cls.mask))
    cls.scores = scores.scores(parts, cls.x, cls.mask, first=100)
    cls.mean, cls.scale = (
        part[cls.mask] for part in cls.exact.conditional(given))
    cls.y = np.float64(cls.x[cls.mask])

  def test_places_of_the_values(self):
    self.assertAllEqual(np.stack([
        self.scores.rows - 100, self.scores.elements], 1),
                        np.argwhere(self.mask))

  def test_errors_are_those_of_the_conditional_mean(self):
    # About 1 / √K of the conditional standard deviation, at a low sample size
    # more.
    error = 6 * self.scale.max() / np.sqrt(
        self.found.effective_sample_size.numpy().min())
    self.assertAllClose(self.scores.errors, self.mean - self.y, atol=error)

  def test_crps_is_that_of_the_conditional(self):
    difference = self.scores.crps - _crps_of_normal(
        self.mean, self.scale, self.y)
    self.assertNear(difference.mean(), 0., 5 * difference.std() / np.sqrt(
        len(difference)) + 1e-3)
    self.assertAllClose(difference, 0 * difference, atol=0.15)

  def test_log_density_is_that_of_the_conditional(self):
    self.assertAllClose(
        self.scores.log_density,
        stats.norm.logpdf(self.y, self.mean, self.scale), atol=0.2)

  def test_intervals_are_those_of_the_conditional(self):
    for level, covered in zip(scores.LEVELS, self.scores.covered.T,
                              strict=True):
      n = len(covered)
      self.assertNear(covered.mean(), level,
                      4 * np.sqrt(level * (1 - level) / n))
      u = np.abs(self.y - self.mean) / self.scale
      inside = u < stats.norm.ppf(0.5 + level / 2)
      self.assertGreater(np.mean(covered == inside), 0.95)

  def test_without_draws_there_is_no_interval(self):
    parts = tf.nest.map_structure(np.array, scores.hidden_values(
        self.found, None, self.x, self.mask))
    found = scores.scores(parts, self.x, self.mask)
    self.assertIsNone(found.covered)
    self.assertIsNone(found.crps)
    self.assertAllEqual(found.log_density, self.scores.log_density)


class PartsTest(tf.test.TestCase):

  def test_points_parts_and_concatenation(self):
    x = np.array([[1., 2.], [0., 4.]])
    mask = np.array([[False, True], [True, True]])
    found = scores.point_scores(x + [[0.2, 0.7], [0.4, -3.]], x, mask)
    self.assertAllClose(found.errors, [0.7, 0.4, -3.])
    self.assertAllClose(found.crps, [0.7, 0.4, 3.])
    self.assertAllEqual(found.is_correct, [False, True, False])
    self.assertAllEqual(found.rows, [0, 1, 1])
    part = found.where(found.elements == 1)
    self.assertAllClose(part.errors, [0.7, -3.])
    self.assertIsNone(part.covered)
    self.assertAllClose(scores.Scores.concatenated([found, part]).errors,
                        [0.7, 0.4, -3., 0.7, -3.])


if __name__ == '__main__':
  tf.test.main()
