"""Statistics of ranks that are drawn by NumPy, uniform and not."""

import json

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf

from tfvae.evaluation.calibration.rank_statistics import Calibration


def _uniform(n=1000, size=3, seed=0):
  ranks = np.random.default_rng(seed).integers(0, 200, size=(n, size))
  return Calibration({'z': ranks}, 199, 20)


class CalibrationTest(tf.test.TestCase, parameterized.TestCase):

  def test_histograms_count_every_rank_once(self):
    calibration = Calibration(
        {'a': np.array([[0], [1], [4], [5], [9]]),
         'b': np.array([[9, 2]] * 5)}, 9, 5)
    self.assertAllEqual(calibration.histograms['a'], [[2, 0, 2, 0, 1]])
    self.assertAllEqual(
        calibration.histograms['b'], [[0, 0, 0, 0, 5], [0, 5, 0, 0, 0]])
    self.assertEqual(calibration.num_simulations, 5)

  def test_band_holds_its_share_of_the_bins(self):
    calibration = _uniform(size=500)
    low, high = calibration.histogram_band()
    counts = calibration.histograms['z']
    expected = (stats.binom.cdf(high, 1000, 1 / 20)
                - stats.binom.cdf(low - 1, 1000, 1 / 20))
    self.assertBetween(expected, 0.95, 0.97)
    # 10,000 bins, those of one dimension dependent on each other but slightly.
    self.assertAllClose(
        np.mean((counts >= low) & (counts <= high)), expected,
        atol=4 * np.sqrt(0.05 / 10000))

  def test_cumulative_band_holds_all_sums_at_once(self):
    calibration = _uniform(size=1000, seed=1)
    low, high = calibration.cumulative_band()
    self.assertEqual((low.shape, high.shape), ((19,), (19,)))
    sums = calibration.histograms['z'].cumsum(axis=1)[:, :-1]
    within = np.all((sums >= low) & (sums <= high), axis=1).mean()
    # Of 1,000 dimensions, and of the 2,000 paths that the level comes from.
    error = np.sqrt(0.95 * 0.05 * (1 / 1000 + 1 / 2000))
    self.assertAllClose(within, 0.95, atol=3.5 * error)

  def test_p_values_are_uniform_for_uniform_ranks(self):
    p_values = _uniform(size=500).p_values['z']
    self.assertGreater(stats.kstest(p_values, 'uniform').pvalue, 1e-3)

  def test_significance_is_that_of_all_dimensions(self):
    failures = sum(not _uniform(n=200, size=4, seed=seed).is_calibrated(0.2)
                   for seed in range(300))
    # At most 300 · 0.2 except for noise, and no fewer for independent tests.
    expected = 300 * (1 - 0.95**4)
    self.assertAllClose(
        failures, expected, atol=4 * np.sqrt(expected * 0.8))

  def test_coverage(self):
    """Ranks 5, …, 194 are the central 95 % of 200."""
    calibration = Calibration(
        {'z': np.array([[4], [5], [50], [100], [194], [195]])}, 199, 20)
    self.assertAllClose(calibration.coverage(0.95)[0]['z'], [4 / 6])
    self.assertAllClose(calibration.coverage(0.95)[1], 0.95)
    self.assertAllClose(calibration.coverage(0.5)[0]['z'], [2 / 6])
    # Of ten ranks, each tail of a 95 % interval has 0.25: no rank is outside.
    coverage, nominal = Calibration(
        {'z': np.array([[0], [9]])}, 9, 5).coverage(0.95)
    self.assertAllClose((coverage['z'], nominal), ([1.0], 1.0))

  def test_says_which_latent_is_off_and_how(self):
    good = _uniform(size=1).ranks['z']
    low = good // 2
    narrow = np.where(good < 100, low, 199 - (199 - good) // 2)
    calibration = Calibration(
        {'a': np.hstack([good, low, narrow]), 'b': good}, 199, 20)
    self.assertLen(calibration.describe(), 1)
    sentence = calibration.describe()[0]
    self.assertIn('q(a|x) is not calibrated in 2 of 3', sentence)
    self.assertIn('too narrow in 1, shifted in 1', sentence)

  def test_is_plain_data(self):
    calibration = _uniform()
    result = json.loads(json.dumps(calibration.to_dict()))
    self.assertTrue(result['is_calibrated'])
    self.assertAllClose(
        result['latents']['z']['p_values'], calibration.p_values['z'])
    self.assertAllClose(result['latents']['z']['coverage']['0.8'],
                        calibration.coverage(0.8)[0]['z'])

  @parameterized.parameters(0.0, 1.0, 95)
  def test_refuses_a_level(self, level):
    with self.assertRaisesRegex(ValueError, f'level={level}'):
      _uniform().coverage(level)


if __name__ == '__main__':
  tf.test.main()
