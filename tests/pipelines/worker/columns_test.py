"""Values of Arrow columns, compared with Python's of each row."""

import datetime
import decimal
import math
import unittest

from absl.testing import parameterized
import numpy as np
import pyarrow as pa
import tensorflow as tf

try:
  from tfvae.pipelines.worker import columns
  from tfvae.pipelines.worker.columns import Field
except ImportError as error:
  if error.name != 'apache_beam':
    raise
  columns = None


@unittest.skipUnless(columns, 'apache-beam is not installed')
class ColumnsTest(parameterized.TestCase, tf.test.TestCase):

  def _values(self, field, values, dtype=None, **kwargs):
    column = pa.array(values, dtype)
    if not kwargs:
      self.assertTrue(columns.takes(field, column.type))
    found, is_valid = columns.values_of(field, column, **kwargs)
    self.assertLen(found, len(values))
    return found, list(is_valid)

  @parameterized.parameters(pa.int64(), pa.float64(), pa.float32(),
                            pa.decimal128(5, 1))
  def test_numbers(self, dtype):
    values = [decimal.Decimal(3), None] if pa.types.is_decimal(dtype) else (
        [3, None])
    found, is_valid = self._values(Field('a', 'a', 'float32'), values, dtype)
    self.assertEqual(found[0], 3.)
    self.assertEqual(is_valid, [True, False])

  def test_numbers_are_float32_and_finite(self):
    found, is_valid = self._values(
        Field('a', 'a', 'float32'), [0.1, math.nan, math.inf, 1e300])
    self.assertEqual(found[0], float(np.float32(0.1)))
    self.assertEqual(is_valid, [True, False, False, False])

  def test_numbers_that_may_be_missing(self):
    field = Field('a', 'a', 'float32', may_be_missing=True)
    found, is_valid = self._values(field, [1., None, math.nan, math.inf])
    self.assertEqual(is_valid, [True, True, True, False])
    self.assertAllEqual(np.isnan(found[:3]), [False, True, True])

  @parameterized.parameters(
      (['a', None], None), (['a', None], pa.large_string()),
      (['a', None], pa.dictionary(pa.int8(), pa.string())))
  def test_strings(self, values, dtype):
    found, is_valid = self._values(Field('a', 'a', 'string'), values, dtype)
    self.assertEqual(found[0], 'a')
    self.assertEqual(is_valid, [True, False])
    found, is_valid = self._values(
        Field('a', 'a', 'string', may_be_missing=True), values, dtype)
    self.assertEqual(found, ['a', ''])
    self.assertEqual(is_valid, [True, True])

  def test_times_are_iso_8601_in_utc(self):
    field = Field('a', 'a', 'string')
    found, _ = self._values(field, [datetime.date(2024, 5, 1)])
    self.assertEqual(found, ['2024-05-01'])
    zone = datetime.timezone(datetime.timedelta(hours=2))
    time = datetime.datetime(2024, 5, 1, 1, 30, tzinfo=zone)
    for dtype in (pa.timestamp('ns', 'UTC'), pa.timestamp('s', 'Asia/Tokyo')):
      found, _ = self._values(field, [time], dtype)
      self.assertRegex(found[0], r'^2024-04-30 23:30:00(\.0+)?$')

  def test_booleans(self):
    found, is_valid = self._values(
        Field('a', 'a', 'bool'), [True, False, None])
    self.assertEqual(found[:2], [True, False])
    self.assertEqual(is_valid, [True, True, False])

  @parameterized.parameters(
      pa.list_(pa.float64()), pa.large_list(pa.int32()),
      pa.list_(pa.float32(), 4))
  def test_arrays(self, dtype):
    rows = [[1, 2, 3, 4], None, [5, 6, 7, None], [5, 6, 7, 8]]
    if not pa.types.is_fixed_size_list(dtype):
      rows.insert(1, [1, 2, 3])
    found, is_valid = self._values(
        Field('x', 'x', 'float32', (2, 2)), rows, dtype)
    self.assertEqual(is_valid, [True] + [False] * (len(rows) - 2) + [True])
    self.assertAllEqual(found[0], [[1, 2], [3, 4]])
    self.assertAllEqual(found[-1], [[5, 6], [7, 8]])
    self.assertEqual(found[0].dtype, np.float32)

  def test_arrays_of_a_part_of_a_column(self):
    column = pa.array([[1., 2.], [3.], [4., 5.], [6., 7.]])[1:]
    found, is_valid = columns.values_of(
        Field('x', 'x', 'float32', (2,)), column)
    self.assertAllEqual(is_valid, [False, True, True])
    self.assertAllEqual(found[1:], [[4, 5], [6, 7]])

  def test_texts_of_a_csv_file(self):
    found, is_valid = self._values(
        Field('a', 'a', 'float32'), ['1.5', ' 2', 'x', None, 'nan'],
        are_texts=True)
    self.assertEqual(found[:2], [1.5, 2.])
    self.assertEqual(is_valid, [True, True, False, False, False])
    _, is_valid = self._values(
        Field('a', 'a', 'float32', may_be_missing=True), ['x', None, 'nan'],
        are_texts=True)
    self.assertEqual(is_valid, [False, True, True])
    found, is_valid = self._values(
        Field('a', 'a', 'bool'), ['True', 'false', 'maybe', None],
        are_texts=True)
    self.assertEqual(found[:2], [True, False])
    self.assertEqual(is_valid, [True, True, False, False])

  @parameterized.parameters(
      ('float32', (), pa.string()), ('string', (), pa.int64()),
      ('bool', (), pa.int64()), ('float32', (2,), pa.float32()),
      ('float32', (2,), pa.list_(pa.string())),
      ('float32', (), pa.list_(pa.float32())))
  def test_other_types(self, dtype, shape, other):
    self.assertFalse(columns.takes(Field('a', 'a', dtype, shape), other))

  def test_error_is_short(self):
    error = Field('a', 'b', 'float32', (2, 2)).error('x' * 1000)
    self.assertStartsWith(
        error, "The column 'b' must have lists of 4 finite numbers. Received:")
    self.assertLess(len(error), 200)


if __name__ == '__main__':
  tf.test.main()
