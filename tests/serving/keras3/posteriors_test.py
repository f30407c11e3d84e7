"""Moments of posteriors in Keras 3 equal a computation in float64."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import layers
from tfvae.serving.keras3.posteriors import posterior_moments


def _standard_deviation(log_variance):
  """exp(½ log σ²), log σ² bounded to (−20, 10) from a nat before on."""
  v = log_variance.astype(np.float64)
  bounded = np.where(
      v > 9, 10 - np.exp(np.minimum(9 - v, 0)),
      np.where(v < -19, -20 + np.exp(np.minimum(v + 19, 0)), v))
  return np.exp(0.5 * bounded)


def _params(size):
  return np.random.default_rng(0).uniform(-30, 30, [50, size]).astype('float32')


class Keras3PosteriorsTest(tf.test.TestCase):

  def test_diagonal_equals_float64(self):
    params, x = _params(6), keras.Input([6])
    moments = keras.Model(
        x, posterior_moments(layers.MultivariateNormalDiag(3), x))(params)
    self.assertAllEqual(moments['loc'], params[:, :3])
    self.assertAllClose(
        moments['scale_diag'], _standard_deviation(params[:, 3:]), rtol=1e-5)

  def test_full_covariance_equals_float64(self):
    params, x = _params(9), keras.Input([9])
    moments = keras.Model(
        x, posterior_moments(layers.MultivariateNormalTriL(3), x))(params)
    scale = tfp.math.fill_triangular(params[:, 3:].astype(np.float64)).numpy()
    for i in range(3):
      scale[:, i, i] = _standard_deviation(scale[:, i, i])
    covariance = scale @ scale.transpose(0, 2, 1)
    self.assertAllEqual(moments['loc'], params[:, :3])
    self.assertAllClose(moments['scale_tril'], scale, rtol=1e-5)
    self.assertAllClose(
        moments['scale_diag'],
        np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), rtol=1e-5)

  def test_product_with_the_prior_equals_float64(self):
    params, prior_params = _params(6), _params(6)[::-1]
    inputs = keras.Input([6]), keras.Input([6])
    moments = keras.Model(inputs, posterior_moments(
        layers.MultivariateNormalDiag(3), *inputs))([params, prior_params])
    locs, scales = zip(*(
        (p[:, :3].astype(np.float64), _standard_deviation(p[:, 3:]))
        for p in (params, prior_params)), strict=True)
    # In terms of variances: σ² = σ_1² σ_2² / (σ_1² + σ_2²).
    total = scales[0] ** 2 + scales[1] ** 2
    self.assertAllClose(
        moments['scale_diag'], scales[0] * scales[1] / np.sqrt(total),
        rtol=1e-5)
    self.assertAllClose(
        moments['loc'],
        (locs[0] * scales[1] ** 2 + locs[1] * scales[0] ** 2) / total,
        rtol=1e-4)

  def test_refuses_a_posterior_without_moments_for_keras_3(self):
    class Mine(layers.MultivariateNormalDiag):

      @classmethod
      def new(cls, params, event_size):
        return super().new(tf.exp(params), event_size)

    with self.assertRaisesRegex(
        ValueError, 'Mine, whose class has no keras3_moments.*Mine'):
      posterior_moments(Mine(1), keras.Input([2]))


if __name__ == '__main__':
  tf.test.main()
