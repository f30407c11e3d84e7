"""Imputations against the conditional of a linear Gaussian model, and SciPy."""

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf

from tests.incomplete_rows import COLUMNS
from tests.incomplete_rows import rows_of_table
from tests.incomplete_rows import table_vae
from tests.missing_linear_gaussian import MissingLinearGaussian
from tfvae.evaluation import impute
from tfvae.inference import posterior_predictive
from tfvae.inference import PosteriorPredictive
from tfvae.layers import SeededSample
from tfvae.models import image_vae


class LinearGaussianTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # The posterior is too wide, which the importance weights correct.
    cls.wide = MissingLinearGaussian(factor=1.3)
    cls.complete, cls.x = cls.wide.draw(150)
    cls.missing = np.isnan(cls.x)
    cls.mean, cls.scale = cls.wide.conditional(cls.x)
    cls.found = impute(cls.wide.model, cls.x, 2000, num_imputations=40)

  def _in_scales(self, values):
    return ((values - self.mean) / np.maximum(self.scale, 1e-12))[
        ..., self.missing]

  def test_means_and_intervals_are_those_of_the_conditional(self):
    for name, expected, error in (
        # Standard errors of a mean and of a 2.5 % quantile, in σ / √K.
        ('mean', 0., 1.), ('lower', -1.96, 2.67), ('upper', 1.96, 2.67)):
      bound = 4.5 * error / np.sqrt(self.found.effective_sample_size.min())
      self.assertAllInRange(self._in_scales(getattr(self.found, name)),
                            expected - bound, expected + bound)

  def test_imputations_are_draws_of_the_conditional(self):
    draws = self._in_scales(self.found.imputations)
    for row in draws.T:
      self.assertGreater(stats.kstest(row, 'norm').pvalue, 1e-6)
    # The draws of different examples and cells are independent.
    self.assertNear(draws.std(), 1., 4 / np.sqrt(2 * draws.size))

  def test_intervals_cover_the_hidden_values(self):
    inside = ((self.complete >= self.found.lower)
              & (self.complete <= self.found.upper))[self.missing]
    error = np.sqrt(0.05 * 0.95 / inside.size)
    self.assertNear(inside.mean(), 0.95, 4 * error)

  def test_observed_values_stay(self):
    for values in (self.found.mean, self.found.lower, self.found.upper,
                   *self.found.imputations):
      self.assertAllEqual(values[~self.missing], self.x[~self.missing])

  def test_log_densities_are_those_of_the_conditional(self):
    predictive = posterior_predictive(
        self.wide.model, self.x, SeededSample(tf.constant([0, 1]), 4000))
    found = predictive.log_prob_of_elements(self.complete).numpy()
    expected = stats.norm(self.mean, np.maximum(self.scale, 1e-12)).logpdf(
        self.complete)
    self.assertAllClose(found[self.missing], expected[self.missing], atol=0.2)
    self.assertNear(np.mean((found - expected)[self.missing]), 0., 0.01)


class MixtureTest(parameterized.TestCase, tf.test.TestCase):

  def test_quantiles_against_sorting(self):
    rng = np.random.default_rng(0)
    weights = np.float32(rng.dirichlet(np.ones(7), 3))
    draws = np.float32(rng.normal(size=[3, 7, 2, 2]))
    mixture = PosteriorPredictive(
        tf.fill([3, 2, 2], np.nan), tf.constant(weights), None)
    found = mixture.quantiles(tf.constant(draws), (0.1, 0.5, 1.)).numpy()
    for i, j, k in np.ndindex(3, 2, 2):
      order = np.argsort(draws[i, :, j, k])
      for q, level in enumerate((0.1, 0.5, 1.)):
        below = np.cumsum(np.float64(weights[i][order]))
        expected = draws[i, order, j, k][
            min(6, np.searchsorted(below, level - 1e-6))]
        self.assertEqual(found[q, i, j, k], expected)
    self.assertAllClose(mixture.effective_sample_size,
                        1 / np.square(weights).sum(axis=1))

  def test_the_mode_of_a_column_is_that_of_the_mixture(self):
    model, (_, x) = table_vae(), rows_of_table(20)
    predictive = posterior_predictive(
        model, x, SeededSample(tf.constant([0, 1]), 9))
    found = predictive.mean().numpy()
    # p(x_c = code) by evaluating the log-density of each code.
    for i, column in enumerate(COLUMNS):
      missing = np.isnan(x[:, i])
      if not column.categories:
        continue
      nats = []
      for code in range(column.num_codes):
        values = np.where(np.isnan(x), 1., x)
        values[:, i] = code
        nats.append(predictive.log_prob_of_elements(
            np.float32(values)).numpy()[:, i])
      self.assertAllClose(special.logsumexp(nats, axis=0), np.zeros(20),
                          atol=1e-4)
      self.assertAllEqual(
          found[missing, i], np.argmax(nats, axis=0)[missing])


class RuleTest(parameterized.TestCase, tf.test.TestCase):

  def test_an_example_without_observed_values_gets_the_prior(self):
    exact = MissingLinearGaussian()
    found = impute(exact.model, np.full([2, 6], np.nan, np.float32), 4000)
    scale = np.sqrt(np.square(exact.loadings).sum(axis=1) + 0.6**2)
    self.assertAllClose(found.mean[0], exact.bias, atol=4.5 * scale.max() / 60)

  def test_results_depend_on_the_seed_alone(self):
    model, (_, x) = table_vae(), rows_of_table(20)
    one, other = (impute(model, data, 20, seed=3)
                  for data in (x, tf.data.Dataset.from_tensors(x)))
    self.assertAllEqual(one.imputations, other.imputations)
    self.assertNotAllEqual(
        one.imputations, impute(model, x, 20, seed=4).imputations)

  def test_few_effective_draws_are_reported(self):
    model, (_, x) = table_vae(), rows_of_table(20)
    x[:, 0] = 1e4  # Hardly any draw explains it.
    with self.assertLogs('tfvae', 'WARNING') as logs:
      impute(model, x, 20)
    self.assertIn('of 20 examples have an effective sample size',
                  logs.output[0])

  @parameterized.parameters(
      ({'num_draws': 1}, 'num_draws=1'), ({'level': 1.}, 'level=1.0'),
      ({'num_imputations': 0}, 'num_imputations=0'))
  def test_wrong_arguments_are_refused(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      impute(table_vae(), rows_of_table(4)[1], **arguments)

  def test_a_model_of_complete_data_is_refused(self):
    model = image_vae('z:2', (4, 4, 1), hidden_units=(4,))
    with self.assertRaisesRegex(ValueError, 'takes complete data only'):
      impute(model, np.zeros([2, 4, 4, 1], np.float32))


if __name__ == '__main__':
  tf.test.main()
