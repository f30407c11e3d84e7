"""Hidden values: how many, which, and what they depend on."""

from unittest import mock

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf

from tfvae.evaluation.imputation import masks


def _table(n=20_000, d=7, fraction=0.2, seed=0):
  """Returns correlated columns with missing values, `[n, d]`."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=[n, 2]) @ rng.normal(size=[2, d]) + rng.normal(
      size=[n, d])
  x = np.float32(10 + 5 * x)
  x[rng.random(x.shape) < fraction] = np.nan
  return x


class MasksTest(parameterized.TestCase, tf.test.TestCase):

  def test_masks_by_kind_of_data(self):
    shapes = {(4, 4, 1): ['mcar', 'lower_half'], (3,): ['mcar', 'mar'],
              (1,): ['mcar'], (5, 2): ['mcar']}
    for shape, names in shapes.items():
      found = dict(masks.hidden(np.zeros([6, *shape]), 0.5, 0))
      self.assertEqual(list(found), names)
      for mask in found.values():
        self.assertEqual((mask.shape, mask.dtype), ((6, *shape), bool))

  @parameterized.parameters('mcar', 'mar')
  def test_fractions_and_observed_values_alone(self, name):
    x = _table()
    mask = dict(masks.hidden(x, 0.3, 1))[name]
    self.assertFalse(mask[np.isnan(x)].any())
    counts, known = mask.sum(axis=0), np.sum(~np.isnan(x), axis=0)
    stays = counts == 0
    # 30 % of seven columns condition the others.
    self.assertEqual(stays.sum(), {'mcar': 0, 'mar': 2}[name])
    for count, total in zip(counts[~stays], known[~stays], strict=True):
      # The variance of a sum of bits of unequal probability is smaller.
      self.assertNear(count / total, 0.3, 5 * np.sqrt(0.21 / total))

  def test_seeds(self):
    x = _table(200)
    for name in ('mcar', 'mar'):
      first, same, other = (
          dict(masks.hidden(x, 0.3, seed))[name] for seed in (1, 1, 2))
      self.assertAllEqual(first, same)
      self.assertNotAllEqual(first, other)

  def test_at_random_depends_on_columns_that_stay_observed(self):
    x = _table(fraction=0.)
    mask = masks.mar(x, 0.3, 1)
    hides = mask.any(axis=0)
    shuffled = x.copy()
    rng = np.random.default_rng(2)
    for d in np.flatnonzero(hides):
      shuffled[:, d] = rng.permutation(x[:, d])
    self.assertAllEqual(masks.mar(shuffled, 0.3, 1), mask)
    # Not completely at random: hidden rows have other conditioning values.
    found = [stats.ttest_ind(x[mask[:, d]][:, ~hides],
                             x[~mask[:, d]][:, ~hides]).pvalue.min()
             for d in np.flatnonzero(hides)]
    self.assertAllLess(found, 1e-6)

  def test_a_missing_conditioning_value_counts_with_the_mean(self):
    x = _table(500, fraction=0.)
    mean = x.copy()
    given = ~masks.mar(x, 0.3, 1).any(axis=0)
    x[:50, given] = np.nan
    mean[:50, given] = np.nanmean(x[:, given], axis=0)
    # The scale of u does not matter, since the logits have variance 1.
    one = x[:, given][:, :1]
    self.assertAllClose(
        masks._standardized(one), masks._standardized(mean[:, given][:, :1])
        * np.sqrt(450 / 500), atol=1e-5)

  def test_whole_pixels_and_the_lower_half(self):
    x = np.zeros([50, 5, 6, 3])
    x[0, 4, 0] = np.nan
    found = dict(masks.hidden(x, 0.4, 0))
    pixels = found['mcar']
    pixels[0, 4, 0] = False
    self.assertAllEqual(pixels, np.repeat(pixels[..., :1], 3, axis=-1))
    self.assertNear(pixels.mean(), 0.4, 5 * np.sqrt(0.24 / (50 * 30)))
    half = np.zeros(x.shape, bool)
    half[:, 2:] = True
    half[0, 4, 0] = False
    self.assertAllEqual(found['lower_half'], half)

  def test_constant_and_empty_columns(self):
    x = np.zeros([30, 4], np.float32)
    x[:, 1] = np.nan
    for seed in range(4):
      mask = masks.mar(x, 0.5, seed)
      self.assertFalse(mask[:, 1].any())
      self.assertTrue(mask.any())

  def test_a_mask_of_a_user(self):
    with mock.patch.dict(masks.MASKS._choices):
      @masks.MASKS.register('first')
      def _first(x, fraction, seed):
        del fraction, seed
        return np.arange(x.shape[1]) == 0

      found = dict(masks.hidden(np.array([[1., 2.], [np.nan, 3.]]), 0.5, 0))
      self.assertAllEqual(found['first'], [[True, False], [False, False]])


if __name__ == '__main__':
  tf.test.main()
