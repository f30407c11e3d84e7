"""Linear Gaussian VAEs of incomplete data, whose evidence has a closed form.

  p(z) = N(0, I),  p(x|z) = N(Wz + b, s² I).

Of the observed elements o, p(x_o) = N(b_o, W_o W_oᵀ + s² I), and p(z|x_o) =
N(V W_oᵀ (x_o − b_o) / s², V) with V = (I + W_oᵀ W_o / s²)⁻¹, which is not
diagonal.
"""

import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae

tfd = tfp.distributions

SIZE, LATENT, SCALE = 6, 2, 0.6


class Exact(tfvae.VAE):
  """A VAE whose q(z|x_obs) is the exact posterior, widened by a factor."""

  def posterior_factor(self, name, values, training=False):
    x = values['x']
    weights, bias = self.decoder.weights
    observed = tf.cast(~tf.math.is_nan(x), tf.float32)
    masked = observed[:, tf.newaxis] * weights  # [b, LATENT, SIZE]
    covariance = tf.linalg.inv(
        tf.eye(LATENT) + tf.einsum('bls,ms->blm', masked, weights) / SCALE**2)
    mean = tf.einsum('blm,bms,bs->bl', covariance, masked, tf.where(
        tf.math.is_nan(x), 0., x - bias)) / SCALE**2
    return tfd.MultivariateNormalTriL(
        mean, self.factor * tf.linalg.cholesky(covariance))


class MissingLinearGaussian:
  """The model and its closed forms.

  The KL is estimated at the draw: at the exact posterior the ELBO of every draw
  is then the evidence.

  Attributes:
    model: `Exact` model with these weights.
    loadings: Matrix W, float64 `[SIZE, LATENT]`.
    bias: Vector b, `[SIZE]`.
  """

  def __init__(self, factor=1.0):
    """Initializes the model, with posteriors `factor` times as wide."""
    rng = np.random.default_rng(0)
    self.loadings = rng.normal(size=(SIZE, LATENT))
    self.bias = rng.normal(size=SIZE)
    layers = tf_keras.layers
    encoder = tf_keras.Sequential([
        tfvae.layers.MissingInputs(input_shape=[SIZE]),
        layers.Dense(tfvae.layers.MultivariateNormalTriL.params_size(LATENT)),
        tfvae.layers.MultivariateNormalTriL(
            LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(
                tfvae.priors.StandardNormal(LATENT), use_exact_kl=False))])
    decoder = tf_keras.Sequential([
        layers.Dense(SIZE, input_shape=[LATENT]),
        tfvae.layers.IndependentNormal([SIZE], SCALE, allow_missing=True)])
    decoder.set_weights([self.loadings.T, self.bias])
    self.model = Exact(encoder, decoder)
    self.model.factor = factor

  def draw(self, n, fraction=0.4, seed=1):
    """Returns n draws of p(x), and these with missing values, `[n, SIZE]`."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, LATENT)) @ self.loadings.T + self.bias + (
        SCALE * rng.normal(size=(n, SIZE)))
    return np.float32(x), np.float32(
        np.where(rng.random(x.shape) < fraction, np.nan, x))

  def log_evidence(self, x):
    """Returns log p(x_obs) of each row, `[n]`; 0 of an empty row."""
    covariance = self.loadings @ self.loadings.T + SCALE**2 * np.eye(SIZE)
    return np.array([
        stats.multivariate_normal(
            self.bias[o], covariance[np.ix_(o, o)]).logpdf(np.float64(row[o]))
        if o.any() else 0. for row in x for o in [~np.isnan(row)]])

  def conditional(self, x):
    """Returns mean and standard deviation of each value given x_obs.

    They are x and 0 where it is observed, both `[n, SIZE]`.
    """
    covariance = self.loadings @ self.loadings.T + SCALE**2 * np.eye(SIZE)
    means, scales = np.float64(x), np.zeros(x.shape)
    for row, mean, scale in zip(np.float64(x), means, scales, strict=True):
      m, o = np.isnan(row), ~np.isnan(row)
      gain = np.linalg.solve(
          covariance[np.ix_(o, o)], covariance[np.ix_(o, m)]).T
      mean[m] = self.bias[m] + gain @ (row[o] - self.bias[o])
      scale[m] = np.sqrt(np.diag(
          covariance[np.ix_(m, m)] - gain @ covariance[np.ix_(o, m)]))
    return means, scales
