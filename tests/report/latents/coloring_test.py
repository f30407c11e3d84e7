"""Colors of the latent map by a column of a table."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.report.latents import coloring
from tfvae.tables import Column


class ColoringTest(parameterized.TestCase, tf.test.TestCase):

  def test_shades_have_equal_numbers_of_points(self):
    codes = np.random.default_rng(0).lognormal(3, 2, 700)
    made = coloring.column_coloring(Column('a', 'positive'), codes)
    self.assertAllEqual(np.bincount(made.groups), np.full(7, 100))
    # In the order of the values.
    self.assertTrue((np.diff(made.groups[np.argsort(codes)]) >= 0).all())
    self.assertAllClose(
        [float(text.replace(',', '')) for text in made.scale],
        [codes.min(), np.median(codes), codes.max()], rtol=1e-3)
    self.assertEqual([made.color(g) for g in (0, 6)], ['s0', 's6'])

  @parameterized.parameters(1, 2)
  def test_equal_values_have_one_shade(self, different):
    codes = np.arange(50.) % different
    groups = coloring.column_coloring(Column('a', 'real'), codes).groups
    self.assertLen(set(zip(codes, groups.tolist(), strict=True)), different)
    self.assertAllInRange(groups, 0, coloring.SHADES - 1)

  def test_dates_are_read_as_dates(self):
    column = Column('a', 'date', 'string', loc=11_000., scale=900.)
    made = coloring.column_coloring(column, np.float32([10957, 11000, 12000]))
    self.assertEqual(made.scale, ['2000-01-01', '2000-02-13', '2002-11-09'])

  def test_rare_categories_share_a_color(self):
    column = Column('a', 'categorical', 'string', tuple('abcdefghijklmn'))
    # 1 is 'a', and 0 another value; 'n' does not occur.
    codes = np.repeat(np.arange(14.), [2, *range(14, 1, -1)])
    made = coloring.column_coloring(column, codes)
    self.assertEqual(made.entries, {-1: 'the rest'} | dict(
        enumerate('abcdefghij')))
    self.assertAllEqual(made.groups[codes == 3], np.full(12, 2))
    self.assertEqual(set(made.groups[(codes == 0) | (codes > 10)]), {-1})
    self.assertEqual([made.color(g) for g in (-1, 3)], ['unlabeled', 'c3'])

  def test_missing_values_are_gray(self):
    codes = np.append(np.arange(70.), [np.nan, np.nan])
    made = coloring.column_coloring(Column('a', 'real'), codes)
    self.assertAllEqual(made.groups[:70], coloring.column_coloring(
        Column('a', 'real'), codes[:70]).groups)
    self.assertEqual((made.groups[70:].tolist(), made.rest, made.scale[2]),
                     ([-1, -1], 'missing', '69'))
    column = Column('a', 'categorical', 'string', tuple('abcdefghijklmn'))
    few = coloring.column_coloring(column, np.array([1., np.nan, 2.]))
    self.assertEqual(few.entries, {-1: 'missing', 0: 'a', 1: 'b'})
    self.assertAllEqual(few.groups, [0, -1, 1])
    many = coloring.column_coloring(column, np.append(np.arange(15.), np.nan))
    self.assertEqual(many.entries[-1], 'the rest or missing')
    nothing = coloring.column_coloring(Column('a', 'real'), codes[70:])
    self.assertEqual(nothing.entries, {-1: 'missing'})

  def test_categories_come_first(self):
    kinds = {'r': Column('r', 'real'), 'o': Column(
        'o', 'ordinal', categories=(1, 2)), 'c': Column(
            'c', 'categorical', categories=(1,))}
    for order, expected in (('rocc', 2), ('roo', 1), ('rr', 0)):
      self.assertEqual(
          coloring.default_column([kinds[k] for k in order]), expected)


if __name__ == '__main__':
  tf.test.main()
