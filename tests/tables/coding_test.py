"""Columns become numbers and numbers become columns."""

from absl.testing import parameterized
import numpy as np
import pandas as pd
import tensorflow as tf

from tfvae.tables import coded
from tfvae.tables import Column
from tfvae.tables import decoded


class CodingTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      (Column('a', 'real'), [1.5, None, -2], [1.5, np.nan, -2]),
      (Column('a', 'positive'), [0.5, 3.], [0.5, 3]),
      (Column('a', 'count'), [0, 7], [0, 7]),
      (Column('a', 'binary', 'boolean', (False, True)), [True, False], [1, 0]),
      (Column('a', 'binary', 'string', ('no', 'yes')), ['yes', None],
       [1, np.nan]),
      (Column('a', 'ordinal', 'number', (3, 5, 9)), [9, 3.], [2, 0]),
      (Column('a', 'categorical', 'string', ('b', 'c')), ['c', 'new', 'b'],
       [2, 0, 1]),
      (Column('a', 'categorical', 'number', (10, 20.5)), [20.5, 10, 11],
       [2, 1, 0]))
  def test_codes(self, column, values, expected):
    codes = coded(column, np.array(values, object))
    self.assertAllEqual(codes, np.float32(expected))

  @parameterized.parameters(
      '1970-01-02', '2024-02-29 12:30:15', '1969-12-31T23:59:59Z',
      '1900-03-01', '2100-12-31 06:00')
  def test_dates_are_days_as_of_pandas(self, text):
    column = Column('a', 'date', 'string')
    days = (pd.Timestamp(text.removesuffix('Z')) - pd.Timestamp(0)) / (
        pd.Timedelta(days=1))
    self.assertAllClose(coded(column, np.array([text])), [days], rtol=1e-7)
    self.assertAllClose(
        coded(column, np.array([text.removesuffix('Z')], 'datetime64[s]')),
        [days], rtol=1e-7)
    self.assertEqual(decoded(column, [days])[0],
                     np.datetime64(text.removesuffix('Z'), 's'))

  @parameterized.parameters(
      (Column('a', 'binary', 'string', ('no', 'yes')), ['maybe'], "'maybe'"),
      (Column('a', 'ordinal', 'number', (1, 2)), [3], '3.0'),
      (Column('a', 'positive'), [1., 0.], 'above 0.*Received: 0 in row 1'),
      (Column('a', 'count'), [2.5], 'whole.*Received: 2.5'),
      (Column('a', 'real'), ['tall'], "must have numbers.*'tall'"),
      (Column('a', 'real'), [np.inf], 'infinite'),
      (Column('a', 'date', 'string'), ['1 May 2024'], '2024-05-01'))
  def test_what_does_not_fit_is_named(self, column, values, message):
    with self.assertRaisesRegex(ValueError, f"column 'a'.*{message}"):
      coded(column, np.array(values, object))

  def test_values_come_back(self):
    for column, values in (
        (Column('a', 'count'), np.array([3, 0])),
        (Column('a', 'binary', 'boolean', (False, True)), [True, False]),
        (Column('a', 'categorical', 'string', ('b', 'c')), ['c', 'b'])):
      self.assertAllEqual(
          decoded(column, coded(column, np.array(values))), values)
    rare = decoded(Column('a', 'categorical', 'string', ('b',)), [0.])
    self.assertEqual(rare[0], 'other')

  @parameterized.parameters(
      (Column('a', 'count'), [3, None, 0]), (Column('a', 'real'), [None, 1.5]),
      (Column('a', 'binary', 'boolean', (False, True)), [None, False, True]),
      (Column('a', 'categorical', 'string', ('b', 'c')), ['c', None]),
      (Column('a', 'ordinal', 'number', (2, 5)), [5, np.nan, 2]),
      (Column('a', 'date', 'string'), [pd.NaT, '2024-05-01', None]))
  def test_missing_values_come_back(self, column, values):
    values = pd.Series(values, dtype=object)
    codes = coded(column, values)
    self.assertAllEqual(np.isnan(codes), values.isna())
    found = pd.Series(decoded(column, codes))
    self.assertAllEqual(found.isna(), values.isna())
    known = values.dropna()
    self.assertEqual(
        found.dropna().tolist(), pd.to_datetime(known).tolist()
        if column.kind == 'date' else known.tolist())


if __name__ == '__main__':
  tf.test.main()
