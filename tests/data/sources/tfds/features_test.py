"""Tests of choosing image, label and factors among a data set's features."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae.data.sources import source
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.tfds import features

_FEATURES = tfds.features.FeaturesDict({
    'image': tfds.features.Image(shape=(28, 20, 3)),
    'depth': tfds.features.Tensor(shape=(28, 20), dtype=np.float64),
    'half': tfds.features.Tensor(shape=(4, 4, 1), dtype=np.float16),
    'counts': tfds.features.Tensor(shape=(4, 4, 1), dtype=np.uint16),
    'mask': tfds.features.Tensor(shape=(4, 4, 1), dtype=np.bool_),
    'photo': tfds.features.Image(shape=(None, None, 3)),
    'opaque': tfds.features.Image(shape=(4, 4, 4)),
    'bands': tfds.features.Tensor(shape=(4, 4, 7), dtype=np.uint8),
    'film': tfds.features.Video(shape=(7, 4, 4, 3)),
    'title': tfds.features.Text(),
    'where': {'x': np.int64, 'y': np.int64},
    'label': tfds.features.ClassLabel(num_classes=7),
    'animal': tfds.features.ClassLabel(names=['cat', 'dog']),
    'later': tfds.features.ClassLabel(),
    'age': np.int32,
    'weight': np.float32,
})


class FeaturesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ('image', (28, 20, 3), np.uint8),
      ('depth', (28, 20, 1), np.float32),
      ('half', (4, 4, 1), np.float32))
  def test_image(self, key, shape, dtype):
    self.assertEqual(features.image_spec(_FEATURES, key),
                     source.ExampleSpec(key, shape, dtype))

  @parameterized.parameters(
      ('picture', r'no such feature.*image \(28, 20, 3\), depth'),
      ('photo', r'vary in size.*image_size.*\(None, None, 3\)'),
      ('counts', 'uint8, or floating.*dtype uint16'),
      ('mask', 'uint8, or floating.*dtype bool'),
      ('film', r'\(height, width, channels\).*`image_key`.*\(7, 4, 4, 3\)'),
      ('title', r"\(height, width, channels\).*'title' of shape \(\)"),
      ('where', r"`image_key`.*'where' of shape \{...\}"))
  def test_image_is_refused(self, key, message):
    with self.assertRaisesRegex(ValueError, message):
      features.image_spec(_FEATURES, key)

  @parameterized.parameters(
      ('image', {}, None), ('image', {'channels': 3}, None),
      ('image', {'size': (28, 20)}, None), ('half', {'channels': 1}, None),
      ('photo', {}, None), ('photo', {'channels': 1}, None),
      ('image', {'channels': 1}, (28, 20, 1)),
      ('image', {'size': (4, 5)}, (4, 5, 3)),
      ('photo', {'size': (4, 5)}, (4, 5, 3)),
      ('opaque', {}, None), ('opaque', {'size': (2, 2)}, (2, 2, 3)))
  def test_image_form(self, key, settings, shape):
    form = features.image_form(_FEATURES, key, ImageFormat(**settings))
    self.assertEqual(form and (*form.size, form.channels), shape)
    if form:
      self.assertEqual(features.image_spec(_FEATURES, key, form),
                       source.ExampleSpec(key, shape, np.uint8))

  @parameterized.parameters(
      ('half', {'size': (2, 2)}, 'uint8 images only.*dtype float16'),
      ('bands', {'size': (2, 2)}, r'1 to 4 channels.*\(4, 4, 7\)'),
      ('bands', {'channels': 3}, '1 to 4 channels'))
  def test_image_form_is_refused(self, key, settings, message):
    with self.assertRaisesRegex(ValueError, message):
      features.image_form(_FEATURES, key, ImageFormat(**settings))

  def test_data_set_without_images_is_refused(self):
    text = tfds.features.FeaturesDict({'title': tfds.features.Text()})
    with self.assertRaisesRegex(ValueError, r'title \(\).*choose another data'):
      features.image_spec(text, 'image')

  @parameterized.parameters(
      ('label', 7, tuple('0123456')), ('animal', 2, ('cat', 'dog')),
      ('age', None, None), ('later', None, None))
  def test_label(self, key, num_classes, names):
    self.assertEqual(features.label_spec(_FEATURES, key),
                     source.LabelSpec(key, num_classes, names))

  def test_no_label(self):
    self.assertIsNone(features.label_spec(_FEATURES, None))
    self.assertIsNone(features.label_spec(
        tfds.features.FeaturesDict({'image': tfds.features.Image()}), 'label'))

  @parameterized.parameters('class', 'weight', 'where', 'title', 'image')
  def test_label_is_refused(self, key):
    with self.assertRaisesRegex(
        ValueError, rf"one integer.*`label_key`.*age \(\).*label_key='{key}'"):
      features.label_spec(_FEATURES, key)

  def test_factors_are_the_integers_named_label_(self):
    self.assertEqual(features.factor_names(tfds.features.FeaturesDict({
        'image': tfds.features.Image(shape=(4, 4, 1)),
        'label_y': tfds.features.ClassLabel(num_classes=3),
        'label_x': np.int32,
        'label': tfds.features.ClassLabel(num_classes=5),
        'label_weight': np.float32,
        'label_seen': np.bool_,
        'label_text': tfds.features.Text(),
        'label_pair': tfds.features.Tensor(shape=(2,), dtype=np.int64),
        'label_where': {'label_a': np.int64, 'label_b': np.int64},
        'value_x': np.int64,
        'my_label_x': np.int64,
    })), {'label_x': 'x', 'label_y': 'y'})

  def test_one_integer_named_label_is_no_factor(self):
    self.assertEmpty(features.factor_names(tfds.features.FeaturesDict(
        {'label_x': np.int64, 'label_y': np.float32})))

  @parameterized.parameters(
      ('dsprites:2.0.0', 'orientation scale shape x_position y_position'),
      ('dsprites:2.1.0', 'orientation scale shape x_position y_position'),
      ('shapes3d', 'floor_hue object_hue orientation scale shape wall_hue'),
      ('smallnorb', 'azimuth category elevation lighting'),
      ('symmetric_solids', ''), ('coil100', ''), ('siscore', ''),
      ('cifar100', ''), ('celeb_a', ''), ('mnist', ''))
  def test_factors_of_the_data_sets_of_tfds(self, name, names):
    builder = tfds.builder(name, data_dir=self.create_tempdir().full_path)
    found = features.factor_names(builder.info.features)
    self.assertEqual(list(found.values()), names.split())


if __name__ == '__main__':
  tf.test.main()
