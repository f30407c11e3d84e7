"""Tests of loading TFDS data sets, on builders whose content is known."""

import gzip
import os
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae.data import images

_SHARED = pathlib.Path(__file__).parents[2].parent / 'shared' / 'data'
_RAW = _SHARED / 'raw' / 'mnist'


class _Config(tfds.core.BuilderConfig):
  """A data set written out: its image feature and its splits' arrays."""

  def __init__(self, name, feature, **splits):
    super().__init__(name=name)
    self.feature, self.splits = feature, splits


def _tensor(*shape, dtype=np.float32):
  return tfds.features.Tensor(shape=shape, dtype=dtype)


def _numbered(start, stop):
  """Images (start, ..., stop - 1) whose every pixel is their number."""
  return np.tile(np.arange(start, stop, dtype=np.uint8)[:, None, None, None],
                 [1, 4, 2, 3])


_HALF = np.full([3, 2, 2, 1], 0.5)


class TfvaeTestImages(tfds.core.GeneratorBasedBuilder):
  """Labels are twice the number of an image, mod 10."""

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [
      _Config('numbered', tfds.features.Image(shape=(4, 2, 3)),
              train=_numbered(0, 57), validation=_numbered(60, 70),
              test=_numbered(100, 120)),
      _Config('flat', _tensor(4, 2, dtype=np.uint8),
              train=_numbered(0, 5)[..., 0], test=_numbered(5, 7)[..., 0]),
      _Config('float64', _tensor(2, 2, 1, dtype=np.float64),
              train=np.linspace(0, 1, 12).reshape(3, 2, 2, 1), test=_HALF),
      _Config('nan', _tensor(2, 2, 1), train=_HALF, test=_HALF * np.nan),
      _Config('infinite', _tensor(2, 2, 1), train=_HALF * np.inf, test=_HALF),
      _Config('negative', _tensor(2, 2, 1), train=-_HALF, test=_HALF),
      _Config('bright', _tensor(2, 2, 1), train=_HALF, test=_HALF * 510),
      _Config('uint16', _tensor(2, 2, 1, dtype=np.uint16)),
      _Config('varying', _tensor(None, None, 1)),
      _Config('vector', _tensor(9)),
      _Config('train_only', _tensor(2, 2, 1), train=_HALF),
  ]

  def _info(self):
    features = tfds.features.FeaturesDict({
        'image': self.builder_config.feature,
        'label': tfds.features.ClassLabel(num_classes=10),
        'weight': np.float32,
    })
    return tfds.core.DatasetInfo(builder=self, features=features)

  def _split_generators(self, dl_manager):
    if not self.builder_config.splits:
      raise AssertionError('Prepared, though its features were wrong.')
    return {name: self._generate_examples(array)
            for name, array in self.builder_config.splits.items()}

  def _generate_examples(self, array):
    dtype = self.builder_config.feature.np_dtype
    for i, image in enumerate(array.astype(dtype)):
      number = int(np.nan_to_num(image.flat[0], posinf=0))
      yield i, {'image': image, 'label': 2 * number % 10, 'weight': 1.}


class LoadImagesTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls.enterClassContext(tempfile.TemporaryDirectory())

  def load(self, config='numbered', **kwargs):
    return images.load_images(f'tfvae_test_images/{config}', self.data_dir,
                              **kwargs)

  def numbers(self, split):
    """The images' numbers, once all pixels and labels are seen to agree."""
    numbers = split.images[:, 0, 0, 0].astype(int)
    self.assertAllEqual(split.images, _numbered(0, 256)[numbers])
    self.assertAllEqual(split.labels, 2 * numbers % 10)
    return numbers.tolist()

  def test_named_splits(self):
    data = self.load(validation_split='validation')
    self.assertEqual(data.image_shape, (4, 2, 3))
    self.assertEqual(data.num_classes, 10)
    self.assertEqual(data.train.images.dtype, np.uint8)
    self.assertTrue(data.train.images.flags.c_contiguous)
    self.assertCountEqual(self.numbers(data.train), range(57))
    self.assertCountEqual(self.numbers(data.validation), range(60, 70))
    self.assertCountEqual(self.numbers(data.test), range(100, 120))

  @parameterized.parameters(
      (0.1, 6), (0.5, 28), (0.001, 1), (0.999, 56))  # Of 57 images.
  def test_carved_parts_are_disjoint_and_complete(self, fraction, count):
    data = self.load(validation_fraction=fraction)
    train, validation = self.numbers(data.train), self.numbers(data.validation)
    self.assertLen(validation, count)
    self.assertCountEqual(train + validation, range(57))
    self.assertCountEqual(self.numbers(data.test), range(100, 120))

  def test_seed_fixes_what_is_carved_and_nothing_else(self):
    first, again, other = (self.load(seed=s) for s in (3, 3, 4))
    for part in ('train', 'validation', 'test'):
      self.assertAllEqual(getattr(first, part).images,
                          getattr(again, part).images)
    self.assertNotEqual(set(self.numbers(first.validation)),
                        set(self.numbers(other.validation)))
    self.assertAllEqual(first.test.images, other.test.images)

  def test_carves_at_random_not_from_an_end(self):
    order = self.numbers(images.load_images(
        'tfvae_test_images/numbered', self.data_dir,
        validation_split='validation').train)
    places = [order.index(n) for seed in range(10)
              for n in self.numbers(self.load(seed=seed).validation)]
    # 60 places, uniform on 0..56: mean 28, 4 standard errors.
    self.assertNear(np.mean(places), 28, 4 * np.sqrt((57**2 - 1) / 12 / 60))

  def test_split_expressions(self):
    data = self.load(train_split='train[:20]', validation_split='train[20:30]',
                     test_split='test[50%:]+validation[:1]')
    train, validation, test = map(
        self.numbers, (data.train, data.validation, data.test))
    self.assertEqual([len(train), len(validation), len(test)], [20, 10, 11])
    self.assertEmpty(set(train) & set(validation))

  def test_reading_in_pieces_is_reading_at_once(self):
    whole = self.load()
    with mock.patch.object(images, '_BATCH_BYTES', 100):  # Four images.
      pieces = self.load()
    for part in ('train', 'validation', 'test'):
      self.assertAllEqual(getattr(pieces, part).images,
                          getattr(whole, part).images)
      self.numbers(getattr(pieces, part))

  def test_height_and_width_alone_get_a_channel(self):
    data = self.load('flat')
    self.assertEqual(data.image_shape, (4, 2, 1))
    self.assertAllEqual(np.unique(data.test.images), [5, 6])

  def test_floating_images_are_held_as_float32(self):
    data = self.load('float64', validation_split='test')
    self.assertEqual(data.train.images.dtype, np.float32)
    self.assertAllClose(np.sort(data.train.images.ravel()),
                        np.linspace(0, 1, 12), rtol=1e-7)

  @parameterized.parameters(None, 'weight')
  def test_labels_may_be_left_out_but_not_misnamed(self, label_key):
    if label_key:
      with self.assertRaisesRegex(ValueError, "label_key='weight'"):
        self.load(label_key=label_key)
    else:
      data = self.load(label_key=None)
      self.assertIsNone(data.validation.labels)
      self.assertIsNone(data.num_classes)

  @parameterized.parameters(
      ('nan', "split 'test', with a NaN"),
      ('infinite', "finite.*split 'train', with .*infinity"),
      ('negative', r'\[0, 1\].*from -0.5 to -0.5'),
      ('bright', r"\[0, 1\].*split 'test', with pixels from 255 to 255"),
      ('uint16', 'dtype uint16'),
      ('varying', 'vary in size'),
      ('vector', r'\(height, width, channels\)'),
      ('train_only', r"(?s)train \(3\).*train\[90%:\].*test_split='test'"))
  def test_refused_data(self, config, message):
    with self.assertRaisesRegex(ValueError, message):
      self.load(config)

  @parameterized.parameters(
      ({'validation_fraction': 0.}, r'between 0 and 1.*fraction=0\.0'),
      ({'validation_fraction': 1.}, r'between 0 and 1.*fraction=1\.0'),
      ({'validation_fraction': float('nan')}, 'between 0 and 1.*fraction=nan'),
      ({'image_key': 'picture'}, r'image \(4, 2, 3\).*image_key='),
      ({'train_split': 'train[:0]'}, "empty.*train_split='train"),
      ({'train_split': 'train[:1]'}, 'carved from one image'),
      ({'validation_split': 'dev'}, r"(?s)no such.*validation \(10\).*='dev'"))
  def test_refused_arguments(self, kwargs, message):
    with self.assertRaisesRegex(ValueError, message):
      self.load(**kwargs)


class MnistTest(tf.test.TestCase):

  def test_images_and_labels_are_those_of_the_raw_files(self):
    if not _RAW.is_dir():
      self.skipTest(f'There are no raw MNIST files in {_RAW}.')
    data_dir = os.environ.get('TFVAE_TEST_DATA_DIR') or self.enterContext(
        tempfile.TemporaryDirectory())
    if not tfds.builder('mnist', data_dir=data_dir).is_prepared():
      subprocess.run([sys.executable, _SHARED / 'stage_tfds.py', data_dir,
                      'mnist'], check=True)
    data = images.load_images('mnist', data_dir)
    self.assertEqual(data.image_shape, (28, 28, 1))
    train = np.concatenate([self.rows(data.train), self.rows(data.validation)])
    for rows, name in (train, 'train'), (self.rows(data.test), 't10k'):
      self.assertAllEqual(np.sort(rows), np.sort(self.raw(name)))

  def rows(self, split):
    pixels = split.images.reshape(len(split.images), -1)
    return self.joined(pixels, split.labels)

  def raw(self, name):
    def read(kind, header):
      content = (_RAW / f'{name}-{kind}-ubyte.gz').read_bytes()
      return np.frombuffer(gzip.decompress(content)[header:], np.uint8)

    return self.joined(read('images-idx3', 16).reshape(-1, 784),
                       read('labels-idx1', 8))

  def joined(self, pixels, labels):
    """An image and its label as one sortable value: TFDS has its own order."""
    rows = np.column_stack([pixels, labels.astype(np.uint8)])
    return np.ascontiguousarray(rows).view('S785')[:, 0]


if __name__ == '__main__':
  tf.test.main()
