"""Comparison of loaded data with the same data from another source."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import data


class SameDataCase(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = self.create_tempdir().full_path

  def load(self, source, **kwargs):
    return data.load(source, cache_dir=self.directory, **kwargs)

  def assert_same(self, loaded, expected):
    for name in ('train', 'validation', 'test'):
      split, other = getattr(loaded, name), getattr(expected, name)
      found, wanted = (np.concatenate(list(data.stored(part.images).chunks()))
                       for part in (split, other))
      self.assertEqual(found.dtype, wanted.dtype)
      self.assertAllEqual(found, wanted)
      self.assertAllEqual(loaded.carved[name], expected.carved[name])
      self.assertAllEqual(split.labels, other.labels)
    self.assertEqual(loaded.label_names, expected.label_names)
    self.assertEqual(loaded.content, expected.content)
