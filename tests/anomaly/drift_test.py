"""Tests of drift against SciPy and scikit-learn, on samples that differ."""

import dataclasses
import json

from absl.testing import parameterized
import numpy as np
from scipy import stats
from sklearn.metrics import pairwise
import tensorflow as tf

from tests.incomplete_rows import COLUMNS
from tests.incomplete_rows import rows_of_table
from tfvae.anomaly.drift import drift
from tfvae.anomaly.drift import Reference
from tfvae.anomaly.drift import sample_rows
from tfvae.anomaly.mean_discrepancy import kernel_two_sample_test


def _sample(rows, seed):
  rng = np.random.default_rng(seed)
  return {'elbo': rng.gamma(3, size=rows)}, rng.normal(size=[rows, 3])


def _reference(rows=600):
  scores, latents = _sample(rows, 0)
  return Reference(scores, latents, ('z[0]', 'z[1]', 'z[2]'))


def _by_name(found):
  return {(test['kind'], test['name']): test for test in found['tests']}


class DriftTest(tf.test.TestCase, parameterized.TestCase):

  def test_nothing_is_reported_where_nothing_moves(self):
    found = [drift(_reference(), *_sample(400, seed), level=0.05,
                             num_permutations=100)
             for seed in range(1, 26)]
    count = sum(f['has_drifted'] for f in found)
    self.assertLessEqual(count, stats.binom(25, 0.05).ppf(0.999))

  def test_what_moves_is_named_first(self):
    reference, (scores, latents) = _reference(), _sample(400, 1)
    latents[:, 1] += 0.5
    found = drift(reference, scores, latents)
    self.assertTrue(found['has_drifted'])
    self.assertEqual(found['moved_most'][0], 'latent z[1]')
    self.assertIn('latents together', found['moved_most'])
    self.assertNotIn('score elbo', found['moved_most'])
    test = _by_name(found)['latent', 'z[1]']
    expected = stats.ks_2samp(reference.latents[:, 1], latents[:, 1])
    self.assertNear(test['statistic'], expected.statistic, 1e-12)
    self.assertNear(np.log(test['p_value'] / expected.pvalue), 0, 0.2)
    self.assertNear(test['adjusted_p_value'], 2 * 4 * test['p_value'], 1e-15)
    self.assertNear(test['new_median'] - test['reference_median'], 0.5, 0.15)
    self.assertEqual(found, json.loads(json.dumps(found)))

  def test_corrections_are_those_of_scipy(self):
    reference, (scores, latents) = _reference(), _sample(400, 1)
    latents[:, 0] += 0.2
    found = drift(
        reference, scores, latents, correction='benjamini_hochberg')
    p_values = [test['p_value'] for test in found['tests']]
    self.assertAllClose(
        [test['adjusted_p_value'] for test in found['tests']],
        [*np.minimum(1, 2 * stats.false_discovery_control(
            p_values[:-1], method='bh')), 2 * p_values[-1]])
    with self.assertRaisesRegex(ValueError, "correction='none'"):
      drift(reference, scores, latents, correction='none')

  def test_columns_have_the_test_of_their_kind(self):
    scores, latents = _sample(500, 0)
    codes, _ = rows_of_table(500)
    _, reference_codes = rows_of_table(500, seed=1)
    reference = dataclasses.replace(
        _reference(500), codes=reference_codes, columns=COLUMNS)
    rng = np.random.default_rng(2)
    codes = np.where(rng.random(codes.shape) < 0.3, np.nan, codes)
    codes[:250, 3] = 1  # The sex is female less often.
    codes[:, 0] += 2.
    codes[:150, 6] = np.nan
    found = _by_name(drift(reference, scores, latents, codes))
    length = found['column', 'length']
    self.assertEqual(length['test'], 'kolmogorov_smirnov')
    expected = stats.ks_2samp(*(
        values[:, 0][~np.isnan(values[:, 0])]
        for values in (reference_codes, codes)))
    self.assertNear(length['statistic'], expected.statistic, 1e-12)
    self.assertTrue(length['has_drifted'])
    sex = found['column', 'sex']
    table = np.array([
        [np.sum(sexes == 0), np.sum(sexes == 1), np.sum(np.isnan(sexes))]
        for sexes in (reference_codes[:, 3], codes[:, 3])])
    chi2 = stats.chi2_contingency(table, correction=False)
    self.assertNear(np.log(sex['p_value'] / chi2.pvalue), 0, 1e-9)
    self.assertNear(sex['statistic'], stats.contingency.association(table),
                    1e-12)
    self.assertEqual(sex['value'], 'm')
    self.assertNear(sex['new_share'], table[1, 1] / 500, 1e-12)
    self.assertTrue(found['missing values', 'day']['has_drifted'])
    self.assertEqual(found['missing values', 'day']['value'], 'missing')
    for name in ('mass', 'eggs', 'island', 'size'):
      self.assertFalse(found['column', name]['has_drifted'], name)

  def test_empty_and_constant_columns_do_not_drift(self):
    scores, latents = _sample(20, 0)
    codes = np.zeros([20, 7])
    codes[:, 0] = np.nan
    reference = dataclasses.replace(
        _reference(20), codes=codes, columns=COLUMNS)
    found = drift(reference, scores, latents, codes)
    self.assertFalse(found['has_drifted'])
    self.assertAllInRange([t['p_value'] for t in found['tests']], 0.01, 1.)

  @parameterized.parameters(
      ({}, np.zeros([5, 3]), None, r'lack \[.elbo.\]'),
      ({'elbo': np.zeros(5)}, np.zeros([5, 2]), None, r'shape=\(5, 2\)'))
  def test_rows_that_do_not_fit_are_an_error(
      self, scores, latents, columns, message):
    with self.assertRaisesRegex(ValueError, message):
      drift(_reference(), scores, latents, columns)

  def test_a_table_needs_its_codes(self):
    reference = dataclasses.replace(
        _reference(40), codes=rows_of_table(40)[0], columns=COLUMNS)
    with self.assertRaisesRegex(ValueError, 'for 7 columns'):
      drift(reference, *_sample(30, 1))

  def test_samples_of_rows_are_in_order_and_repeatable(self):
    rows = np.arange(5000)
    found = sample_rows(rows, seed=3)
    self.assertLen(found, 2000)
    self.assertTrue((np.diff(found) > 0).all())
    self.assertAllEqual(found, sample_rows(rows, seed=3))
    self.assertAllEqual(sample_rows(rows[:9], seed=3), rows[:9])


class KernelTestTest(tf.test.TestCase):

  def test_statistic_is_that_of_a_kernel_of_scikit_learn(self):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=[30, 4]), rng.normal(0.3, 1, size=[20, 4])
    rows = np.concatenate([x, y])
    distances = pairwise.euclidean_distances(rows)
    sigma = np.median(distances[np.triu_indices(50, 1)])
    kernel = pairwise.rbf_kernel(rows, gamma=1 / (2 * sigma**2))
    np.fill_diagonal(kernel, np.nan)
    expected = (np.nanmean(kernel[:30, :30]) + np.nanmean(kernel[30:, 30:])
                - 2 * np.mean(kernel[:30, 30:]))
    found = kernel_two_sample_test(x, y)
    self.assertNear(found.bandwidth, sigma, 1e-10)
    self.assertNear(found.statistic, expected, 1e-12)

  def test_p_values_are_uniform_under_the_hypothesis(self):
    rng = np.random.default_rng(1)
    p_values = [kernel_two_sample_test(
        rng.normal(size=[12, 2]), rng.normal(size=[9, 2]), 199, seed).p_value
                for seed in range(200)]
    self.assertGreater(stats.kstest(p_values, 'uniform').pvalue, 0.01)

  def test_variances_that_differ_are_found(self):
    rng = np.random.default_rng(2)
    found = kernel_two_sample_test(
        rng.normal(size=[200, 2]), rng.normal(0, 2, size=[200, 2]))
    self.assertEqual(found.p_value, 1 / 501)

  def test_equal_rows_and_small_samples(self):
    found = kernel_two_sample_test(np.ones([5, 2]), np.ones([4, 2]), 50)
    self.assertEqual(found.p_value, 1)
    with self.assertRaisesRegex(ValueError, '1 and 4 rows'):
      kernel_two_sample_test(np.ones([1, 2]), np.ones([4, 2]))


if __name__ == '__main__':
  tf.test.main()
