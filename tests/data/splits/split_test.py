"""Labels of a split as the model takes them."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import data


class OneHotTest(parameterized.TestCase, tf.test.TestCase):

  def split(self, *labels):
    return data.Split(np.zeros([len(labels), 2, 2, 1], np.uint8),
                      np.array(labels, np.int64))

  def test_one_hot(self):
    self.assertAllEqual(self.split(0, 2, 1, 2).one_hot(3), [
        [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]])
    self.assertEqual(self.split(0).one_hot(3).dtype, np.float32)

  @parameterized.parameters(
      ([0, -1, 2, -1], 'classes 0 to 2 .*-1, which means unlabeled: 2 of 4 of '
       'the images.*without them.*num_classes=3, labels from -1 to 2'),
      ([0, -1, 3], 'outside the classes: 2 of 3 .*labels from -1 to 3'),
      ([0, 3, 7], 'outside the classes: 2 of 3 .*labels from 0 to 7'),
      ([-2, 0, 1], 'outside the classes: 1 of 3 .*labels from -2 to 1'))
  def test_refuses_labels_that_are_no_class(self, labels, message):
    with self.assertRaisesRegex(ValueError, message):
      self.split(*labels).one_hot(3)

  def test_refuses_images_without_labels(self):
    with self.assertRaisesRegex(ValueError, '`label_key`.*without labels'):
      data.Split(np.zeros([2, 2, 2, 1], np.uint8)).one_hot(3)


if __name__ == '__main__':
  tf.test.main()
