"""Disentanglement of codes that are perfect, rotated, or know nothing."""

import functools
from unittest import mock
import warnings

from absl.testing import parameterized
import numpy as np
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
import tensorflow as tf

from tfvae.evaluation.factors import disentanglement
from tfvae.evaluation.factors import factor_prediction
from tfvae.evaluation.factors.disentanglement import disentanglement_scores
from tfvae.evaluation.factors.disentanglement import factor_vae_score
from tfvae.evaluation.factors.disentanglement import mutual_information_gap
from tfvae.evaluation.factors.disentanglement import why_not
from tfvae.evaluation.factors.factor_prediction import dci
from tfvae.evaluation.factors.factor_prediction import sap

_SIZES = (2, 3, 5)


def _factors(n=3000, sizes=_SIZES):
  rng = np.random.default_rng(0)
  return np.stack([rng.integers(size, size=n) for size in sizes], axis=1)


def _perfect(factors):
  """A dimension for each factor, shuffled and scaled, and one of noise."""
  noise = np.random.default_rng(1).normal(size=(len(factors), 1))
  codes = np.concatenate([factors * [3.0, -1.0, 0.2], noise], axis=1)
  return codes[:, [2, 3, 0, 1]]


def _rotated(factors):
  """Each dimension a mixture of all the factors."""
  rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]
  codes = _perfect(factors)
  return (codes / codes.std(axis=0)) @ rotation


def _random(factors):
  return np.random.default_rng(3).normal(size=(len(factors), 4))


_CODES = {'perfect': _perfect, 'rotated': _rotated, 'random': _random}


@functools.cache  # Twelve forests each.
def _dci(kind):
  return dci(_CODES[kind](_factors()), _factors())


def _of(score, **settings):
  return lambda kind: score(_CODES[kind](_factors()), _factors(), **settings)


_SCORES = {
    'mig': _of(mutual_information_gap),
    'disentanglement': lambda kind: _dci(kind)['disentanglement'],
    'completeness': lambda kind: _dci(kind)['completeness'],
    'sap': _of(sap, is_continuous=True),
    'factor_vae_score': _of(factor_vae_score, num_votes=2000),
}


class DisentanglementTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters((name, name) for name in _SCORES)
  def test_is_one_when_perfect_and_less_when_rotated(self, name):
    perfect, rotated, nothing = map(_SCORES[name], _CODES)
    chance = 1 / 3 if name == 'factor_vae_score' else 0.0
    # Estimates from 3,000 rows: mutual information is up to bins · values /
    # 2n = 0.02 nats above 0, a share of votes has a standard error of 0.015,
    # and depends a little on which rows have a value.
    self.assertAllClose(perfect, 1.0, atol=0.02)
    self.assertAllClose(nothing, chance, atol=0.1 if chance else 0.03)
    self.assertLess(rotated, 0.9)
    self.assertGreater(rotated, nothing)

  def test_informativeness_is_what_forests_predict(self):
    self.assertGreater(_dci('perfect')['informativeness'], 0.99)
    chance = np.mean([1 / size for size in _SIZES])
    error = np.sqrt(np.sum([(1 - 1 / s) / s for s in _SIZES]) / 1000) / 3
    self.assertAllClose(
        _dci('random')['informativeness'], chance, atol=5 * error)

  def test_dci_is_that_of_the_importances(self):
    """By SciPy's entropy, from a forest of the same settings fitted here."""
    factors = _factors(600)
    codes = _rotated(factors)
    train = np.random.default_rng(4).permutation(600)[:400]
    importance = []
    for factor in factors.T:
      forests = [RandomForestClassifier(
          30, max_features=None, min_samples_leaf=size, oob_score=True,
          random_state=4).fit(codes[train], factor[train])
                 for size in (64, 16, 4, 1)]
      best = np.argmax([forest.oob_score_ for forest in forests])
      importance.append(forests[best].feature_importances_)
    importance = np.transpose(importance)  # [d, f]
    scores = dci(codes, factors, seed=4)
    self.assertAllClose(scores['disentanglement'], np.average(
        1 - stats.entropy(importance, base=3, axis=1),
        weights=importance.sum(axis=1)))
    self.assertAllClose(scores['completeness'], np.average(
        1 - stats.entropy(importance, base=4, axis=0),
        weights=importance.sum(axis=0)))

  def test_mig_by_hand(self):
    """Ten rows of each cell of a table of counts; H in nats."""
    v1 = np.repeat([0, 0, 1, 1], 10)
    v2 = np.repeat([0, 1, 0, 1], 10)
    z1 = np.repeat([0.0, 0.0, 1.0, 1.0], 10)   # v1 itself
    z2 = np.where(np.arange(40) % 10 < 8, v2, 1 - v2)  # v2, wrong 2 in 10
    z3 = np.where(np.arange(40) % 10 < 6, v1, 1 - v1)  # v1, wrong 4 in 10

    def information(p):  # Of a binary symmetric channel, H(v) = log 2.
      return np.log(2) + p * np.log(p) + (1 - p) * np.log(1 - p)

    first = np.log(2) - information(0.4)  # z1 less z3
    second = information(0.2) - 0.0  # z2 less the others, independent of v2
    self.assertAllClose(
        mutual_information_gap(
            np.stack([z1, z2, z3], axis=1), np.stack([v1, v2], axis=1)),
        (first / np.log(2) + second / np.log(2)) / 2)

  def test_mig_bins_have_equal_width(self):
    """Four bins of [0, 1]: 0.24 and 0.26 part, 0.26 and 0.49 do not."""
    v = np.tile([0, 1], 30)
    other = np.repeat([0, 1], 30)
    ends = np.repeat([0.0, 1.0], [59, 1])  # Sets the range, knows nothing.
    codes = [np.where(v == 1, 0.26, 0.24), np.where(v == 1, 0.49, 0.26)]
    codes = np.stack([*codes, ends], axis=1)
    codes[:2, :2] = [[0.0, 0.0], [1.0, 1.0]]  # The range of the others.
    factors = np.stack([v, other], axis=1)

    def information(a, b):
      joint = np.zeros([5, 2])
      np.add.at(joint, (np.minimum((a * 4).astype(int), 3), b), 1 / 60)
      product = joint.sum(1, keepdims=True) * joint.sum(0)
      held = joint > 0
      return np.sum(joint[held] * np.log(joint[held] / product[held]))

    gaps = []
    for factor in factors.T:
      ranked = sorted(information(z, factor) for z in codes.T)
      gaps.append((ranked[-1] - ranked[-2]) / np.log(2))
    self.assertAllClose(
        mutual_information_gap(codes, factors, num_bins=4), np.mean(gaps))

  def test_sap_of_binary_factors(self):
    """By accuracy the second dimension guesses, so the most is one half."""
    factors = _factors(3000, (2, 2))
    error = 5 * np.sqrt(0.25 / 1000)
    self.assertAllClose(
        sap(2.0 * factors - 1, factors), 0.5, atol=error)
    self.assertAllClose(sap(_random(factors), factors), 0.0, atol=error)

  def test_sap_of_continuous_factors(self):
    """Squared correlations, by NumPy, and 0 of a constant dimension."""
    factors = _factors(200)
    codes = _rotated(factors)
    codes[:, 1] = 0.3
    squares = np.corrcoef(codes[:, [0, 2, 3]].T, factors.T)[:3, 3:]**2
    top = np.sort(squares, axis=0)
    self.assertAllClose(sap(codes, factors, is_continuous=True),
                        np.mean(top[-1] - top[-2]))

  def test_factor_vae_score_ignores_collapsed_dimensions(self):
    factors = _factors()
    codes = _perfect(factors)
    codes[:, 1] = 0.5
    self.assertEqual(factor_vae_score(codes, factors, num_votes=500), 1.0)
    self.assertEqual(factor_vae_score(0 * codes, factors), 0.0)

  def test_all_scores_repeat_with_a_seed(self):
    factors = _factors(600)
    codes = _rotated(factors)
    self._use_small_forests()
    scores = disentanglement_scores(codes, factors, seed=5)
    self.assertEqual(scores, disentanglement_scores(codes, factors, seed=5))
    self.assertEqual(scores, {
        'mig': mutual_information_gap(codes, factors),
        **{f'dci_{name}': value
           for name, value in dci(codes, factors, seed=5).items()},
        'sap': sap(codes, factors, seed=5),
        'factor_vae_score': factor_vae_score(codes, factors, seed=5)})

  def _use_small_forests(self):
    """For scores that are compared with others of the same forests."""
    self.enter_context(
        mock.patch.object(factor_prediction, '_TREES', 5))

  def test_dimensions_that_are_not_informative_are_left_out(self):
    """As if they were constant; the dimension of noise is one already."""
    self._use_small_forests()
    factors = _factors(600)
    codes = _perfect(factors)
    keep = np.array([True, False, True, False])
    held = np.where(keep, codes, 7.0)
    scores = disentanglement_scores(codes, factors, informative=keep)
    expected = disentanglement_scores(held, factors)
    for name, value in expected.items():
      self.assertAllClose(scores[name], value, msg=name)
    self.assertLess(scores['mig'], disentanglement_scores(
        codes, factors)['mig'] - 0.2)

  def test_mig_of_a_single_informative_dimension(self):
    """Its information, as the second-best has none."""
    v1, v2 = np.repeat([0, 0, 1, 1], 10), np.repeat([0, 1, 0, 1], 10)
    codes = np.stack([v1, v1 + 0.0], axis=1)
    factors = np.stack([v1, v2], axis=1)
    self.assertEqual(mutual_information_gap(codes, factors), 0.0)
    # I(z_0; v_1) / H(v_1) = 1, and 0 of v_2.
    self.assertAllClose(mutual_information_gap(
        codes, factors, informative=np.array([True, False])), 0.5)
    self.assertEqual(mutual_information_gap(
        codes, factors, informative=np.array([False, False])), 0.0)

  def test_a_value_that_is_in_no_training_row(self):
    """A linear classifier of one class would refuse its data."""
    v = np.zeros(30, int)
    rows = np.random.default_rng(0).permutation(30)
    v[rows[-2:]] = 1  # Held out by the split with seed 0.
    factors = np.stack([v, np.arange(30) % 2], axis=1)
    codes = np.random.default_rng(1).normal(size=(30, 2))
    scores = sap(codes, factors)
    self.assertTrue(np.isfinite(scores))
    # Of v each dimension guesses 8 of 10, so only the other factor differs.
    other = np.stack([factors[:, 1]] * 2, axis=1)
    self.assertAllClose(scores, sap(codes, other) / 2)

  def test_scores_give_no_warnings(self):
    factors = _factors(600)
    codes = _rotated(factors) * [1e-3, 1.0, 1e3, 0.0]
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      disentanglement_scores(codes, factors)

  @parameterized.parameters(
      (np.full([9, 2], np.nan), '9 rows that are not'),
      (np.full([8, 2], 1.0), r'codes.shape=\(8, 2\)'))
  def test_refuses_codes(self, codes, message):
    with self.assertRaisesRegex(ValueError, message):
      mutual_information_gap(codes, _factors(9))
    with self.assertRaisesRegex(ValueError, r'informative.shape=\(3,\)'):
      mutual_information_gap(
          np.ones([9, 2]), _factors(9), informative=np.ones(3, bool))

  @parameterized.parameters(
      (np.zeros([9, 1]), _factors(9), r'codes.shape=\(9, 1\)'),
      (np.zeros([8, 2]), _factors(9), r'factors.shape=\(9, 3\)'),
      (np.zeros([9, 2]), _factors(9)[:, :1], r'factors.shape=\(9, 1\)'),
      (np.zeros([9, 2]), _factors(9) * 1.0, 'dtype=float64'),
      (np.zeros([9, 2]), _factors(9) * [1, 0, 1], r'=\[1 0 4\]'))
  def test_refuses(self, codes, factors, message):
    for score in (mutual_information_gap, dci, sap, factor_vae_score):
      with self.assertRaisesRegex(ValueError, message):
        score(codes, factors)

  def test_refuses_too_few(self):
    codes = np.random.default_rng(0).normal(size=(6, 2))
    factors = np.stack([np.arange(6), np.arange(6) % 2], axis=1)
    message = r'at least twice.*factors\[:, 0\] with a single 0 in 6 rows'
    self.assertRegex(why_not(factors), message)
    with mock.patch.object(disentanglement, 'dci') as forests:
      for score in (factor_vae_score, disentanglement_scores):
        with self.assertRaisesRegex(ValueError, message):
          score(codes, factors)
      forests.assert_not_called()
    with self.assertRaisesRegex(ValueError, 'batch_size=1'):
      factor_vae_score(codes, factors, batch_size=1)


if __name__ == '__main__':
  tf.test.main()
