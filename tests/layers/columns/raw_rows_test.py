"""Rows of a client have the codes that the rows of training have."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.layers.columns.raw_rows import coded_rows
from tfvae.layers.columns.raw_rows import raw_dtypes
from tfvae.layers.columns.raw_rows import raw_rows
from tfvae.tables import coded
from tfvae.tables import Column

_ROWS = {
    Column('r', 'real'): [1.5, -2., 3.],
    Column('p', 'positive'): [0.5, 2., 3.],
    Column('k', 'count'): [0., 7., 2.],
    Column('b', 'binary', 'boolean', (False, True)): [True, False, True],
    Column('s', 'binary', 'string', ('no', 'yes')): ['yes', 'no', 'yes'],
    Column('o', 'ordinal', 'number', (3, 5, 9)): [9., 3., 5.],
    Column('c', 'categorical', 'string', ('bé', 'c')): ['c', 'new', 'bé'],
    Column('n', 'categorical', 'number', (10, 20.5)): [20.5, 10., 11.],
    Column('d', 'date', 'string'): [
        '2024-02-29', '1969-12-31 23:59', '2100-03-01T06:00:30Z']}


class RawRowsTest(parameterized.TestCase, tf.test.TestCase):

  def test_codes_are_those_of_numpy(self):
    columns, dtypes = list(_ROWS), raw_dtypes(_ROWS)
    values = {column.name: tf.constant(values, dtypes[column.name])
              for column, values in _ROWS.items()}
    x = tf.function(coded_rows)(columns, values)
    expected = np.stack([coded(column, np.array(values, object))
                         for column, values in _ROWS.items()], axis=1)
    self.assertAllClose(x, expected, rtol=1e-6)
    back = raw_rows(columns, tf.constant(expected))
    self.assertEqual({name: value.dtype for name, value in back.items()},
                     dtypes)
    for column, values in _ROWS.items():
      if column.kind not in ('categorical', 'date'):
        expected = [v.encode() if isinstance(v, str) else v for v in values]
        self.assertAllEqual(back[column.name], expected)
    self.assertAllEqual(back['c'], [b'c', b'other', 'bé'.encode()])
    self.assertAllEqual(back['n'], [20.5, 10., np.nan])

  def test_dates_come_back(self):
    columns = [Column('d', 'date', 'string')]
    for text in ('2024-02-29 00:00:00', '1970-01-01 00:00:00',
                 '1900-03-01 12:00:00', '2000-12-31 06:00:00'):
      days = coded_rows(columns, {'d': tf.constant([text])})
      self.assertAllEqual(raw_rows(columns, days)['d'], [text.encode()])

  @parameterized.parameters(
      ('r', np.nan), ('p', 0.), ('k', 0.5), ('s', 'maybe'), ('o', 4.),
      ('d', '29.2.2024'))
  def test_names_the_column_of_a_wrong_value(self, name, value):
    column, = [column for column in _ROWS if column.name == name]
    wrong = tf.constant([value], raw_dtypes([column])[name])
    with self.assertRaisesRegex(tf.errors.InvalidArgumentError,
                                f'column {name} is {column.kind}'):
      tf.function(coded_rows)([column], {name: wrong})


if __name__ == '__main__':
  tf.test.main()
