"""Folders of images: layouts, classes, parts, and files that do not belong."""

import os
import pathlib

from absl.testing import parameterized
import numpy as np
from PIL import Image
import tensorflow as tf

from tfvae import data

_SHAPE = (4, 5)


def _pixels(number):
  return np.full(_SHAPE, number, np.uint8)


class ImageFolderTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'shapes'
    self.cache_dir = self.create_tempdir().full_path

  def write(self, paths, first=0):
    for number, path in enumerate(paths, first):
      path = self.folder / path
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(_pixels(number)).save(path)

  def load(self, **kwargs):
    return data.load(str(self.folder), cache_dir=self.cache_dir, **kwargs)

  def numbers(self, split):
    return np.asarray(split.images)[:, 0, 0, 0].tolist()

  @parameterized.parameters(*data.CACHES)
  def test_flat_folder(self, cache):
    self.write([f'{i:02}.png' for i in range(20)])
    loaded = self.load(cache=cache, test_fraction=0.2)
    self.assertEqual(loaded.image_shape, (*_SHAPE, 1))
    self.assertIsNone(loaded.num_classes)
    parts = [self.numbers(split) for split in (
        loaded.train, loaded.validation, loaded.test)]
    self.assertEqual(list(map(len, parts)), [14, 2, 4])
    self.assertCountEqual(sum(parts, []), range(20))
    for part in parts:
      self.assertEqual(part, sorted(part))
    for name, part in zip(('train', 'validation', 'test'), parts, strict=True):
      self.assertAllEqual(loaded.carved[name], part)

  @parameterized.parameters(*data.CACHES)
  def test_subfolders_are_classes_of_equal_shares(self, cache):
    self.write([f'cat/{i:02}.png' for i in range(40)])
    self.write([f'dog/deep/er/{i:02}.png' for i in range(20)], 40)
    loaded = self.load(cache=cache, test_fraction=0.1, validation_fraction=0.2)
    self.assertEqual(loaded.label_names, ('cat', 'dog'))
    for split, counts in ((loaded.test, [4, 2]), (loaded.validation, [7, 4]),
                          (loaded.train, [29, 14])):
      self.assertAllEqual(np.bincount(split.labels), counts)
      self.assertAllEqual(split.labels, np.array(self.numbers(split)) >= 40)

  def test_parts_with_classes(self):
    for part, first in (('test', 0), ('train', 10), ('val', 30)):
      self.write([f'{part}/{name}/{i}.png' for name in 'ab' for i in range(4)],
                 first)
    loaded = self.load()
    self.assertEqual(self.numbers(loaded.train), list(range(10, 18)))
    self.assertEqual(self.numbers(loaded.validation), list(range(30, 38)))
    self.assertEqual(self.numbers(loaded.test), list(range(8)))
    self.assertAllEqual(loaded.test.labels, [0] * 4 + [1] * 4)
    self.assertEmpty(loaded.carved)

  def test_split_expressions(self):
    self.write([f'{i:02}.png' for i in range(20)])
    loaded = self.load(train_split='train[:50%]', test_split='train[15:]')
    self.assertEqual(self.numbers(loaded.test), list(range(15, 20)))
    self.assertCountEqual(
        self.numbers(loaded.train) + self.numbers(loaded.validation), range(10))
    with self.assertRaisesRegex(
        ValueError, r"no such split.*Did you mean 'train'.*train \(20\)"):
      self.load(train_split='trian')
    with self.assertRaisesRegex(ValueError, "empty.*test_split='train.20:.'"):
      self.load(test_split='train[20:]')

  def test_files_that_do_not_belong(self):
    self.write([f'a/{i}.PNG' for i in range(3)] + [
        f'b/{i}.png' for i in range(3)])
    for path in ('.DS_Store', 'a/Thumbs.db', 'b/readme.txt', '.git/x.png',
                 '__MACOSX/a/._0.png', 'a/._0.png'):
      (self.folder / path).parent.mkdir(exist_ok=True, parents=True)
      (self.folder / path).write_bytes(b'?')
    os.symlink(self.folder, self.folder / 'b' / 'circle')
    loaded = self.load()
    self.assertEqual(loaded.label_names, ('a', 'b'))
    self.assertLen(loaded.content, 6)

  def test_class_with_one_image_stays_in_training(self):
    self.write([f'a/{i}.png' for i in range(12)] + ['b/0.png'])
    loaded = self.load(test_fraction=0.5)
    self.assertAllEqual(np.bincount(loaded.train.labels)[1], 1)

  @parameterized.parameters(*data.CACHES)
  def test_corrupt_file(self, cache):
    self.write([f'{i}.png' for i in range(9)])
    path = self.folder / '3.png'
    path.write_bytes(path.read_bytes()[:-20])
    with self.assertRaisesRegex(ValueError, r'1 of the files.*3\.png: '):
      self.load(cache=cache)
    with self.assertLogs(level='WARNING') as logs:
      loaded = self.load(cache=cache, skip_corrupt=True)
    self.assertRegex(logs.output[0], r'1 unreadable.*3\.png: ')
    self.assertCountEqual(sum([self.numbers(split) for split in (
        loaded.train, loaded.validation, loaded.test)], []),
                          [0, 1, 2, 4, 5, 6, 7, 8])

  def test_image_in_two_parts_is_reported(self):
    self.write([f'train/{i}.png' for i in range(4)])
    self.write([f'test/{i}.png' for i in range(3)], 3)
    with self.assertLogs(level='WARNING') as logs:
      self.load()
    self.assertRegex(
        logs.output[0], r'1 images are in two parts.*train/3\.png and test/0')

  def test_sizes(self):
    self.write([f'{i}.png' for i in range(6)])
    Image.fromarray(np.zeros([8, 6, 3], np.uint8)).save(self.folder / 'x.png')
    with self.assertRaisesRegex(
        ValueError, r"image_size='4x5'.*4x5 \(6\), 8x6 \(1\)"):
      self.load()
    loaded = self.load(image_size='8x6')
    self.assertEqual(loaded.image_shape, (8, 6, 3))
    self.assertEqual(self.load(image_size=3, channels=1).image_shape, (3, 3, 1))

  @parameterized.parameters('x', '3x', '1x2x3', 0, ((2, -1),), 1.5)
  def test_bad_sizes(self, size):
    with self.assertRaisesRegex(ValueError, 'image_size='):
      self.load(image_size=size)

  def test_nothing_to_read(self):
    self.folder.mkdir()
    with self.assertRaisesRegex(ValueError, 'no images.*no files.*shapes'):
      self.load()
    (self.folder / 'table.txt').write_text('1')
    with self.assertRaisesRegex(ValueError, r'no images.*1 \.txt'):
      self.load()
    self.write(['one.png'])
    with self.assertRaisesRegex(ValueError, 'so few examples.*split of 1'):
      self.load()

  def test_images_outside_the_classes(self):
    self.write([f'train/{name}/{i}.png' for name in 'ab' for i in range(4)])
    self.write(['test/c/0.png'])
    with self.assertRaisesRegex(ValueError, r"'test'.*a, b.*'test/c/0\.png'"):
      self.load()

  @parameterized.parameters('0.png', 'other/0.png')
  def test_images_outside_the_parts(self, path):
    self.write([f'train/{i}.png' for i in range(4)])
    self.write(['.hidden/0.png', '__MACOSX/0.png'])
    self.load()
    self.write([path])
    with self.assertRaisesRegex(ValueError, f"outside of them.*'{path}'"):
      self.load()

  def test_labels_may_be_left_out_but_not_named(self):
    self.write([f'{name}/{i}.png' for name in 'ab' for i in range(4)])
    self.assertIsNone(self.load(label_key=None).num_classes)
    for argument in ('label_key', 'image_key'):
      with self.assertRaisesRegex(ValueError, f"{argument}='kind'"):
        self.load(**{argument: 'kind'})

  def test_paths_that_do_not_exist(self):
    self.write(['0.png'])
    with self.assertRaisesRegex(
        ValueError, f"{self.folder}s' does not exist. Did you mean "
        f'{self.folder}'):
      data.load(f'{self.folder}s')


if __name__ == '__main__':
  tf.test.main()
