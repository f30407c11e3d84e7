"""Tests of the bundled digits, against scikit-learn's own arrays."""

import tempfile

import numpy as np
from sklearn import datasets
import tensorflow as tf
import tensorflow_datasets as tfds

import tfvae.data


class DigitsTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    data_dir = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.splits, cls.info = tfds.load(
        'digits', data_dir=data_dir, batch_size=-1, split=['train', 'test'],
        with_info=True)

  def rows(self, split):
    """Each image and its label as one row, sorted: order does not matter."""
    images = split['image'].numpy().reshape(-1, 64)
    rows = np.column_stack([images, split['label'].numpy()])
    return rows[np.lexsort(rows.T)]

  def test_splits_together_are_scikit_learns_digits_scaled(self):
    digits = datasets.load_digits()
    scaled = [[int(v * 255 / 16 + 0.5) for v in row] for row in digits.data]
    expected = np.column_stack([scaled, digits.target])
    self.assertAllEqual(
        self.rows({k: tf.concat([s[k] for s in self.splits], 0)
                   for k in ('image', 'label')}),
        expected[np.lexsort(expected.T)])

  def test_sizes_and_features(self):
    train, test = self.splits
    self.assertEqual(train['image'].shape, (1437, 8, 8, 1))
    self.assertEqual(test['image'].shape, (360, 8, 8, 1))
    self.assertEqual(train['image'].dtype, tf.uint8)
    self.assertEqual(self.info.features['label'].num_classes, 10)

  def test_every_digit_is_in_both_splits_in_its_proportion(self):
    train, test = (np.bincount(s['label'], minlength=10) for s in self.splits)
    # Hypergeometric: 360 of 1797 drawn without replacement, 4 standard errors.
    total, share = train + test, 360 / 1797
    error = np.sqrt(total * share * (1 - share) * (1797 - total) / 1796)
    self.assertAllLess(np.abs(test - total * share) / error, 4.)

  def test_the_split_does_not_change_between_builds(self):
    data_dir = self.enterContext(tempfile.TemporaryDirectory())
    again = tfds.load('digits', data_dir=data_dir, batch_size=-1, split='test')
    self.assertAllEqual(again['image'], self.splits[1]['image'])

  def test_metadata(self):
    self.assertEqual(tfvae.data.Digits.name, 'digits')
    self.assertEqual(str(self.info.version), '1.0.0')
    self.assertContainsSubset('Alpaydin', self.info.citation)
    self.assertStartsWith(self.info.homepage, 'https://')


if __name__ == '__main__':
  tf.test.main()
