"""Schemas: their file, and descriptions that make no sense."""

import os
import pathlib

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.tables import Column
from tfvae.tables import Schema

_SCHEMA = Schema((
    Column('size', 'real', loc=2.0, scale=0.5),
    Column('Größe', 'categorical', 'string', ('groß', 'klein')),
    Column('id', 'identifier'),
    Column('grade', 'ordinal', 'number', (1, 2, 3), frequencies=(.2, .5, .3))))


class SchemaTest(parameterized.TestCase, tf.test.TestCase):

  def test_file_gives_the_same_schema(self):
    path = os.path.join(self.create_tempdir().full_path, 'schema.json')
    _SCHEMA.save(path)
    self.assertEqual(Schema.load(path), _SCHEMA)
    self.assertIn('groß', pathlib.Path(path).read_text(encoding='utf-8'))

  def test_modeled_columns_are_those_of_x(self):
    self.assertEqual([c.name for c in _SCHEMA.modeled],
                     ['size', 'Größe', 'grade'])
    values = _SCHEMA.decoded(np.float32([[1.5, 2, 0], [2, 0, 2]]))
    self.assertAllEqual(values['Größe'], ['klein', 'other'])
    self.assertAllEqual(values['grade'], [1, 3])

  @parameterized.parameters(
      (dict(kind='text'), "kind='text'"),
      (dict(kind='binary', categories=(1, 2, 3)), 'needs two categories'),
      (dict(kind='categorical'), 'needs one or more'),
      (dict(kind='ordinal', categories=(1, 1)), 'must differ'),
      (dict(kind='real', scale=0.), 'scale=0.0'),
      (dict(kind='real', type='int'), "type='int'"))
  def test_columns_that_make_no_sense(self, arguments, message):
    with self.assertRaisesRegex(ValueError, f'{message}.*'):
      Column('a', **arguments)

  def test_tables_that_make_no_sense(self):
    with self.assertRaisesRegex(ValueError, "'a' repeated"):
      Schema((Column('a', 'real'), Column('a', 'count')))
    with self.assertRaisesRegex(ValueError, r"'a' \(constant\)"):
      Schema((Column('a', 'constant'),))

  @parameterized.parameters('{', '{"columns": [{"kind": "real"}]}', '[]')
  def test_broken_files_are_named(self, text):
    path = self.create_tempfile('schema.json', text).full_path
    with self.assertRaisesRegex(ValueError, 'mode=schema.*schema.json'):
      Schema.load(path)


if __name__ == '__main__':
  tf.test.main()
