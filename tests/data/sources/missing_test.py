"""Missing values of each kind of source: refused, left out and allowed."""

import os

from absl.testing import parameterized
import numpy as np
import pandas as pd
from scipy import sparse
import tensorflow as tf

from tfvae import data
from tfvae.data.sources.missing import MissingValues
from tfvae.tables import Column
from tfvae.tables import Schema

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=[50, 3]).astype(np.float32)
_X[:, 0] = np.arange(50) + 0.5
_X[_RNG.random(_X.shape) < 0.2] = np.nan
_X[[7, 30]] = np.nan
_HOLES = np.isnan(_X)
_SLICES = tf.data.Dataset.from_tensor_slices


def _read(split):
  return np.concatenate(list(data.stored(split.images).chunks()))


def _table(directory, kind):
  frame = pd.DataFrame(_X, columns=list('abc'))
  path = os.path.join(directory, f'table.{kind}')
  if kind == 'parquet':
    frame.to_parquet(path, row_group_size=20)
  else:
    frame.to_csv(path, index=False, sep='\t' if kind == 'tsv' else ',')
  return path


def _numpy_file(directory, kind):
  path = os.path.join(directory, f'x.{kind}')
  np.save(path, _X) if kind == 'npy' else np.savez(path, x=_X)
  return path


_SOURCES = {
    'csv': lambda directory: _table(directory, 'csv'),
    'tsv': lambda directory: _table(directory, 'tsv'),
    'parquet': lambda directory: _table(directory, 'parquet'),
    'frame': lambda _: pd.DataFrame(_X, columns=list('abc')),
    'npy': lambda directory: _numpy_file(directory, 'npy'),
    'npz': lambda directory: _numpy_file(directory, 'npz'),
    'masked': lambda _: np.ma.masked_array(np.nan_to_num(_X), _HOLES),
    'sparse': lambda _: sparse.csr_array(_X),
    'stream': lambda _: _SLICES(_X),
}


class SourcesTest(parameterized.TestCase, tf.test.TestCase):

  def load(self, kind, **kwargs):
    directory = self.create_tempdir().full_path
    return data.load(_SOURCES[kind](directory), cache_dir=directory, **kwargs)

  @parameterized.product(kind=list(_SOURCES), cache=data.CACHES)
  def test_allowed_values_are_nan(self, kind, cache):
    with self.assertLogs('tfvae', 'WARNING') as logs:
      loaded = self.load(kind, missing='allow', cache=cache)
    self.assertIn('2 of 50 rows have no observed value', logs.output[0])
    for name, rows in loaded.carved.items():
      x = _read(getattr(loaded, name))
      self.assertDTypeEqual(x, np.float32)
      self.assertAllClose(x, _X[rows], rtol=1e-6)
    self.assertEqual(list(loaded.findings.missing['train'].values()),
                     _HOLES.sum(axis=0).tolist())
    self.assertEqual(loaded.findings.dropped, {})

  @parameterized.parameters(*_SOURCES)
  def test_refused_values_are_counted(self, kind):
    count = _HOLES.any(axis=1).sum()
    name, number = ('a' if kind in ('csv', 'tsv', 'parquet', 'frame')
                    else r'x\[:, 0\]'), _HOLES[:, 0].sum()
    with self.assertRaisesRegex(
        ValueError, "missing='allow'.*missing='drop'.*"
        f"{count} of 50 rows of 'train'.*'{name}': {number}"):
      self.load(kind)

  @parameterized.product(kind=list(_SOURCES), cache=data.CACHES)
  def test_rows_that_are_left_out(self, kind, cache):
    if (kind, cache) == ('stream', 'none'):
      with self.assertRaisesRegex(ValueError, "set `cache='disk'`.*filter"):
        self.load(kind, missing='drop', cache=cache)
      return
    loaded = self.load(kind, missing='drop', cache=cache)
    complete = _X[~_HOLES.any(axis=1)]
    for name, rows in loaded.carved.items():
      self.assertAllClose(_read(getattr(loaded, name)), complete[rows],
                          rtol=1e-6)
    self.assertEqual(loaded.findings.dropped,
                     {'train': 50 - len(complete)})

  def test_the_same_digest_by_nan_and_by_mask(self):
    digests = [self.load(kind, missing='allow').content
               for kind in ('npz', 'masked')]
    self.assertEqual(*digests)

  @parameterized.product(missing=('refuse', 'drop', 'allow'),
                         kind=('csv', 'npz'))
  def test_complete_data_are_as_ever(self, missing, kind):
    x = np.nan_to_num(_X)
    source = {'x': x} if kind == 'npz' else pd.DataFrame(x, columns=list('abc'))
    loaded = data.load(source, missing=missing)
    expected = data.load(source)
    self.assertEqual(loaded.content, expected.content)
    self.assertEqual(loaded.findings, expected.findings)
    for name in ('train', 'validation', 'test'):
      self.assertAllEqual(getattr(loaded, name).images,
                          getattr(expected, name).images)

  @parameterized.parameters('refuse', 'drop', 'allow')
  def test_infinity_is_an_error(self, missing):
    x = np.ones([20, 2])
    x[3, 1] = np.inf
    for source in ({'x': x}, pd.DataFrame(x, columns=['a', 'b']).assign(
        b=x[:, 1] * np.arange(20))):
      with self.assertRaisesRegex(ValueError, 'infini'):
        data.load(source, missing=missing)

  def test_nothing_is_left(self):
    with self.assertRaisesRegex(ValueError, 'none is left.*missing=drop'):
      data.load(np.full([9, 2], np.nan), missing='drop')

  def test_images_have_none(self):
    with self.assertRaisesRegex(ValueError, 'missing.*images have no'):
      data.load('digits', missing='allow')


class TablesTest(parameterized.TestCase, tf.test.TestCase):

  def frame(self):
    frame = pd.DataFrame({
        'size': _RNG.normal(size=60), 'kind': _RNG.choice(['a', 'b', 'c'], 60),
        'day': pd.date_range('2024-01-01', periods=60).strftime('%Y-%m-%d'),
        'eggs': (7. * np.arange(60)) % 23,
        'flag': pd.array(np.arange(60) % 2 == 0, 'boolean'),
        'grade': _RNG.integers(3, size=60).astype(float),
        'y': np.arange(60) % 3})
    for row, name in enumerate(('size', 'kind', 'day', 'eggs', 'flag',
                                'grade')):
      frame.loc[row, name] = pd.NA if name == 'flag' else None
    return frame

  @parameterized.parameters('frame', 'csv', 'parquet')
  def test_every_kind_of_column(self, form):
    source = frame = self.frame()
    if form != 'frame':
      source = os.path.join(self.create_tempdir().full_path, f'table.{form}')
      getattr(frame, f'to_{form}')(source, index=False)
    loaded = data.load(source, missing='allow', label_key='y',
                       train_split='train[:40]', test_split='train[40:]')
    x = np.empty([40, 6], np.float32)
    for name in ('train', 'validation'):
      x[loaded.carved[name]] = getattr(loaded, name).images
    self.assertAllEqual(np.isnan(x), np.arange(40)[:, None] == np.arange(6))
    self.assertEqual(
        [column.kind for column in loaded.schema.modeled],
        ['real', 'categorical', 'date', 'count', 'binary', 'ordinal'])

  @parameterized.parameters('y', 'w')
  def test_labels_and_weights_must_be_known(self, key):
    frame = self.frame().astype({'y': float}).assign(w=1.)
    frame.loc[[4, 9], key] = None
    with self.assertRaisesRegex(
        ValueError, f"missing='drop'.*60 rows of 'train'.*'{key}': 2"):
      data.load(frame, missing='allow', label_key='y', weight_key='w')

  def test_columns_that_are_never_observed(self):
    frame = self.frame()
    frame['late'] = np.where(np.arange(60) < 50, np.nan, np.arange(60) % 7 + .5)
    with self.assertRaisesRegex(
        ValueError, "kind identifier.*'late' missing in all 45 training"):
      data.load(frame, missing='allow', train_split='train[:50]',
                test_split='train[50:]')
    x = np.array(_X)
    x[:40, 1] = np.nan
    for cache in data.CACHES:
      with self.assertRaisesRegex(
          ValueError, r"leave them out of x.*'x\[:, 1\]' missing"):
        data.load({'x': x[:40], 'x_test': x[40:]}, missing='allow',
                  cache=cache, cache_dir=self.create_tempdir().full_path)
    # Pixels at the edge of images may be.
    images = np.array(_X).reshape(25, 3, 2)
    images[:, 0] = np.nan
    loaded = data.load(images, missing='allow')
    self.assertTrue(np.isnan(loaded.train.images[:, 0]).all())

  def test_a_schema_admits_a_part_without_values(self):
    path = os.path.join(self.create_tempdir().full_path, 'schema.json')
    Schema((Column('size', 'real'), Column('eggs', 'count'))).save(path)
    frame = self.frame()[['size', 'eggs']]
    frame.loc[50:, 'eggs'] = np.nan
    loaded = data.load(frame, schema=path, missing='allow',
                       train_split='train[:50]', test_split='train[50:]')
    self.assertTrue(np.isnan(loaded.test.images[:, 1]).all())


class MissingValuesTest(tf.test.TestCase):

  def test_counts_of_chunks(self):
    holes = _RNG.random([40, 5, 30]) < 0.3
    holes[11] = True
    found = MissingValues([5, 30])
    incomplete = [found.add(holes[:7]), found.add(holes[7:])]
    self.assertAllEqual(found.counts, holes.sum(axis=0))
    self.assertAllEqual(np.concatenate(incomplete), holes.any(axis=(1, 2)))
    self.assertAllEqual(found.incomplete, holes.any(axis=(1, 2)))
    self.assertEqual((found.rows, found.empty), (40, 1))
    named = found.by_name()
    self.assertLen(named, 100)
    self.assertEqual(sorted(named.values()),
                     sorted(found.counts.ravel().tolist())[-100:])
    self.assertEqual(named.get('x[:, 2, 3]', holes[:, 2, 3].sum()),
                     holes[:, 2, 3].sum())


if __name__ == '__main__':
  tf.test.main()
