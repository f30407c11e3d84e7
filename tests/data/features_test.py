"""Tests of choosing the image and the label among a data set's features."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae.data import features

_FEATURES = tfds.features.FeaturesDict({
    'image': tfds.features.Image(shape=(28, 20, 3)),
    'depth': tfds.features.Tensor(shape=(28, 20), dtype=np.float64),
    'half': tfds.features.Tensor(shape=(4, 4, 1), dtype=np.float16),
    'counts': tfds.features.Tensor(shape=(4, 4, 1), dtype=np.uint16),
    'mask': tfds.features.Tensor(shape=(4, 4, 1), dtype=np.bool_),
    'photo': tfds.features.Image(shape=(None, None, 3)),
    'film': tfds.features.Video(shape=(7, 4, 4, 3)),
    'title': tfds.features.Text(),
    'where': {'x': np.int64, 'y': np.int64},
    'label': tfds.features.ClassLabel(num_classes=7),
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
                     features.ImageSpec(key, shape, dtype))

  @parameterized.parameters(
      ('picture', r'no such feature.*image \(28, 20, 3\), depth'),
      ('photo', r'vary in size.*imagenet_resized.*\(None, None, 3\)'),
      ('counts', 'uint8, or floating.*dtype uint16'),
      ('mask', 'uint8, or floating.*dtype bool'),
      ('film', r'\(height, width, channels\).*--image_key.*\(7, 4, 4, 3\)'),
      ('title', r"\(height, width, channels\).*'title' of shape \(\)"),
      ('where', r"--image_key.*'where' of shape \{...\}"))
  def test_image_is_refused(self, key, message):
    with self.assertRaisesRegex(ValueError, message):
      features.image_spec(_FEATURES, key)

  def test_data_set_without_images_is_refused(self):
    text = tfds.features.FeaturesDict({'title': tfds.features.Text()})
    with self.assertRaisesRegex(ValueError, r'title \(\).*choose another data'):
      features.image_spec(text, 'image')

  @parameterized.parameters(('label', 7), ('age', None))
  def test_label(self, key, num_classes):
    self.assertEqual(features.label_spec(_FEATURES, key),
                     features.LabelSpec(key, num_classes))

  def test_no_label(self):
    self.assertIsNone(features.label_spec(_FEATURES, None))
    self.assertIsNone(features.label_spec(
        tfds.features.FeaturesDict({'image': tfds.features.Image()}), 'label'))

  @parameterized.parameters('class', 'weight', 'where', 'title', 'image')
  def test_label_is_refused(self, key):
    with self.assertRaisesRegex(
        ValueError, rf"one integer.*--label_key.*age \(\).*label_key='{key}'"):
      features.label_spec(_FEATURES, key)


if __name__ == '__main__':
  tf.test.main()
