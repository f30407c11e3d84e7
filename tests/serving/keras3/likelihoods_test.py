"""Means of likelihoods in Keras 3 equal closed forms and integrals."""

from absl.testing import parameterized
import keras
import numpy as np
from scipy import integrate
from scipy import special
import tensorflow as tf

from tfvae import layers
from tfvae.serving.keras3.likelihoods import likelihood_mean


def _mean_of_exponential(logit):
  """∫ x exp(l x) dx / ∫ exp(l x) dx over [0, 1]."""
  weigh = lambda x: np.exp(logit * (x - (logit > 0)))
  return (integrate.quad(lambda x: x * weigh(x), 0, 1, epsabs=1e-12)[0]
          / integrate.quad(weigh, 0, 1, epsabs=1e-12)[0])


def _clipped_mean(loc, log_scale):
  """E[clip(Y, 0, 255)] / 255 = ∫_0^255 P(Y > t) dt / 255, Y logistic."""
  loc, scale = 127.5 * (loc + 1), 127.5 * np.exp(log_scale)
  points = np.clip([loc - 20 * scale, loc, loc + 20 * scale], 0, 255)
  return integrate.quad(
      lambda t: special.expit((loc - t) / scale), 0, 255, points=points,
      limit=200)[0] / 255


def _clipped_mean_of_two(logit, other_logit, loc, other_loc, *log_scales):
  share = special.expit(logit - other_logit)
  return (share * _clipped_mean(loc, log_scales[0])
          + (1 - share) * _clipped_mean(other_loc, log_scales[1]))


class Keras3LikelihoodsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (layers.IndependentBernoulli(1), special.expit),
      (layers.IndependentNormal(1), lambda loc: loc),
      (layers.IndependentNormal(1, 'per_pixel'), lambda loc, _: loc),
      (layers.IndependentNormal(1, data_loc=-3., data_scale=50.),
       lambda loc: 50 * loc - 3),
      (layers.IndependentPoisson(1), np.exp),
      (layers.IndependentNegativeBinomial(1, 'per_pixel'),
       lambda log_mean, _: np.exp(log_mean)),
      (layers.IndependentContinuousBernoulli(1), _mean_of_exponential),
      (layers.DiscretizedLogistic(1), _clipped_mean),
      (layers.DiscretizedLogistic(1, 2), _clipped_mean_of_two))
  def test_equals_float64(self, likelihood, expected):
    size = likelihood.params_size(1, **likelihood.settings)
    params = np.random.default_rng(0).uniform(-4, 4, [60, size])
    params[:6] *= np.array([[0], [1e-4], [0.1], [0.12], [0.13], [0.3]])
    params = params.astype(np.float32)
    x = keras.Input([size])
    mean = keras.Model(x, likelihood_mean(likelihood, x))(params)
    self.assertAllClose(
        mean[:, 0], [expected(*row) for row in params.astype(np.float64)],
        rtol=2e-6, atol=2e-6)

  def test_mean_of_large_logits_has_a_gradient(self):
    likelihood = layers.IndependentContinuousBernoulli(1)
    logits = tf.constant([[-990.], [-100.], [0.], [0.3], [100.], [990.]])
    with tf.GradientTape() as tape:
      tape.watch(logits)
      mean = likelihood_mean(likelihood, logits)
    variance = [1 / 990**2, 1e-4, 1 / 12, 1 / 12 - 0.3**2 / 240, 1e-4,
                1 / 990**2]
    self.assertAllClose(tape.gradient(mean, logits)[:, 0], variance, rtol=5e-5)

  @parameterized.parameters(
      (layers.IndependentPoisson(1),), (layers.DiscretizedLogistic(1),),
      (layers.IndependentContinuousBernoulli(1),),
      (layers.IndependentNegativeBinomial(1),))
  def test_extreme_parameters_are_bounded_as_in_the_layer(self, likelihood):
    size = likelihood.params_size(1, **likelihood.settings)
    params = np.array(np.meshgrid(*[
        [-1e6, -999.5, -40., -15., -7.5, 7.5, 15., 30.5, 999.5, 1e6]
    ] * size), np.float32)
    params = params.reshape(size, -1).T
    x = keras.Input([size])
    mean = keras.Model(x, likelihood_mean(likelihood, x))(params)
    self.assertAllClose(
        mean, likelihood.distribution(tf.constant(params)).mean(), rtol=1e-5,
        atol=1e-6)

  def test_takes_flat_parameters(self):
    likelihood = layers.IndependentNormal((2, 3), 'per_pixel')
    params = np.arange(12, dtype=np.float32)[np.newaxis]
    x = keras.Input([12])
    mean = keras.Model(x, likelihood_mean(likelihood, x))(params)
    self.assertAllEqual(mean, [[[0, 1, 2], [6, 7, 8]]])

  def test_a_subclass_of_the_same_distribution_has_its_mean(self):
    class Mine(layers.IndependentNormal):
      pass

    mean = likelihood_mean(Mine(1, data_loc=2.), tf.constant([[3.]]))
    self.assertAllEqual(mean, [[5.]])

  def test_refuses_a_likelihood_without_a_mean_for_keras_3(self):
    class Mine(layers.IndependentNormal):

      @classmethod
      def element_distribution(cls, loc, log_scale=None, **settings):
        return super().element_distribution(tf.exp(loc), log_scale, **settings)

    with self.assertRaisesRegex(
        ValueError, 'Mine, whose class has no keras3_mean.*Mine'):
      likelihood_mean(Mine(1), keras.Input([1]))


if __name__ == '__main__':
  tf.test.main()
