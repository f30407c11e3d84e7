"""The likelihood layer of real data."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tfvae.layers import IndependentNormal


def _normal(*shape):
  return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


class IndependentNormalTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(0.01, 1, 30.)
  def test_fixed_scale_equals_scipy(self, scale):
    loc, x = _normal(5, 6), _normal(5, 2, 3)
    expected = stats.norm(np.float64(loc), scale).logpdf(
        x.reshape(5, 6)).sum(1)
    likelihood = IndependentNormal((2, 3), scale=scale)(loc)
    self.assertAllClose(likelihood.log_prob(x), expected, rtol=1e-5)
    self.assertAllEqual(likelihood.mean(), loc.reshape(5, 2, 3))

  def test_per_pixel_scale_equals_scipy(self):
    params, x = _normal(5, 2, 6), _normal(5, 2, 3)
    loc, log_scale = np.split(np.float64(params), 2, axis=-1)
    expected = stats.norm(loc, np.exp(log_scale)).logpdf(x).sum((1, 2))
    likelihood = IndependentNormal((2, 3), scale='per_pixel')(params)
    self.assertAllClose(likelihood.log_prob(x), expected, rtol=1e-5)
    self.assertAllClose(likelihood.mean(), loc)

  def test_shared_scale_learns_the_root_mean_square(self):
    x = 0.2 * _normal(50, 6)
    layer = IndependentNormal(6, scale='shared')
    self.assertLen(layer.trainable_weights, 1)
    optimizer = tf_keras.optimizers.Adam(0.05)
    for _ in range(150):
      with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(layer(tf.zeros([50, 6])).log_prob(x))
      optimizer.minimize(loss, layer.trainable_weights, tape)
    # The maximum likelihood σ² of the σ-VAE: the mean squared error.
    self.assertAllClose(np.exp(layer.log_shared), np.sqrt(np.mean(x**2)),
                        rtol=1e-3)

  def test_draws(self):
    params = np.float32([[1., -2., 0.5, -1.]])
    draws = IndependentNormal(2, scale='per_pixel')(params).sample(
        20000, seed=[1, 2]).numpy()[:, 0]
    scale = np.exp([0.5, -1.])
    error = np.abs(draws.mean(0) - [1., -2.]) / (scale / 20000**.5)
    self.assertAllLess(error, 4.5)  # Standard errors.
    # The variance of s² is about 2 σ⁴ / n.
    error = np.abs(draws.var(0) / scale**2 - 1) / (2 / 20000)**.5
    self.assertAllLess(error, 4.5)

  def test_scale_is_bounded(self):
    params = np.float32([[0., -1e4], [0., 1e4]])
    stddev = IndependentNormal(1, scale='per_pixel')(params).stddev()
    self.assertAllClose(stddev[:, 0], np.exp([-6., 5.]), rtol=1e-5)

  @parameterized.parameters(
      0., -1., float('inf'), float('nan'), 'learned', True, None)
  def test_refuses_scale(self, scale):
    with self.assertRaisesRegex(ValueError, 'positive number. Received: sc'):
      IndependentNormal(3, scale=scale)

  def test_new_needs_the_value_of_a_shared_scale(self):
    with self.assertRaisesRegex(ValueError, "Received: scale='shared'"):
      IndependentNormal.new(tf.zeros([2, 3]), 3)
    self.assertAllClose(IndependentNormal.new(
        tf.zeros([2, 3]), 3, scale=0.5).stddev(), np.full([2, 3], 0.5))


if __name__ == '__main__':
  tf.test.main()
