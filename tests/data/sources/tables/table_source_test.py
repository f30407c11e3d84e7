"""Parquet in chunks, compared with the same table read whole by pandas."""

import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
import pandas as pd
import tensorflow as tf

from tfvae import data
from tfvae.data.sources.tables import chunks
from tfvae.data.sources.tables.recognition import Recognition
from tfvae.data.sources.tables.recognition import recognized

_N = 230
_RNG = np.random.default_rng(0)
_FRAME = pd.DataFrame({
    'id': np.arange(_N), 'size': _RNG.normal(size=_N),
    'price': np.exp(_RNG.normal(3, 2, _N)), 'eggs': _RNG.poisson(9, _N),
    'stars': _RNG.integers(1, 6, _N), 'flag': _RNG.random(_N) < 0.3,
    'color': _RNG.choice(['red', 'green', 'blue'], _N),
    'name': [f'row {i}' for i in range(_N)],
    'day': pd.Timestamp('2020-01-01') + pd.to_timedelta(
        _RNG.integers(0, 999, _N), 'D'),
    'text_day': np.repeat(['2024-05-01', '2023-01-31'], [7, _N - 7]),
    'grade': pd.Categorical(_RNG.choice(['low', 'high'], _N),
                            ['low', 'mid', 'high'], ordered=True),
    'kind': pd.Categorical(_RNG.choice(['x', 'y', 'z'], _N)),
    'species': _RNG.choice(['b', 'a', 'c'], _N)}, index=np.arange(_N) + 5)
_HOLES = _FRAME.copy()
for _name, _rows in (('size', [3, 99]), ('flag', [4]), ('color', [100, 101]),
                     ('eggs', [229]), ('species', [60]), ('day', [0, 3])):
  _HOLES[_name] = _HOLES[_name].astype(
      {'flag': object, 'eggs': float}.get(_name, _HOLES[_name].dtype))
  _HOLES.iloc[_rows, _HOLES.columns.get_loc(_name)] = None


def _read(split):
  return np.concatenate(list(data.stored(split.images).chunks()))


class TableSourceTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = self.create_tempdir().full_path
    # Chunks end inside of row groups.
    self.enter_context(mock.patch.object(chunks, '_MAX_VALUES', 13 * 17))

  def write(self, frame, name='table.parquet', **kwargs):
    path = os.path.join(self.directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    frame.to_parquet(path, row_group_size=60, **kwargs)
    return path

  def load(self, source, **kwargs):
    return data.load(source, label_key='species', cache_dir=self.directory,
                     **kwargs)

  def assert_same(self, loaded, expected):
    self.assertEqual(loaded.schema, expected.schema)
    self.assertEqual(loaded.label_names, expected.label_names)
    for name in ('train', 'validation', 'test'):
      split, other = getattr(loaded, name), getattr(expected, name)
      self.assertDTypeEqual(_read(split), np.float32)
      self.assertAllEqual(_read(split), _read(other))
      self.assertAllEqual(split.labels, other.labels)
    self.assertEqual(list(loaded.carved), list(expected.carved))
    for name, rows in loaded.carved.items():
      self.assertAllEqual(rows, expected.carved[name])

  @parameterized.product(cache=data.CACHES, has_holes=(False, True))
  def test_is_as_read_whole(self, cache, has_holes):
    frame = _HOLES if has_holes else _FRAME
    path = self.write(frame)
    missing = 'drop' if has_holes else 'refuse'
    self.assert_same(self.load(path, cache=cache, missing=missing),
                     self.load(pd.read_parquet(path), missing=missing))

  @parameterized.parameters(*data.CACHES)
  def test_folder_and_splits(self, cache):
    self.write(_FRAME[:100], 'tables/0.parquet')
    self.write(_FRAME[100:], 'tables/1.parquet')
    splits = dict(train_split='train[30%:]+train[:10%]',
                  test_split='train[12%:30%]')
    self.assert_same(
        self.load(os.path.join(self.directory, 'tables'), cache=cache,
                  **splits),
        self.load(_FRAME.reset_index(drop=True), **splits))
    with self.assertRaisesRegex(ValueError, 'an example twice'):
      self.load(os.path.join(self.directory, 'tables'),
                train_split='train[:30%]+train[20%:]')

  def test_parts_of_a_folder(self):
    self.write(_FRAME[:200], 'parts/train/0.parquet')
    self.write(_FRAME[200:], 'parts/test.parquet')
    loaded = self.load(os.path.join(self.directory, 'parts'), cache='none')
    expected = self.load(_FRAME[:200])
    self.assertEqual(loaded.schema, expected.schema)
    self.assertLen(loaded.test.images, 30)
    self.assertAllClose(loaded.test.images[:, 0], _FRAME['size'][200:])

  def test_batches_have_each_row_once(self):
    loaded = self.load(self.write(_FRAME), cache='none')
    images = loaded.train.images
    batches = data.streamed_batches(
        images, 20, 0, 'none', labels=loaded.train.one_hot(3))
    steps = -(-len(images) // 20)
    found = list(batches.take(steps).as_numpy_iterator())
    x = np.concatenate([batch['x'] for batch in found])
    y = np.concatenate([batch['y'] for batch in found]).argmax(axis=1)
    expected = _read(loaded.train)
    self.assertNotAllEqual(x, expected)
    order, other = np.argsort(x[:, 0]), np.argsort(expected[:, 0])
    self.assertAllEqual(x[order], expected[other])
    self.assertAllEqual(y[order], loaded.train.labels[other])

  def test_missing_values_are_counted(self):
    path = self.write(_HOLES)
    with self.assertRaisesRegex(
        ValueError, "8 of 230 rows.*'size': 2.*'species': 1"):
      self.load(path)

  def test_codes_are_not_read_at_first(self):
    path = self.write(_FRAME)
    self.load(path, cache='disk')
    with mock.patch('tfvae.data.sources.tables.table_source.coded',
                    side_effect=AssertionError):
      self.load(path, cache='disk')

  def test_row_of_an_error_is_that_of_the_file(self):
    frame = _FRAME.assign(size=1.5)
    frame.iloc[140, 1] = np.inf
    frame.iloc[3, 1] = 2.5
    frame.iloc[5, 1] = 7
    with self.assertRaisesRegex(ValueError, "'size'.*row 140"):
      self.load(self.write(frame))

  def test_bad_files(self):
    path = os.path.join(self.directory, 'text.parquet')
    with open(path, 'w', encoding='utf-8') as file:
      file.write('a,b\n1,2\n')
    with self.assertRaisesRegex(ValueError, 'cannot be read.*text.parquet'):
      data.load(path)
    with self.assertRaisesRegex(ValueError, 'no rows'):
      data.load(self.write(_FRAME[:0]))
    self.write(_FRAME, 'other/0.parquet')
    self.write(_FRAME.drop(columns='size'), 'other/1.parquet')
    with self.assertRaisesRegex(ValueError, "same columns.*'size'"):
      data.load(os.path.join(self.directory, 'other'))

  @parameterized.parameters(7, 100)
  def test_recognition_does_not_depend_on_chunks(self, size):
    for frame in (_FRAME, _HOLES):
      recognition = Recognition()
      for start in range(0, len(frame), size):
        recognition.update(frame[start:start + size])
      self.assertEqual(recognition.schema(), recognized(frame))

  def test_many_texts_name_the_rows(self):
    texts = pd.Series(np.arange(300_003) // 3).astype(str)
    self.assertEqual(recognized(pd.DataFrame(
        {'text': texts, 'x': np.arange(300_003) % 17 / 2})).columns[0].kind,
                     'identifier')


if __name__ == '__main__':
  tf.test.main()
