"""Conformal p-values against their definition and their exact distribution."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf

from tfvae.anomaly import conformal


def _interval_of_mean(distribution, most, count, level):
  """Returns the exact central interval of the mean of independent counts.

  Args:
    distribution: Distribution of one count, 0 to `most`.
    most: Largest count.
    count: Number of independent counts.
    level: Probability of the interval.
  """
  pmf = distribution.pmf(np.arange(most + 1))
  size = count * most + 1
  total = np.fft.irfft(np.fft.rfft(pmf, size)**count, size)  # Convolution.
  cdf = np.cumsum(total)
  return np.searchsorted(cdf, [(1 - level) / 2, (1 + level) / 2]) / count


class ConformalTest(tf.test.TestCase, parameterized.TestCase):

  def test_p_values_equal_their_definition_with_ties_and_infinities(self):
    rng = np.random.default_rng(0)
    calibration = rng.integers(0, 20, 57) / 4
    scores = np.append(rng.integers(-4, 24, 200) / 4, [-np.inf, np.inf, np.nan])
    expected = [
        (1 + sum(1 for c in calibration if c >= s)) / 58 for s in scores[:-1]]
    p_values = conformal.conformal_p_values(calibration, scores)
    self.assertAllEqual(p_values[:-1], expected)
    self.assertEqual(p_values[-1], 1 / 58)  # NaN is an alarm.
    # The tensor has the same ranks, without any tolerance.
    ordered = np.sort(calibration)
    for dtype in (np.float32, np.float64):
      self.assertAllEqual(
          conformal.conformal_ranks(ordered.astype(dtype), scores),
          conformal.conformal_ranks_tensor(
              tf.constant(ordered, dtype), tf.constant(scores, dtype)))

  def test_calibration_scores_that_are_wrong_are_named(self):
    for wrong in ([], [1., np.nan], [[1., 2.]]):
      with self.assertRaisesRegex(ValueError, 'one score for each row'):
        conformal.conformal_p_values(np.array(wrong), np.zeros(2))

  def test_largest_rank_is_that_of_the_comparison_of_p_values(self):
    for n in [*range(1, 130), 999, 9999]:
      p_values = np.arange(1, n + 2) / (n + 1)
      for rate in (0.001, 0.01, 0.05, 0.07, 0.1, 0.29, 0.5, 0.57, 0.58, 0.99):
        self.assertEqual(conformal.largest_rank(n, rate),
                         np.sum(p_values <= rate), (n, rate))
    self.assertEqual(conformal.largest_rank(99, 0.29), 29)  # Not 28.

  @parameterized.parameters((0.1, 9), (0.01, 99), (0.001, 999), (0.3, 3),
                            (0.5, 1), (0.07, 14), (0.9, 1))
  def test_too_few_rows_name_the_number_needed(self, rate, required):
    self.assertEqual(conformal.required_rows(rate), required)
    self.assertGreaterEqual(conformal.FalseAlarms(required, rate).rank, 1)
    with self.assertRaisesRegex(
        ValueError, f'needs {required} or more .*Received: {required - 1} '):
      conformal.FalseAlarms(required - 1, rate)

  def test_rates_outside_of_0_and_1_are_named(self):
    for rate in (0, 1, 1.5, -0.1):
      with self.assertRaisesRegex(ValueError, f'false_alarm_rate={rate}'):
        conformal.required_rows(rate)

  @parameterized.parameters(0.1, 0.01)
  def test_mean_rate_of_random_splits_is_in_its_exact_interval(self, rate):
    rng = np.random.default_rng(1)
    pool = rng.standard_t(3, 1200)  # One data set, no two scores equal.
    n, m, splits = 700, 500, 200
    bounds = conformal.FalseAlarms(n, rate)
    shares = []
    for _ in range(splits):
      scores = rng.permutation(pool)
      shares.append(np.mean(
          conformal.conformal_p_values(scores[:n], scores[n:]) <= rate))
    # Given the pool, the splits are independent, and the number of alarms of
    # each is exactly beta-binomial.
    exact = stats.betabinom(m, bounds.rank, n + 1 - bounds.rank)
    low, high = _interval_of_mean(exact, m, splits, 0.99) / m
    self.assertBetween(np.mean(shares), low, high)
    self.assertLess(high - low, 0.25 * rate)  # The interval says something.
    self.assertNear(exact.mean() / m, bounds.expected, 1e-12)
    # Single splits are in their own intervals as often as these promise.
    low, high = bounds.observed_interval(m, 0.9)
    within = np.mean([low <= share <= high for share in shares])
    promised = exact.cdf(round(high * m)) - exact.cdf(round(low * m) - 1)
    self.assertGreaterEqual(promised, 0.9)
    self.assertNear(
        within, promised, 3.5 * np.sqrt(promised * (1 - promised) / splits))

  def test_rate_given_the_calibration_rows_has_a_beta_distribution(self):
    bounds, rng = conformal.FalseAlarms(199, 0.05), np.random.default_rng(2)
    # Of uniform scores, 1 − the threshold is the rate itself.
    rates = [1 - np.sort(rng.random(199))[-bounds.rank] for _ in range(2000)]
    test = stats.kstest(rates, stats.beta(10, 190).cdf)
    self.assertGreater(test.pvalue, 0.01)
    low, high = bounds.interval(0.9)
    within = np.mean([low <= rate <= high for rate in rates])
    self.assertNear(within, 0.9, 3.5 * np.sqrt(0.09 / 2000))

  def test_tied_scores_cause_no_more_alarms(self):
    rng, rates = np.random.default_rng(3), []
    for _ in range(200):
      scores = rng.poisson(2, 800)
      rates.append(np.mean(conformal.conformal_p_values(
          scores[:300], scores[300:]) <= 0.1))
    self.assertLess(np.mean(rates), 30 / 301)

  def test_false_discovery_rate_is_the_step_up_procedure(self):
    rng = np.random.default_rng(4)
    for rate in (0.05, 0.2):
      for _ in range(20):
        m = int(rng.integers(1, 40))
        p_values = rng.random(m)**3
        ordered = np.sort(p_values)
        below = [i for i in range(1, m + 1) if ordered[i - 1] <= rate * i / m]
        cut = ordered[max(below) - 1] if below else -1
        self.assertAllEqual(
            conformal.false_discovery_rate(p_values, rate), p_values <= cut)
    self.assertEmpty(conformal.false_discovery_rate(np.zeros([0])))

  def test_false_discoveries_of_conformal_p_values_are_rare(self):
    rng, shares, found = np.random.default_rng(5), [], []
    for _ in range(200):
      scores = np.append(rng.normal(size=180), rng.normal(4, 1, size=20))
      reported = conformal.false_discovery_rate(
          conformal.conformal_p_values(rng.normal(size=1000), scores), 0.1)
      shares.append(np.mean(~(np.arange(200) >= 180)[reported])
                    if reported.any() else 0)
      found.append(np.mean(reported[180:]))
    error = np.std(shares) / np.sqrt(200)
    self.assertLess(np.mean(shares), 0.1 + 3 * error)
    self.assertGreater(np.mean(found), 0.9)


if __name__ == '__main__':
  tf.test.main()
