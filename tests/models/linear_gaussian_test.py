"""A linear Gaussian VAE against probabilistic PCA, whose maximum is known."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae.layers import DistributionLayer

tfd = tfp.distributions

_N, _SIZE, _LATENT = 2000, 6, 2


class Normal(DistributionLayer):
  """p(x|z) = N(x; Wz + b, σ²I) with one learned σ."""

  def __init__(self):
    super().__init__(self._normal, 'mean')
    self._log_scale = self.add_weight(
        name='log_scale', shape=[], initializer='zeros')

  def _normal(self, loc):
    return tfd.Independent(tfd.Normal(loc, tf.exp(self._log_scale)), 1)


def _data():
  rng = np.random.default_rng(0)
  loadings = rng.normal(size=(_LATENT, _SIZE)) * [[2.], [1.]]
  return (rng.normal(size=(_N, _LATENT)) @ loadings
          + 0.5 * rng.normal(size=(_N, _SIZE)) + 1).astype(np.float32)


def _maximum_log_likelihood(x):
  """Tipping and Bishop, Probabilistic Principal Component Analysis, 1999.

  Per example, with λ the eigenvalues of the sample covariance and σ² the mean
  of those left over:

    −½ (d log 2π + Σ_{i≤q} log λ_i + (d − q) log σ² + d).
  """
  eigenvalues = np.linalg.eigvalsh(np.cov(np.float64(x).T, bias=True))[::-1]
  kept, rest = eigenvalues[:_LATENT], eigenvalues[_LATENT:]
  return -0.5 * (_SIZE * np.log(2 * np.pi) + np.log(kept).sum()
                 + len(rest) * np.log(rest.mean()) + _SIZE), rest.mean()


class ProbabilisticPcaTest(tf.test.TestCase):

  def test_training_reaches_the_maximum_likelihood(self):
    x = _data()
    maximum, variance = _maximum_log_likelihood(x)
    tf_keras.utils.set_random_seed(0)
    likelihood = Normal()
    model = tfvae.VAE(
        tf_keras.Sequential([
            tf_keras.layers.Dense(2 * _LATENT, input_shape=[_SIZE]),
            tfvae.layers.MultivariateNormalDiag(
                _LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(
                    tfvae.priors.StandardNormal(_LATENT)))]),
        tf_keras.Sequential([
            tf_keras.layers.Dense(_SIZE, input_shape=[_LATENT]), likelihood]))
    epochs, batch = 60, 100
    schedule = tf_keras.optimizers.schedules.CosineDecay(
        0.05, epochs * _N // batch)
    model.compile(tf_keras.optimizers.Adam(schedule), jit_compile=True,
                  steps_per_execution=_N // batch)
    model.fit(x, batch_size=batch, epochs=epochs, verbose=0)
    # Forty draws of z for each x: the noise is far below the tolerance.
    elbo = model.evaluate(np.tile(x, (40, 1)), batch_size=4000, verbose=0,
                          return_dict=True)['elbo']
    self.assertAllClose(elbo, maximum, rtol=0.01)
    # A lower bound: no more above it than the draws' noise allows.
    self.assertLess(elbo, maximum + 0.01)
    self.assertAllClose(
        np.exp(2 * likelihood.get_weights()[0]), variance, rtol=0.05)


if __name__ == '__main__':
  tf.test.main()
