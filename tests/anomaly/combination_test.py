"""Combined scores against SciPy, and their calibration where scores depend."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf

from tfvae.anomaly import conformal
from tfvae.anomaly.combination import Combination


def _scores(rng, rows, shift=0.0):
  """Returns two scores that depend on each other, of different units."""
  first = rng.normal(shift, 1, rows)
  second = np.exp(0.9 * first + 0.3 * rng.normal(size=rows))
  return np.float32(np.stack([first, second], axis=1))


class CombinationTest(tf.test.TestCase, parameterized.TestCase):

  def test_statistics_equal_those_of_scipy(self):
    rng = np.random.default_rng(0)
    reference, scores = _scores(rng, 60), _scores(rng, 30)
    p_values = np.stack([
        conformal.conformal_p_values(reference[:, j], scores[:, j])
        for j in range(2)], axis=1)
    self.assertAllClose(
        Combination.of('fisher', reference)(scores),
        [stats.combine_pvalues(p, 'fisher').statistic for p in p_values],
        rtol=0, atol=3e-6)
    self.assertAllClose(
        Combination.of('harmonic', reference)(scores),
        [1 / stats.hmean(p) for p in p_values], rtol=0, atol=3e-6)

  @parameterized.parameters('fisher', 'harmonic')
  def test_tensors_equal_arrays_exactly(self, name):
    rng = np.random.default_rng(1)
    for columns in (1, 2):
      combination = Combination.of(name, _scores(rng, 500)[:, :columns])
      scores = _scores(rng, 400, 1.)[:, :columns]
      scores[0], scores[1] = np.inf, np.nan
      expected = combination(scores)
      self.assertEqual(expected.dtype, np.float64)
      self.assertAllEqual(
          combination.tensor([tf.constant(s) for s in scores.T]), expected)

  def test_one_score_is_its_own_statistic(self):
    scores = np.float32([[1], [3], [2]])
    combination = Combination.of('fisher', np.zeros([0, 1]))
    self.assertAllEqual(combination(scores), [1, 3, 2])

  @parameterized.parameters('fisher', 'harmonic')
  def test_rates_hold_where_scores_depend_on_each_other(self, name):
    rng, rates, usual = np.random.default_rng(2), [], []
    for _ in range(200):
      combination = Combination.of(name, _scores(rng, 200))
      calibration, new = (
          combination(_scores(rng, rows)) for rows in (300, 300))
      rates.append(np.mean(
          conformal.conformal_p_values(calibration, new) <= 0.05))
      usual.append(np.mean(stats.chi2(4).sf(new) <= 0.05))
    # Ties can only make alarms rarer.
    error = np.std(rates) / np.sqrt(200)
    self.assertBetween(np.mean(rates), 0.035, 15 / 301 + 3 * error)
    if name == 'fisher':  # As if the scores were independent.
      self.assertGreater(np.mean(usual), 0.08)

  def test_unknown_names_are_an_error(self):
    with self.assertRaisesRegex(
        ValueError, "one of fisher, harmonic. Received: combination='sum'"):
      Combination.of('sum', np.zeros([0, 1]))


if __name__ == '__main__':
  tf.test.main()
