"""Tables as x: codes, labels, missing values, and what does not fit."""

import os

from absl.testing import parameterized
import numpy as np
import pandas as pd
import tensorflow as tf

from tfvae import data
from tfvae.tables import Column
from tfvae.tables import Schema

_RNG = np.random.default_rng(0)
_FRAME = pd.DataFrame({
    'id': np.arange(60), 'size': _RNG.normal(size=60),
    'kind': _RNG.choice(['a', 'b', 'c'], 60),
    'species': np.arange(60) % 3})


class TableDataTest(parameterized.TestCase, tf.test.TestCase):

  def save(self, frame, name='table.csv'):
    path = os.path.join(self.create_tempdir().full_path, name)
    frame.to_csv(path, index=False)
    return path

  @parameterized.parameters(*data.CACHES)
  def test_rows_are_coded(self, cache):
    loaded = data.load(
        self.save(_FRAME), label_key='species', test_fraction=0.25,
        cache=cache, cache_dir=self.create_tempdir().full_path)
    self.assertEqual([column.name for column in loaded.schema.modeled],
                     ['size', 'kind'])
    parts = {}
    for name, rows in loaded.carved.items():
      split = getattr(loaded, name)
      x = (np.concatenate(list(data.stored(split.images).chunks()))
           if name == 'train' and cache == 'none' else split.images[:])
      self.assertDTypeEqual(x, np.float32)
      self.assertAllClose(x[:, 0], _FRAME['size'].to_numpy()[rows])
      self.assertAllEqual(
          x[:, 1], _FRAME['kind'].map({'a': 1, 'b': 2, 'c': 3})[rows])
      self.assertAllEqual(split.labels, _FRAME['species'][rows])
      parts[name] = len(x)
    self.assertEqual(parts, {'train': 41, 'validation': 4, 'test': 15})
    self.assertEqual(np.bincount(loaded.test.labels).tolist(), [5, 5, 5])

  def test_frame_is_as_its_file(self):
    one, other = data.load(self.save(_FRAME)), data.load(_FRAME)
    self.assertAllClose(one.train.images, other.train.images)
    self.assertEqual(one.schema, other.schema)
    self.assertNotEqual(
        data.load(_FRAME.iloc[::-1]).content, other.content)

  def test_missing_values(self):
    holes = _FRAME.copy()
    holes.loc[[3, 5], 'size'] = np.nan
    holes.loc[5, 'kind'] = None
    with self.assertRaisesRegex(
        ValueError, "missing='drop'.*2 of 60 rows.*'size': 2, 'kind': 1"):
      data.load(holes)
    with self.assertLogs('tfvae', 'WARNING') as logs:
      loaded = data.load(holes, missing='drop')
    self.assertIn('2 of 60 rows', logs.output[0])
    self.assertEqual(sum(len(part.images) for part in (
        loaded.train, loaded.validation, loaded.test)), 58)
    holes['size'] = [np.nan] * 59 + [1.]
    holes['kind'] = ['a'] * 58 + ['b', None]
    with self.assertRaisesRegex(ValueError, 'none is left'):
      data.load(holes, missing='drop', schema=self.schema(
          Column('size', 'real'),
          Column('kind', 'categorical', 'string', ('a',))))

  def schema(self, *columns):
    path = os.path.join(self.create_tempdir().full_path, 'schema.json')
    Schema(columns).save(path)
    return path

  def test_schema_decides(self):
    loaded = data.load(_FRAME, schema=self.schema(
        Column('kind', 'categorical', 'string', ('b',)),
        Column('species', 'count')))
    self.assertAllEqual(np.unique(loaded.train.images[:, 0]), [0, 1])
    self.assertEqual(loaded.image_shape, (2,))
    with self.assertRaisesRegex(ValueError, "'weight' missing.*has id, size"):
      data.load(_FRAME, schema=self.schema(Column('weight', 'real')))
    with self.assertRaisesRegex(ValueError, "'kind' is real.*'a'|'b'|'c'"):
      data.load(_FRAME, schema=self.schema(Column('kind', 'real')))

  @parameterized.parameters(
      (dict(label_key='genus'), 'label_key.*id, size, kind, species'),
      (dict(missing='keep'), "missing='keep'"),
      (dict(image_size=8), 'image_size'),
      (dict(schema='/no/schema.json'), '/no/schema.json'))
  def test_arguments_that_do_not_fit(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      data.load(_FRAME, **arguments)

  def test_a_schema_is_of_tables_alone(self):
    with self.assertRaisesRegex(ValueError, 'a table only'):
      data.load(np.zeros([20, 3]), schema='s.json')

  @parameterized.parameters(
      (pd.DataFrame(np.ones([9, 2]), columns=['a', 'a']), "'a' repeated"),
      (pd.DataFrame({'a': []}), 'no rows'))
  def test_frames_that_are_no_table(self, frame, message):
    with self.assertRaisesRegex(ValueError, message):
      data.load(frame)

  def test_path_that_does_not_exist(self):
    path = self.save(_FRAME)
    with self.assertRaisesRegex(ValueError, 'Did you mean .*table.csv'):
      data.load(path.replace('table', 'tabel'))


if __name__ == '__main__':
  tf.test.main()
