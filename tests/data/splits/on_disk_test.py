"""The cache on the disk, against the same data in memory."""

import functools
import itertools
import os
import shutil
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tests import numbered_images
from tfvae import data
from tfvae.data import binarization
from tfvae.data.splits import on_disk
from tfvae.data.storage import stored_images


class SplitOnDiskTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.names = {config: numbered_images.prepare(cls.data_dir, config)
                 for config in ('gray', 'bits', 'float')}
    cls.memory = data.load_images(cls.names['gray'], cls.data_dir)
    cls.disk = data.load_images(cls.names['gray'], cls.data_dir, cache='disk')

  def load(self, config='gray', **kwargs):
    return data.load_images(self.names[config], self.data_dir, cache='disk',
                            **kwargs)

  def test_splits_are_those_in_memory(self):
    for part in ('train', 'validation', 'test'):
      stored, array = getattr(self.disk, part), getattr(self.memory, part)
      self.assertFalse(data.is_in_memory(stored.images))
      self.assertEqual(stored.images.shape, array.images.shape)
      self.assertEqual(stored.images.dtype, array.images.dtype)
      self.assertAllEqual(np.asarray(stored.images), array.images)
      self.assertAllEqual(stored.labels, array.labels)
      self.assertEqual(numbered_images.numbers(stored.images[:]),
                       numbered_images.numbers(array.images))

  def test_indices_are_those_of_an_array(self):
    stored, array = self.disk.train.images, self.memory.train.images
    for key in (slice(3, 7), slice(5), slice(-4, None), slice(None, None, 9),
                np.array([5, 6, 7, 2, 2, 90]), np.array([], int), 4):
      self.assertAllEqual(stored[key], array[key])
    with self.assertRaises(IndexError):
      stored[np.array([len(array)])]
    with mock.patch.object(stored_images, '_CHUNK_BYTES', 100):  # 8 images.
      chunks = list(data.chunks(stored))
    self.assertEqual([len(chunk) for chunk in chunks], [8] * 11 + [5])
    self.assertAllEqual(np.concatenate(chunks), array)

  @parameterized.parameters(
      ('gray', 'dynamic'), ('gray', 'static'), ('gray', 'none'),
      ('bits', 'dynamic'), ('float', 'static'))
  def test_batches_are_bit_for_bit_those_of_an_array(self, config,
                                                     binarization):
    memory, disk = (data.load_images(
        self.names[config], self.data_dir, cache=cache)
        for cache in ('memory', 'disk'))
    for make in (data.training_batches, data.evaluation_batches):
      one, other = (
          make(d.train.images, 20, 7, binarization, labels=d.train.one_hot(10))
          for d in (memory, disk))
      for a, b in itertools.islice(zip(one, other, strict=True), 8):
        self.assertAllEqual(a['x'], b['x'])
        self.assertAllEqual(a['y'], b['y'])
      self.assertEqual(one.cardinality(), other.cardinality())
      self.assertEqual(one.element_spec, other.element_spec)

  def test_bits_of_an_evaluation_do_not_depend_on_its_chunks_and_batches(self):
    # Two images a chunk of the fixed bits; batches of five.
    with mock.patch.object(data.binarization.fixed, '_CHUNK_PIXELS', 24):
      one, other = (
          np.concatenate(list(data.evaluation_batches(
              d.train.images, 5, 7, 'dynamic').as_numpy_iterator()))
          for d in (self.memory, self.disk))
    self.assertAllEqual(one, other)

  def test_bits_of_each_split_and_of_training_have_files_of_their_own(self):
    cache_dir = self.create_tempdir().full_path
    images = self.load(cache_dir=cache_dir).train.images
    count = len(self.files(cache_dir))
    # The name and the bits that all fixed bits had in earlier versions.
    draws = [binarization.static_binarization] + [
        functools.partial(data.fixed_binarization, split=split)
        for split in ('train', 'validation', 'test')]
    for done, draw in enumerate(draws, 1):
      for _ in range(2):  # Written, then found.
        self.assertAllEqual(np.asarray(draw(images, 7)),
                            draw(self.memory.train.images, 7))
        self.assertLen(self.files(cache_dir), count + done)

  def test_counts_are_not_scaled(self):
    images = self.load('bits').train.images
    for make in (data.training_batches, data.evaluation_batches):
      x = next(iter(make(images, 93, 7, 'none', as_counts=True)))
      self.assertAllEqual(np.unique(x), [0, 1])
    x = next(iter(data.training_batches(images, 93, 7, 'none')))
    self.assertAllEqual(np.unique(x), [0, 1])  # 255 / 255.

  def test_support_is_checked_in_all_of_them(self):
    data.check_support(self.load('bits').train.images, 'none')
    with self.assertRaisesRegex(ValueError, 'are gray'):
      data.check_support(self.disk.train.images, 'none')

  def test_is_decoded_once(self):
    with mock.patch.object(on_disk, '_content') as read:
      again = self.load()
    read.assert_not_called()
    self.assertAllEqual(again.test.images[:], self.memory.test.images)
    self.assertAllEqual(again.test.labels, self.memory.test.labels)

  def test_what_decides_the_content_has_a_file_of_its_own(self):
    cache_dir = self.create_tempdir().full_path
    first = self.load(cache_dir=cache_dir, train_split='train[:50%]',
                      validation_split='train[50%:]')
    self.assertLen(self.files(cache_dir), 3)
    other = self.load(cache_dir=cache_dir, train_split='train[:50]',
                      validation_split='train[50%:]', label_key=None)
    self.assertLen(self.files(cache_dir), 6)  # Without labels, another length.
    self.assertIsNone(other.train.labels)
    self.assertLen(other.train.images, 50)
    self.assertAllEqual(other.train.images[:], first.train.images[:50])
    self.assertAllEqual(np.array(numbered_images.numbers(
        first.train.images[:])) % 10, first.train.labels)

  def test_data_prepared_again_are_decoded_again(self):
    data_dir = self.create_tempdir().full_path
    shutil.copytree(os.path.join(self.data_dir, 'tfvae_test_numbered'),
                    os.path.join(data_dir, 'tfvae_test_numbered'))
    cache_dir = self.create_tempdir().full_path
    data.load_images(self.names['gray'], data_dir, cache='disk',
                     cache_dir=cache_dir)
    builder = tfds.builder(self.names['gray'], data_dir=data_dir)
    for path in builder.info.splits['train'].filepaths:
      os.utime(path, (1, 1))
    data.load_images(self.names['gray'], data_dir, cache='disk',
                     cache_dir=cache_dir)
    self.assertLen(self.files(cache_dir), 3)  # Test, and train twice.

  def test_full_disk_is_known_before_the_work(self):
    cache_dir = self.create_tempdir().full_path
    usage = shutil.disk_usage(cache_dir)._replace(free=100)
    with mock.patch.object(shutil, 'disk_usage', return_value=usage):
      with self.assertRaisesRegex(
          ValueError, "No space.*'train'.*`cache_dir`.*`cache='none'`.*dir="):
        self.load(cache_dir=cache_dir)
    self.assertEmpty(self.files(cache_dir))

  @parameterized.parameters(
      ('gs://bucket/decoded', 'not a directory of this machine'),
      ('/dev/null/decoded', 'Not a directory'))
  def test_refused_directory(self, cache_dir, message):
    with self.assertRaisesRegex(ValueError, f'{message}.*`cache_dir`.*dir='):
      self.load(cache_dir=cache_dir)

  def test_a_file_cut_off_under_way_is_said_to_be(self):
    cache_dir = self.create_tempdir().full_path
    images = self.load(cache_dir=cache_dir).train.images
    for name in self.files(cache_dir):
      os.truncate(os.path.join(cache_dir, name), 10)
    with self.assertRaisesRegex(OSError, 'was cut off.*remove it'):
      images[:]
    again = self.load(cache_dir=cache_dir)  # It has another length now.
    self.assertAllEqual(again.train.images[:], self.memory.train.images)

  def files(self, cache_dir):
    return [name for name in os.listdir(cache_dir)
            if not name.endswith('.lock')]


if __name__ == '__main__':
  tf.test.main()
