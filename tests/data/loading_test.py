"""Tests of loading TFDS data sets, on builders whose content is known."""

import itertools
import tempfile
from unittest import mock

from absl import logging as absl_logging
from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import file_adapters

from tfvae.data import loading as images
from tfvae.data.sources import source
from tfvae.data.sources.tfds.tfds_source import TfdsDataSet


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
_NAMES = [f'class {k}' for k in 'abcdefghij']


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
    self.info.features['label'].names = _NAMES  # As late as cifar10 does.
    return {name: self._generate_examples(array)
            for name, array in self.builder_config.splits.items()}

  def _generate_examples(self, array):
    dtype = self.builder_config.feature.np_dtype
    for i, image in enumerate(array.astype(dtype)):
      number = int(np.nan_to_num(image.flat[0], posinf=0))
      yield i, {'image': image, 'label': 2 * number % 10, 'weight': 1.}


# A factor's key in the order of its columns, and its number of values.
_FACTORS = {'label_orientation': 4, 'label_scale': 2, 'label_shape': 3,
            'label_x_position': 2, 'label_y_position': 2}


def _sprite(factors):
  """An image of bits in which the factors can be read: a bar for each."""
  image = np.zeros((64, 64, 1), np.uint8)
  for place, value in enumerate(factors):
    image[12 * place:12 * place + 6, :10 * (value + 1)] = 1
  return image


class TfvaeTestSprites(tfds.core.GeneratorBasedBuilder):
  """The features and the only split of dsprites, every combination once."""

  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    order = ('shape', 'scale', 'orientation', 'x_position', 'y_position')
    features = {'image': tfds.features.Image(shape=(64, 64, 1)),
                'id': tfds.features.Text()}
    for name in order:
      features[f'label_{name}'] = tfds.features.ClassLabel(
          num_classes=_FACTORS[f'label_{name}'])
      features[f'value_{name}'] = np.float32
    return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict(features))

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples()}

  def _generate_examples(self):
    for i, factors in enumerate(_combinations()):
      labels = dict(zip(_FACTORS, factors, strict=True))
      values = {key.replace('label', 'value'): value / 7
                for key, value in labels.items()}
      yield i, {'image': _sprite(factors), 'id': str(i), **labels, **values}


def _combinations():
  return list(itertools.product(*map(range, _FACTORS.values())))


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
    self.assertIsNone(data.train.factors)
    self.assertEmpty(data.factor_names)
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
    with mock.patch.object(source, '_PIECE_BYTES', 100):  # Four images.
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
      self.assertIsNone(data.label_names)

  def test_label_names_do_not_depend_on_who_prepared_the_data(self):
    with tempfile.TemporaryDirectory() as data_dir:
      for _ in range(2):
        data = images.load_images('tfvae_test_images/numbered', data_dir)
        self.assertEqual(data.label_names, tuple(_NAMES))

  def test_tfds_does_not_warn_of_itself(self):
    self.load()  # Preparing has warnings of its own.
    with mock.patch.object(
        absl_logging, 'log_first_n',
        lambda level, text, n: absl_logging.log(level, text)):
      with self.assertNoLogs('absl', 'WARNING'):
        self.load()
      with self.assertLogs('absl', 'WARNING'):  # Of others, it still does.
        self.assertEqual(tfds.features.Text().dtype, tf.string)

  @parameterized.parameters(
      ('nan', "split 'test', with a NaN"),
      ('infinite', "finite.*split 'train', with .*infinity"),
      ('negative', r'\[0, 1\].*from -0.5 to -0.5'),
      ('bright', r"\[0, 1\].*split 'test', with pixels from 255 to 255"),
      ('uint16', 'dtype uint16'),
      ('varying', 'vary in size'),
      ('vector', r'\(height, width, channels\)'))
  def test_refused_data(self, config, message):
    with self.assertRaisesRegex(ValueError, message):
      self.load(config)

  @parameterized.parameters(*images.CACHES)
  def test_test_split_is_held_out_where_there_is_none(self, cache):
    data = self.load('train_only', cache=cache, test_fraction=0.3,
                     cache_dir=self.create_tempdir().full_path)
    self.assertEqual([len(split.images) for split in (
        data.train, data.validation, data.test)], [1, 1, 1])
    self.assertCountEqual(
        np.concatenate(list(data.carved.values())), range(3))
    with self.assertRaisesRegex(
        ValueError, r"(?s)train \(3\).*train\[90%:\].*test_split='dev'"):
      self.load('train_only', test_split='dev')
    with self.assertRaisesRegex(
        ValueError, 'leaves too few examples.*test_fraction=0.9 of 3 examples'):
      self.load('train_only', cache=cache, test_fraction=0.9)

  @parameterized.parameters(
      ({'validation_fraction': 0.}, r'between 0 and 1.*fraction=0\.0'),
      ({'validation_fraction': 1.}, r'between 0 and 1.*fraction=1\.0'),
      ({'validation_fraction': float('nan')}, 'between 0 and 1.*fraction=nan'),
      ({'cache': 'ram'}, "memory, disk, none.*cache='ram'"),
      ({'image_key': 'picture'}, r'image \(4, 2, 3\).*image_key='),
      ({'train_split': 'train[:0]'}, "empty.*train_split='train"),
      ({'train_split': 'train[:1]'}, 'from so few examples.*split of 1'),
      ({'validation_split': 'dev'}, r"(?s)no such.*validation \(10\).*='dev'"))
  def test_refused_arguments(self, kwargs, message):
    with self.assertRaisesRegex(ValueError, message):
      self.load(**kwargs)


class FormatTest(tf.test.TestCase):

  def test_refuses_files_that_tensorflow_does_not_read(self):
    data_dir = self.create_tempdir().full_path
    found = TfdsDataSet('tfvae_test_images/numbered', data_dir).sources(
        {'test_split': 'test'})['test_split']
    array_record = file_adapters.FileFormat.ARRAY_RECORD
    with mock.patch.object(tfds.core.DatasetInfo, 'file_format', array_record):
      with self.assertRaisesRegex(ValueError, "--file_format=tfrecord.*array"):
        next(found.pieces(image=False))


class FactorsTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls.enterClassContext(tempfile.TemporaryDirectory())

  def load(self, **kwargs):
    return images.load_images(
        'tfvae_test_sprites', self.data_dir, test_split='train[90%:]',
        **{'train_split': 'train[:90%]', **kwargs})

  def test_factors_are_those_written_with_each_image(self):
    data = self.load()
    self.assertEqual(data.factor_names, (
        'orientation', 'scale', 'shape', 'x_position', 'y_position'))
    parts = data.train, data.validation, data.test
    for part in parts:
      self.assertEqual(part.factors.dtype, np.int64)
      self.assertAllEqual(part.images, [_sprite(v) for v in part.factors])
    # 96 images: round(90 %) = 86, of which round(10 %) = 9 are carved.
    self.assertEqual([len(part.images) for part in parts], [77, 9, 10])
    self.assertCountEqual(
        [tuple(v) for part in parts for v in part.factors.tolist()],
        _combinations())

  def test_reading_in_pieces_is_reading_at_once(self):
    whole = self.load()
    with mock.patch.object(source, '_PIECE_BYTES', 5 * 64**2):
      pieces = self.load()
    for part in ('train', 'validation', 'test'):
      self.assertAllEqual(getattr(pieces, part).factors,
                          getattr(whole, part).factors)

  def test_named_validation_split(self):
    data = self.load(train_split='train[:70%]',
                     validation_split='train[70%:90%]')
    for part in data.train, data.validation, data.test:
      self.assertAllEqual(part.images, [_sprite(v) for v in part.factors])

  @parameterized.parameters('label', None)
  def test_factors_are_not_labels(self, label_key):
    data = self.load(label_key=label_key)
    self.assertIsNone(data.train.labels)
    self.assertIsNone(data.num_classes)
    self.assertIsNone(data.label_names)
    self.assertEqual(data.train.factors.shape, (77, 5))

  def test_a_factor_may_be_the_label(self):
    data = self.load(label_key='label_shape')
    self.assertAllEqual(data.test.labels, data.test.factors[:, 2])
    self.assertEqual(data.num_classes, 3)
    self.assertEqual(data.label_names, ('0', '1', '2'))


if __name__ == '__main__':
  tf.test.main()
