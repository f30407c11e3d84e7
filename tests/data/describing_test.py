"""Descriptions of data, compared with NumPy and pandas."""

import itertools
import json
import os

from absl.testing import parameterized
import numpy as np
import pandas as pd
from PIL import Image
import tensorflow as tf

from tfvae import data

_PARTS = ('train', 'validation', 'test')


def _images():
  """Gray images in three parts; some are equal in a part or in two parts."""
  rng = np.random.default_rng(0)
  x = rng.integers(0, 9, [60, 4, 3], np.uint8)
  x[:, 0, 0] = 7
  x[5] = x[9] = x[2]  # Two repeated, in the part train.
  x[41], x[50], x[51] = x[3], x[4], x[41]
  return {'train': x[:40], 'validation': x[40:48], 'test': x[48:]}


def _arrays(parts, y=None):
  return {f'{name}_{part}': x for part in _PARTS for name, x in (
      ('x', parts[part]), *((('y', y[part]),) if y else ()))}


def _rows(x):
  return [row.tobytes() for row in np.ascontiguousarray(x)]


class DescribeTest(parameterized.TestCase, tf.test.TestCase):

  def _check_numbers(self, split, x):
    numbers = split.numbers
    x64 = np.float64(x)
    self.assertAllClose(
        [numbers.minimum, numbers.maximum, numbers.mean,
         numbers.standard_deviation, numbers.zeros, split.examples],
        [x64.min(), x64.max(), x64.mean(), x64.std(), (x64 == 0).mean(),
         len(x)], rtol=1e-6)
    self.assertEqual(numbers.distinct, len(np.unique(x)))
    self.assertEqual(
        split.varying, np.count_nonzero(x64.std(axis=0) > 0))
    self.assertEqual(split.repeated, len(x) - len(set(_rows(x))))

  @parameterized.product(cache=('memory', 'disk', 'none'),
                         dtype=('uint8', 'float32'))
  def test_parts_of_an_array(self, cache, dtype):
    parts = {name: (x if dtype == 'uint8' else np.float32(x) / 8 - 0.5)
             for name, x in _images().items()}
    rng = np.random.default_rng(1)
    y = {name: rng.integers(3, size=len(x)) for name, x in parts.items()}
    loaded = data.load(
        _arrays(parts, y), cache=cache, cache_dir=(
            self.create_tempdir().full_path if cache == 'disk' else None))
    found = data.describe(loaded)
    self.assertEqual((found.kind, found.shape, found.dtype),
                     ('images', (4, 3, 1),
                      dtype))
    for name, x in parts.items():
      split = found.splits[name]
      self._check_numbers(split, x)
      self.assertEqual(split.class_counts,
                       tuple(np.bincount(y[name], minlength=3)))
      self.assertEqual(split.origin, f'{name!r}, given by the data')
    self.assertEqual(found.splits['train'].repeated, 2)
    expected = {
        (other, one): sum(row in set(_rows(parts[one]))
                          for row in _rows(parts[other]))
        for one, other in itertools.combinations(_PARTS, 2)}
    self.assertEqual(
        {(pair.split, pair.other): pair.examples for pair in found.shared},
        expected)
    # x[51] is x[3], which is also in the training split.
    self.assertEqual(expected, {('validation', 'train'): 1,
                                ('test', 'train'): 2,
                                ('test', 'validation'): 1})
    self.assertEqual(json.loads(json.dumps(found.to_dict()))['name'], 'arrays')

  def test_chunks_and_a_limit(self):
    rng = np.random.default_rng(0)
    x = np.float32(rng.normal(5, 2, [9000, 600]))  # Two chunks, 21 MiB.
    x[7000] = x[1]
    x[1, 0], x[7000, 0] = 0., -0.
    parts = {'train': x, 'validation': x[:5] + 1, 'test': x[:5] + 2}
    loaded = data.load(_arrays(parts))
    found = data.describe(loaded).splits['train']
    numbers = found.numbers
    self.assertAllClose(
        [numbers.minimum, numbers.maximum, numbers.mean,
         numbers.standard_deviation],
        [x.min(), x.max(), x.mean(dtype=np.float64), x.std(dtype=np.float64)],
        rtol=1e-6)
    self.assertIsNone(numbers.distinct)  # Above 10,000.
    self.assertEqual((found.repeated, found.varying, found.examined),
                     (1, 600, 9000))
    limited = data.describe(loaded, 100)
    self.assertEqual(limited.splits['train'].examined, 100)
    self.assertEqual(limited.splits['train'].examples, 9000)
    self.assertAllClose(limited.splits['train'].numbers.mean,
                        x[:100].mean(dtype=np.float64), rtol=1e-6)
    self.assertIn('of the first 100 examples', data.summary(limited))

  def test_held_out_splits_and_unlabeled_examples(self):
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=200)
    found = data.describe(data.load(
        {'x': rng.normal(size=[200, 2]), 'y': y}, seed=3, test_fraction=0.25))
    splits = found.splits
    self.assertEqual([splits[name].examples for name in _PARTS], [135, 15, 50])
    self.assertEqual([splits[name].origin for name in _PARTS], [
        "'train' without test and validation",
        "10 % of 'train' without test, random (seed 3), stratified by class",
        "25 % of 'train', random (seed 3), stratified by class"])
    self.assertAllEqual(
        np.sum([splits[name].class_counts for name in _PARTS], axis=0),
        np.bincount(y))
    self.assertTrue(splits['test'].by_class)
    digits = data.describe(data.load('digits'))
    self.assertEqual(digits.splits['validation'].origin,
                     "10 % of 'train', random (seed 0), not stratified")
    self.assertEqual(digits.splits['validation'].held_out, 0.1)
    unlabeled = data.ImageData('mine', *[data.Split(
        np.zeros([3, 2], np.float32), np.array([-1, 5, 9]))] * 3)
    found = data.describe(unlabeled)
    self.assertEqual(found.classes, ('5', '9'))
    self.assertEqual(found.splits['test'].unlabeled, 1)
    self.assertEqual(found.splits['test'].class_counts, (1, 1))
    self.assertEqual(found.splits['test'].numbers.standard_deviation, 0)


class TableTest(tf.test.TestCase):

  def test_columns(self):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        'key': [f'row {i}' for i in range(300)],
        'size': np.round(rng.normal(size=300), 1),
        'color': rng.choice(['red', 'blue', 'green'], 300),
        'eggs': rng.poisson(9, 300),
        'day': pd.date_range('2020-01-30', periods=300).strftime('%Y-%m-%d'),
        'same': 1})
    frame.loc[[3, 7, 8], 'size'] = np.nan
    frame.loc[8, 'color'] = None
    loaded = data.load(frame, missing='drop')
    found = data.describe(loaded)
    kept = frame.dropna()
    self.assertEqual(found.missing, {'train': {'size': 3, 'color': 1}})
    self.assertEqual(found.dropped, {'train': 3})
    self.assertEqual(found.column_kinds, {
        'key': 'identifier', 'size': 'real', 'color': 'categorical',
        'eggs': 'count', 'day': 'date', 'same': 'constant'})
    held_out = {name: kept.iloc[rows] for name, rows in loaded.carved.items()}
    for name, rows in held_out.items():
      split = found.splits[name]
      self.assertIsNone(split.numbers)
      columns = {column.name: column for column in split.columns}
      self.assertEqual(list(columns), ['size', 'color', 'eggs', 'day'])
      for key in ('size', 'eggs'):
        column, values = columns[key], rows[key]
        self.assertAllClose(
            [column.minimum, column.maximum, column.mean,
             column.standard_deviation, column.zeros, column.distinct],
            [values.min(), values.max(), values.mean(), values.std(ddof=0),
             (values == 0).mean(), values.nunique()], rtol=1e-5)
      self.assertEqual(columns['color'].counts, {
          'other': 0, **{key: 0 for key in ('blue', 'green', 'red')},
          **rows['color'].value_counts().to_dict()})
      self.assertEqual((columns['day'].minimum, columns['day'].maximum),
                       (rows['day'].min(), rows['day'].max()))
      days = pd.to_datetime(rows['day'])
      self.assertAllClose(columns['day'].standard_deviation,
                          days.std(ddof=0) / pd.Timedelta(days=1))
      self.assertEqual(split.repeated, rows.drop(columns='key').duplicated(
          ).sum())
    self.assertEqual(
        pd.DataFrame(found.first_rows)['color'].tolist(),
        held_out['train']['color'].head(10).tolist())
    self.assertIn('size 3, color 1; 3 rows left out', data.summary(found))


class MissingValuesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(*data.CACHES)
  def test_of_vectors(self, cache):
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=[90, 4]), 1).astype(np.float32)
    x[rng.random(x.shape) < 0.3] = np.nan
    x[[2, 60]] = np.nan
    x[80:, 1] = np.nan
    x[5] = x[4]
    parts = {'train': x[:60], 'validation': x[60:80], 'test': x[80:]}
    found = data.describe(data.load(
        _arrays(parts), missing='allow', cache=cache,
        cache_dir=self.create_tempdir().full_path))
    for name, x in parts.items():
      split, numbers, holes = (
          found.splits[name], found.splits[name].numbers, np.isnan(x))
      observed = x[~holes].astype(np.float64)
      self.assertAllClose(
          [numbers.minimum, numbers.maximum, numbers.mean,
           numbers.standard_deviation, numbers.zeros, numbers.distinct],
          [observed.min(), observed.max(), observed.mean(), observed.std(),
           (observed == 0).mean(), len(np.unique(observed))], rtol=1e-6)
      self.assertEqual(split.missing, {
          f'x[:, {i}]': count for i, count in enumerate(holes.sum(axis=0))})
      self.assertEqual(
          (split.num_missing, split.incomplete, split.empty),
          (holes.sum(), holes.any(axis=1).sum(), holes.all(axis=1).sum()))
    self.assertEqual(
        [found.splits[name].varying for name in _PARTS], [4, 4, 3])
    self.assertGreaterEqual(found.splits['train'].repeated, 1)
    json.loads(json.dumps(found.to_dict(), allow_nan=False))
    text = data.summary(found)
    split = found.splits['train']
    self.assertIn(
        f'in {split.incomplete} of 60 examples, of which 1 have', text)

  def test_of_columns(self):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        'size': np.round(rng.normal(size=80), 1),
        'color': rng.choice(['red', 'blue'], 80),
        'eggs': (7. * np.arange(80)) % 23,
        'day': pd.date_range('2020-01-30', periods=80).strftime('%Y-%m-%d')})
    frame = frame.mask(rng.random(frame.shape) < 0.2)
    frame.loc[60:, 'eggs'] = np.nan
    loaded = data.load(frame, missing='allow', train_split='train[:60]',
                       test_split='train[60:]')
    found = data.describe(loaded)
    rows = frame.iloc[loaded.carved['train']]
    split = found.splits['train']
    self.assertEqual(split.missing, rows.isna().sum().to_dict())
    size, color, eggs, day = split.columns
    for column, name in ((size, 'size'), (eggs, 'eggs')):
      values = rows[name].dropna()
      self.assertAllClose(
          [column.minimum, column.maximum, column.mean,
           column.standard_deviation, column.zeros, column.distinct],
          [values.min(), values.max(), values.mean(), values.std(ddof=0),
           (values == 0).mean(), values.nunique()], rtol=1e-5)
    self.assertEqual(color.counts, rows['color'].value_counts().to_dict())
    self.assertEqual((day.minimum, day.maximum),
                     (rows['day'].dropna().min(), rows['day'].dropna().max()))
    eggs = found.splits['test'].columns[2]
    self.assertEqual((eggs.minimum, eggs.mean, eggs.distinct), (None, None, 0))
    self.assertEqual(found.splits['test'].missing['eggs'], 20)
    first = pd.DataFrame(found.first_rows)
    self.assertAllEqual(first.isna(), rows.head(10).isna())
    self.assertEqual(first['day'].dropna().tolist(),
                     rows['day'].head(10).dropna().tolist())
    json.loads(json.dumps(found.to_dict(), allow_nan=False))
    data.summary(found)

  def test_of_a_split_without_any_value(self):
    empty = data.Split(np.full([3, 2], np.nan, np.float32))
    found = data.describe(data.ImageData('empty', empty, empty, empty))
    self.assertIsNone(found.splits['test'].numbers.minimum)
    self.assertEqual(found.splits['test'].empty, 3)
    self.assertIn('100.0% of the values', data.summary(found))


class FolderTest(tf.test.TestCase):

  def test_files(self):
    folder = self.create_tempdir().full_path
    rng = np.random.default_rng(0)
    for i in range(30):
      path = os.path.join(folder, 'ab'[i % 2], f'{i}.png')
      os.makedirs(os.path.dirname(path), exist_ok=True)
      shape = [(6, 4), (5, 5, 3), (5, 5, 3)][i % 3]
      Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
    with open(os.path.join(folder, 'a', 'broken.png'), 'wb') as file:
      file.write(b'nothing')
    found = data.describe(data.load(
        folder, image_size=(4, 4), resize='pad', skip_corrupt=True))
    self.assertEqual(
        [(size.height, size.width, size.files) for size in found.file_sizes],
        [(5, 5, 20), (6, 4, 10)])
    self.assertEqual(found.num_file_sizes, 2)
    self.assertEqual(found.file_colors, {'gray': 10, 'color': 20})
    self.assertEqual((found.shape, found.resize), ((4, 4, 3), 'pad'))
    self.assertEqual(list(found.corrupt), ['a/broken.png'])
    text = data.summary(found)
    self.assertIn('5x5 (20), 6x4 (10)', text)
    self.assertIn('a/broken.png', text)
    json.dumps(found.to_dict())


if __name__ == '__main__':
  tf.test.main()
