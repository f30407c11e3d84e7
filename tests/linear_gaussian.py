"""A linear Gaussian VAE whose evidence, posterior and KL have closed forms.

  p(z) = N(0, I),  p(x|z) = N(Wz + b, s² I),  W with orthogonal columns,

so that the exact posterior is diagonal:

  p(z|x) = N(V Wᵀ (x − b) / s², V),  V = diag(s² / (s² + |w_d|²)).
"""

import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

import tfvae

SIZE, LATENT, SCALE = 6, 3, 0.7


class LinearGaussian:
  """The model, with q(z|x) = N(μ + shift, factor² V) of the exact μ and V.

  Attributes:
    model: `tfvae.VAE` with these weights.
    loadings: Matrix W, float64 `[SIZE, LATENT]`.
    bias: Vector b, `[SIZE]`.
    variance: Diagonal of V, `[LATENT]`.
  """

  def __init__(self, factor=1.0, shift=0.0, norms=(2.0, 1.0, 0.5)):
    """Initializes the model; p(x|z) ignores dimensions whose norm is 0."""
    rng = np.random.default_rng(0)
    orthogonal = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
    self.loadings = orthogonal[:, :LATENT] * norms
    self.bias = rng.normal(size=SIZE)
    self.factor, self.shift = factor, shift
    self.variance = SCALE**2 / (SCALE**2 + np.square(norms))
    self._gain = (self.variance * self.loadings / SCALE**2)  # [SIZE, LATENT]
    self.model = self._make()

  def _make(self):
    layers = tf_keras.layers
    encoder = tf_keras.Sequential([
        layers.Dense(2 * LATENT, input_shape=[SIZE]),
        tfvae.layers.MultivariateNormalDiag(
            LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(
                tfvae.priors.StandardNormal(LATENT)))])
    decoder = tf_keras.Sequential([
        layers.Dense(SIZE, input_shape=[LATENT]),
        tfvae.layers.IndependentNormal([SIZE], SCALE)])
    kernel = np.concatenate([self._gain, np.zeros_like(self._gain)], axis=1)
    encoder.set_weights([kernel, np.concatenate([
        self.shift - self.bias @ self._gain,
        np.log(self.factor**2 * self.variance)])])
    decoder.set_weights([self.loadings.T, self.bias])
    return tfvae.VAE(encoder, decoder)

  def mixture(self, components):
    """Returns the model with M components in q(z|x), all of them its normal.

    Args:
      components: Number of components M; their weights differ.
    """
    layers, posterior = tf_keras.layers, (
        tfvae.layers.MultivariateNormalDiagMixture(
            LATENT, components,
            activity_regularizer=tfvae.KLDivergenceRegularizer(
                tfvae.priors.StandardNormal(LATENT))))
    encoder = tf_keras.Sequential([
        layers.Dense(posterior.params_size(LATENT, components),
                     input_shape=[SIZE]), posterior])

    def repeated(weights, logits):
      loc, log_variance = np.split(weights, 2, axis=-1)
      return np.concatenate(
          [logits, *[loc] * components, *[log_variance] * components], axis=-1)

    kernel, bias = self.model.encoder.get_weights()
    encoder.set_weights([
        repeated(kernel, np.zeros([SIZE, components])),
        repeated(bias, np.linspace(-1, 1, components))])
    return tfvae.VAE(encoder, self.model.decoder)

  def draw(self, n, seed=1):
    """Returns n draws of p(x), float32 `[n, SIZE]`."""
    rng = np.random.default_rng(seed)
    noise = SCALE * rng.normal(size=(n, SIZE))
    z = rng.normal(size=(n, LATENT))
    return (z @ self.loadings.T + self.bias + noise).astype(np.float32)

  def dataset(self, n, batch_size=50, seed=1):
    """Returns the draws in batches."""
    return tf.data.Dataset.from_tensor_slices(
        self.draw(n, seed)).batch(batch_size)

  def log_evidence(self, x):
    """Returns log p(x) = log N(x; b, W Wᵀ + s² I), `[n]`."""
    covariance = self.loadings @ self.loadings.T + SCALE**2 * np.eye(SIZE)
    return stats.multivariate_normal(self.bias, covariance).logpdf(
        np.float64(x))

  def posterior_mean(self, x):
    """Returns the exact posterior's mean, `[n, LATENT]`."""
    return (np.float64(x) - self.bias) @ self._gain

  def gap(self):
    """Returns KL(q(z|x) ‖ p(z|x)) = log p(x) − ELBO(x), the same for all x."""
    return np.sum(
        0.5 * (self.factor**2 + self.shift**2 / self.variance - 1)
        - np.log(self.factor))

  def kl_per_dimension(self, x):
    """Returns KL(q(z_d|x) ‖ p(z_d)), `[n, LATENT]`."""
    mean = self.posterior_mean(x) + self.shift
    variance = self.factor**2 * self.variance
    return 0.5 * (variance + mean**2 - 1 - np.log(variance))

  def elbo(self, x):
    """Returns E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)), `[n]`."""
    return self.log_evidence(x) - self.gap()
