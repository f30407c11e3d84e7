"""Moments of data that come in chunks."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.data import moments


class MomentsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(size=(1, 7, 1000), shape=((3,), (2, 4), ()))
  def test_equal_those_of_all_rows(self, size, shape):
    rng = np.random.default_rng(0)
    x = 1e4 + 0.01 * rng.normal(size=[1000, *shape])
    mean, scale = moments(x[i:i + size] for i in range(0, 1000, size))
    self.assertAllClose(mean, x.mean(axis=0), rtol=1e-12)
    self.assertAllClose(scale, x.std(axis=0), rtol=1e-6)

  def test_constant_elements_have_the_scale_one(self):
    x = np.stack([np.full(9, 0.1), np.arange(9.)], axis=1)
    mean, scale = moments([x[:4], x[4:4], x[4:]])
    self.assertAllClose(mean, [0.1, 4])
    self.assertAllClose(scale, [1, np.arange(9).std()])

  @parameterized.parameters(1, 7, 1000)
  def test_missing_values_do_not_count(self, size):
    rng = np.random.default_rng(0)
    x = 1e4 + 0.01 * rng.normal(size=[1000, 3, 2])
    x[rng.random(x.shape) < 0.3] = np.nan
    x[:, 2, 1] = np.nan
    mean, scale = moments(x[i:i + size] for i in range(0, 1000, size))
    self.assertEqual((mean[2, 1], scale[2, 1]), (0, 1))
    x[:, 2, 1] = 0
    self.assertAllClose(mean, np.nanmean(x, axis=0), rtol=1e-12)
    self.assertAllClose(scale.ravel()[:-1], np.nanstd(x, axis=0).ravel()[:-1],
                        rtol=1e-6)


if __name__ == '__main__':
  tf.test.main()
