"""Rows in order, from any row on, compared with the splits of a run."""

import functools
import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
import pandas as pd
from PIL import Image
import tensorflow as tf

from tests import tiny_images
from tfvae import data
from tfvae.data.sources.tables.chunks import RowGroup
from tfvae.tables import Schema


def _all(batches):
  """Returns the batches as one."""
  batches = list(batches)
  return {name: np.concatenate([batch[name] for batch in batches])
          for name in batches[0]}


def _chunks(group, chunks, read, columns, **options):
  """Yields ten rows at a time, and counts how often."""
  for chunk in chunks(group, columns, **options | {'max_rows': 10}):
    read.append(len(chunk))
    yield chunk


class OrderedRowsTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path

  @parameterized.parameters('none', 'dynamic')
  def test_images_are_those_of_an_evaluation(self, binarization):
    name = tiny_images.prepare(self.folder)
    images = data.load(name, self.folder)
    expected = np.concatenate(list(data.evaluation_batches(
        images.test.images, 20, 3, binarization)))
    rows = data.open_rows(name, 'test', self.folder, label_key='label',
                          binarization=binarization, seed=3)
    self.assertLen(rows, 20)
    for start, stop, size in ((0, 20, 20), (0, 20, 7), (13, 18, 2)):
      found = _all(rows.batches(start, stop, size))
      self.assertAllEqual(found['x'], expected[start:stop])
      self.assertAllEqual(found['ids'], np.arange(start, stop))
      self.assertEqual(
          found['labels'].tolist(),
          images.test.labels[start:stop].astype(str).tolist())

  def test_bits_do_not_depend_on_the_first_row(self):
    # A chunk of fixed bits has 2²² pixels, here two images.
    x = np.random.default_rng(0).random([5, 2**21], np.float32)
    rows = data.open_rows(x, binarization='static')
    bits = _all(rows.batches(0, 5, 5))['x']
    self.assertAllEqual(np.unique(bits), [0, 1])
    self.assertAllClose(bits.mean(), x.mean(), atol=1e-3)
    for start in range(5):
      self.assertAllEqual(_all(rows.batches(start, 5, 2))['x'], bits[start:])

  def test_rows_of_several_files_have_the_names_of_a_column(self):
    frame = pd.DataFrame({
        'name': [f'row {i}' for i in range(60)],
        'a': np.arange(60) / 7, 'b': ['u', 'v', 'w'] * 20})
    schema = Schema.from_list([
        {'name': 'a', 'kind': 'real'},
        {'name': 'b', 'kind': 'categorical', 'type': 'string',
         'categories': ['w', 'u']}])
    os.mkdir(os.path.join(self.folder, 'parts'))
    for number in range(3):
      frame[20 * number:20 * number + 20].to_parquet(
          os.path.join(self.folder, 'parts', f'{number}.parquet'),
          row_group_size=8)
    expected = np.stack([
        frame['a'], frame['b'].map({'u': 2, 'v': 0, 'w': 1})], axis=1)
    frame.to_csv(os.path.join(self.folder, 'whole.csv'), index=False)
    names = []
    for name in ('parts', 'whole.csv'):
      rows = data.open_rows(os.path.join(self.folder, name),
                            columns=schema.modeled, id_key='name')
      names.append(rows.name)
      for start, stop, size in ((0, 60, 60), (17, 45, 10)):
        found = _all(rows.batches(start, stop, size))
        self.assertAllClose(found['x'], expected[start:stop], rtol=1e-6)
        self.assertEqual(found['ids'].tolist(),
                         frame['name'][start:stop].tolist())
    self.assertNotEqual(*names)
    # The names are read once, with the codes: as many chunks of each.
    path = os.path.join(self.folder, 'one.parquet')
    frame.to_parquet(path)  # One row group.
    rows = data.open_rows(path, columns=schema.modeled, id_key='name')
    chunks = functools.partialmethod(_chunks, RowGroup.chunks, read := [])
    with mock.patch.object(RowGroup, 'chunks', chunks):
      found = _all(rows.batches(0, 60, 60))
    self.assertEqual(found['ids'].tolist(), frame['name'].tolist())
    self.assertLen(read, 2 * 6)
    with self.assertRaisesRegex(ValueError, "no such column.*id_key='c'"):
      data.open_rows(os.path.join(self.folder, 'parts'),
                     columns=schema.modeled, id_key='c')

  def test_images_of_a_folder_have_their_paths(self):
    x = np.random.default_rng(0).integers(0, 256, [6, 4, 4], np.uint8)
    for number, pixels in enumerate(x):
      folder = os.path.join(self.folder, 'images', 'even odd'.split()[
          number % 2])
      os.makedirs(folder, exist_ok=True)
      Image.fromarray(pixels).save(os.path.join(folder, f'{number}.png'))
    rows = data.open_rows(os.path.join(self.folder, 'images'),
                          label_key='label')
    found = _all(rows.batches(1, 6, 2))
    order = [2, 4, 1, 3, 5]
    self.assertEqual(found['ids'].tolist(), [
        os.path.join('even odd'.split()[i % 2], f'{i}.png') for i in order])
    self.assertAllClose(found['x'][..., 0], x[order] / np.float32(255))
    self.assertEqual(found['labels'].tolist(), ['even'] * 2 + ['odd'] * 3)

  def test_missing_values_and_parts(self):
    frame = pd.DataFrame({'a': [0.5, None, 1.5, 2.5], 'n': [4, 5, 6, 7]})
    columns = Schema.from_list([{'name': 'a', 'kind': 'real'}]).modeled
    for missing, ids in (('allow', [4, 5, 6, 7]), ('drop', [4, 6, 7])):
      found = _all(data.open_rows(
          frame, columns=columns, missing=missing, id_key='n').batches(
              0, len(ids), 2))
      self.assertAllEqual(found['ids'], ids)
      self.assertAllEqual(found['x'][:, 0], [
          value for value, name in zip(frame['a'], frame['n'], strict=True)
          if name in ids])
    with self.assertRaisesRegex(ValueError, 'would be left out.*`id_key`'):
      data.open_rows(frame, columns=columns, missing='drop')
    x = np.zeros([3, 2], np.float32)
    with self.assertRaisesRegex(ValueError, "input_split.*'train.test'"):
      data.open_rows({'x': x, 'x_test': x})
    self.assertLen(data.open_rows({'x': x, 'x_test': x}, 'train+test'), 6)


if __name__ == '__main__':
  tf.test.main()
