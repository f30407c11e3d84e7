"""Rows and failures of tables whose files differ."""

import unittest

from absl.testing import parameterized
import pyarrow as pa
import tensorflow as tf

from tfvae.prediction import row_seeds

try:
  from tfvae.pipelines.worker.columns import Field
  from tfvae.pipelines.worker.tables import TableRows
except ImportError as error:
  if error.name != 'apache_beam':
    raise
  TableRows = None


@unittest.skipUnless(TableRows, 'apache-beam is not installed')
class TableRowsTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.fields = [Field('a', 'a', 'float32'), Field('b', 'b c', 'string')]

  def _process(self, step, **columns):
    """Returns the rows and the failures of a table."""
    rows, failures = [], []
    for found in step.process(('file', pa.table(columns))):
      if isinstance(found, tuple):
        (row_id, source), values = found
        self.assertEqual(source, 'file')
        rows.append((row_id, *values))
      else:
        self.assertEqual(found.tag, 'failed')
        self.assertEqual(found.value['source'], 'file')
        failures.append((found.value['id'], found.value['error']))
    return rows, failures

  def test_each_invalid_value_fails_its_row(self):
    step = TableRows(self.fields, 'id', True, seed=3)
    rows, failures = self._process(step, **{
        'id': [10, 11, None, 2**40], 'a': [1, None, 3, 4],
        'b c': ['x', 'y', 'z', 'u']})
    self.assertEqual([row[:3] for row in rows], [(10, 1., 'x'),
                                                 (2**40, 4., 'u')])
    self.assertAllEqual([row[3] for row in rows], row_seeds([10, 2**40], 3))
    self.assertEqual(failures, [
        (11, "The column 'a' must have finite numbers. Received: None"),
        (None, "The id, column 'id', must be an integer.")])

  def test_many_rows_keep_their_values(self):
    step = TableRows(self.fields[:1], 'id', False)
    n = 10_000
    rows, failures = self._process(
        step, id=[f'row {i}' for i in range(n)], a=list(range(n)))
    self.assertEmpty(failures)
    self.assertEqual(rows, [(f'row {i}', float(i)) for i in range(n)])

  def test_booleans_as_numbers_where_values_may_be_missing(self):
    field = Field('a', 'a', 'float32', may_be_missing=True)
    rows, failures = self._process(
        TableRows([field], 'id', True), id=[1, 2, 3], a=[True, False, None])
    self.assertEmpty(failures)
    self.assertAllEqual([row[1] for row in rows], [1., 0., float('nan')])

  @parameterized.parameters(
      ({'id': [1, 2], 'a': [1., 2.]}, [1, 2], "no column 'b c'"),
      ({'a': [1.], 'b c': ['x']}, [None], "no column 'id'"),
      ({'id': [1], 'a': ['1'], 'b c': ['x']}, [1], 'Received: \'string\''),
      ({'id': ['1'], 'a': [1.], 'b c': ['x']}, [None], 'must be an integer'))
  def test_files_with_other_columns_fail_by_row(self, table, ids, error):
    rows, failures = self._process(
        TableRows(self.fields, 'id', True), **table)
    self.assertEmpty(rows)
    self.assertEqual([row_id for row_id, _ in failures], ids)
    for _, found in failures:
      self.assertIn(error, found)

  def test_integers_of_a_csv_file(self):
    step = TableRows(self.fields[:1], 'id', True, are_texts=True)
    rows, failures = self._process(
        step, id=['7', 'x', None, str(2**63)], a=['1', '2', '3', '4'])
    self.assertEqual(rows, [(7, 1.)])
    self.assertLen(failures, 3)


if __name__ == '__main__':
  tf.test.main()
