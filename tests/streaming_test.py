"""Pipelines of the package are not tuned while they run."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests import numbered_images
from tfvae import data
from tfvae.streaming import untuned


class StreamingTest(parameterized.TestCase, tf.test.TestCase):

  def test_only_the_tuning_is_changed(self):
    options = tf.data.Options()
    options.deterministic = False
    changed = untuned(tf.data.Dataset.range(3).with_options(options))
    self.assertFalse(changed.options().autotune.enabled)
    self.assertFalse(changed.options().deterministic)
    self.assertAllEqual(list(changed.as_numpy_iterator()), [0, 1, 2])

  @parameterized.parameters(
      lambda x: data.evaluation_batches(x, 2, 0, 'dynamic'),
      lambda x: data.training_batches(x, 2, 0, 'dynamic'),
      lambda x: data.training_steps(len(x), 2, 0))
  def test_batches(self, make):
    dataset = make(np.zeros([5, 2, 2, 1], np.uint8))
    self.assertFalse(dataset.options().autotune.enabled)

  def test_streamed_batches(self):
    directory = self.create_tempdir().full_path
    loaded = data.load_images(
        numbered_images.prepare(directory), directory, cache='none')
    dataset = data.streamed_batches(loaded.train.images, 10, 0, 'dynamic')
    self.assertFalse(dataset.options().autotune.enabled)


if __name__ == '__main__':
  tf.test.main()
