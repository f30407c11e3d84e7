"""The learned normal prior against SciPy and closed forms."""

import numpy as np
from scipy import stats
import tensorflow as tf

import tfvae
from tfvae.priors import LearnedNormal


def _prior(log_variance=(-2.0, 0.0, 1.5)):
  prior = LearnedNormal(3)
  prior.set_weights([np.array([1.0, -2.0, 0.5]), np.array(log_variance)])
  return prior


class LearnedNormalTest(tf.test.TestCase):

  def test_log_density_equals_scipy(self):
    z = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    scale = np.exp([-1.0, 0.0, 0.75])  # σ = exp(½ log σ²)
    self.assertAllClose(
        _prior().distribution().log_prob(z),
        stats.norm.logpdf(z, [1.0, -2.0, 0.5], scale).sum(axis=1), rtol=1e-5)

  def test_begins_as_the_standard_normal(self):
    z = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    self.assertAllClose(LearnedNormal(3).distribution().log_prob(z),
                        stats.norm.logpdf(z).sum(axis=1), rtol=1e-5)

  def test_kl_is_exact(self):
    params = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    kl = tfvae.KLDivergenceRegularizer(_prior(), use_exact_kl=True).kl(
        tfvae.layers.MultivariateNormalDiag(3)(params))
    loc, log_variance = np.split(np.float64(params), 2, axis=-1)
    prior_log_variance = np.array([-2.0, 0.0, 1.5])
    # ½ Σ ((σ_q² + (μ_q − μ_p)²) / σ_p² − 1 + log σ_p² − log σ_q²)
    expected = 0.5 * np.sum(
        (np.exp(log_variance) + (loc - [1.0, -2.0, 0.5])**2)
        * np.exp(-prior_log_variance) - 1 + prior_log_variance - log_variance,
        axis=-1)
    self.assertAllClose(kl, expected, rtol=1e-5)

  def test_any_variance_gives_a_finite_gradient(self):
    prior = _prior(log_variance=(-1e6, 1e6, 0.0))
    with tf.GradientTape() as tape:
      log_prob = prior.distribution().log_prob([0.5, 0.5, 0.5])
    for value in (log_prob, *tape.gradient(log_prob, prior.trainable_weights)):
      self.assertTrue(np.isfinite(value).all())


if __name__ == '__main__':
  tf.test.main()
