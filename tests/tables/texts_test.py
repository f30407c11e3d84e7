"""Values of a table as text."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.tables import Column
from tfvae.tables import texts


class TextsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      (Column('a', 'real'), [0.123456, -12.5, 1234.56, 1234567.],
       ['0.1235', '-12.5', '1235', '1,234,567']),
      (Column('a', 'count'), [3, 12.75], ['3', '12.75']),
      (Column('a', 'real'), [np.inf, np.nan], ['inf', 'missing']),
      (Column('a', 'ordinal', 'number', (2, 5)), [np.nan, 1], ['missing', '5']),
      (Column('a', 'date', 'string', scale=30.), [np.nan, 0.],
       ['missing', '1970-01-01']),
      (Column('a', 'binary', 'boolean', (False, True)), [1, 0],
       ['True', 'False']),
      (Column('a', 'categorical', 'string', ('x',)), [0, 1], ['other', 'x']),
      (Column('a', 'categorical', 'number', (7,)), [0, 1], ['other', '7']),
      (Column('a', 'ordinal', 'number', (2, 5)), [0, 1], ['2', '5']),
      (Column('a', 'date', 'string', scale=30.), [19723.6], ['2024-01-01']),
      (Column('a', 'date', 'string', scale=1.), [19723.75],
       ['2024-01-01 18:00']),
      (Column('a', 'date', 'string', scale=30.), [np.nan, 19723.],
       ['missing', '2024-01-01']),
      (Column('a', 'binary', 'string', ('x', 'y')), [1, np.nan],
       ['y', 'missing']))
  def test_values_are_short(self, column, codes, expected):
    self.assertEqual(texts(column, np.float64(codes)), expected)


if __name__ == '__main__':
  tf.test.main()
