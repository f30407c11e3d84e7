"""Annealing against models whose log p(x) is known."""

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf
import tf_keras

from tests.linear_gaussian import LATENT
from tests.linear_gaussian import LinearGaussian
from tests.linear_gaussian import SCALE
from tests.linear_gaussian import SIZE
from tests.linear_graphs import LinearModel
import tfvae
from tfvae import models
from tfvae.evaluation.ais.annealed_importance_sampling import (
  annealed_importance_sampling,
)
from tfvae.evaluation.ais.annealed_importance_sampling import (
  bidirectional_bounds,
)


def _batches(inputs, batch_size=100):
  return tf.data.Dataset.from_tensor_slices(inputs).batch(batch_size)


def _in_standard_errors(values, expected):
  """(mean − expected) / standard error of the mean."""
  return (values.mean() - expected) / (
      values.std(ddof=1) / np.sqrt(len(values)))


def _other_family(head=tfvae.layers.MultivariateNormalDiag, prior=None,
                  factor=1.2, **settings):
  """The linear decoder of `LinearGaussian` with another prior or posterior."""
  exact = LinearGaussian(factor)
  prior = prior or tfvae.priors.StandardNormal(LATENT)
  encoder = tf_keras.Sequential([
      tf_keras.layers.Dense(
          head.params_size(LATENT), input_shape=[SIZE]),
      head(LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(prior),
           **settings)])
  rng = np.random.default_rng(0)
  weights = [0.12 * rng.normal(size=w.shape) for w in encoder.get_weights()]
  # What makes μ and log σ²; the rest, where there is any, is of a flow.
  for weight, part in zip(weights, exact.model.encoder.get_weights(),
                          strict=False):
    weight[..., :2 * LATENT] = part
  model = tfvae.VAE(encoder, exact.model.decoder)
  encoder.set_weights(weights)
  return exact, model


def _log_evidence_of_mixture(exact, model, x):
  """log Σ_k π_k N(x; W μ_k + b, W diag σ_k² Wᵀ + s² I)."""
  prior = model.prior_distribution()
  parts = prior.components_distribution
  log_joint = []
  for mean, scale in zip(parts.mean().numpy(), parts.stddev().numpy(),
                         strict=True):
    loadings = exact.loadings * scale
    log_joint.append(stats.multivariate_normal(
        exact.loadings @ mean + exact.bias,
        loadings @ loadings.T + SCALE**2 * np.eye(SIZE)).logpdf(np.float64(x)))
  return special.logsumexp(
      log_joint, axis=0, b=np.float64(
          prior.mixture_distribution.probs_parameter())[:, np.newaxis])


class AnnealedImportanceSamplingTest(tf.test.TestCase, parameterized.TestCase):

  def test_reaches_log_evidence(self):
    linear = LinearGaussian(factor=0.6, shift=0.2)
    x = linear.draw(10)
    estimate = annealed_importance_sampling(
        linear.model, _batches(x), num_steps=80, num_chains=600,
        jit_compile=False)
    self.assertAllClose(
        estimate.values, linear.log_evidence(x), rtol=0, atol=0.05)

  @parameterized.parameters('prior', 'posterior')
  def test_weights_are_unbiased(self, start):
    """E[w] / p(x) = 1 with few steps: each leaves its own f_β invariant."""
    linear = LinearGaussian(factor=1.2)
    x = np.repeat(linear.draw(4), 5000, axis=0)
    estimate = annealed_importance_sampling(
        linear.model, _batches(x, len(x)), num_steps=6, num_chains=1,
        start=start, jit_compile=False)
    ratios = np.exp(estimate.values - linear.log_evidence(x))
    self.assertGreater(np.std(ratios), 0.1)
    self.assertLess(abs(_in_standard_errors(ratios, 1)), 5)

  def test_any_graph(self):
    linear = LinearModel('bottom_up')
    data = linear.data(6)
    estimate = annealed_importance_sampling(
        linear.model, _batches(linear.inputs(data)), num_steps=80,
        num_chains=600, jit_compile=False)
    self.assertAllClose(
        estimate.values, linear.log_likelihood(data), rtol=0, atol=0.05)

  def test_reaches_the_quadrature_under_xla(self):
    """log p(x) = log ∫ p(x|z) p(z) dz with a decoder that is not linear."""
    tf_keras.utils.set_random_seed(3)
    model = models.image_vae(2, (2, 2, 1), 'mlp', (6,))
    model.decoder.set_weights([3 * w for w in model.decoder.get_weights()])
    x = np.float32(np.random.default_rng(0).random((5, 2, 2, 1)) < 0.5)
    v1, c1, v2, c2 = [np.float64(w) for w in model.decoder.get_weights()]
    grid, spacing = np.linspace(-8, 8, 401, retstep=True)
    z = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    logits = np.tanh(z @ v1 + c1) @ v2 + c2
    log_joint = (
        x.reshape(5, 1, 4) * logits - np.logaddexp(0, logits)).sum(axis=-1)
    log_joint -= 0.5 * (z**2).sum(axis=-1) + np.log(2 * np.pi)
    estimate = annealed_importance_sampling(
        model, _batches(x), num_steps=40, num_chains=1000)
    self.assertAllClose(
        estimate.values,
        special.logsumexp(log_joint, axis=1) + 2 * np.log(spacing),
        rtol=0, atol=0.05)

  def test_with_a_flow_for_a_posterior(self):
    """Weights are unbiased, within 5 standard errors for each x."""
    exact, model = _other_family(
        tfvae.layers.InverseAutoregressiveFlow, num_flows=1,
        factor=2.0)  # Wide, for weights of a small variance.
    x = exact.draw(4)
    # It has left the normal that it starts at.
    draws = model.encoder(x).sample(20_000, seed=[1, 2]).numpy()
    self.assertGreater(np.abs(stats.kurtosis(draws, axis=0)).max(), 0.1)
    estimate = annealed_importance_sampling(
        model, _batches(np.repeat(x, 50, axis=0), 200), num_steps=20,
        num_chains=40, jit_compile=False)
    ratios = np.exp(
        estimate.values.reshape(4, 50) - exact.log_evidence(x)[:, np.newaxis])
    errors = ratios.std(axis=1, ddof=1) / np.sqrt(50)
    self.assertAllLess(errors, 0.03)
    self.assertAllLess(np.abs(ratios.mean(axis=1) - 1) / errors, 5)

  def test_with_a_mixture_for_a_prior(self):
    exact, model = _other_family(
        prior=tfvae.priors.GaussianMixture(LATENT, 3))
    x = exact.draw(6)
    expected = _log_evidence_of_mixture(exact, model, x)
    # Not that of the standard normal.
    self.assertGreater(np.abs(expected - exact.log_evidence(x)).max(), 0.2)
    estimate = annealed_importance_sampling(
        model, _batches(x), num_steps=60, num_chains=600, start='prior',
        jit_compile=False)
    self.assertAllClose(estimate.values, expected, rtol=0, atol=0.05)

  def test_repeats_with_a_seed(self):
    self.addCleanup(tf.config.run_functions_eagerly, False)
    tf.config.run_functions_eagerly(True)  # Quicker than a trace of each.
    linear = LinearGaussian()
    first, second, other = [
        annealed_importance_sampling(
            linear.model, linear.dataset(5), num_steps=2, num_chains=2,
            num_leapfrog_steps=1, start='prior', seed=seed,
            jit_compile=False).values
        for seed in (1, 1, 2)]
    self.assertAllEqual(first, second)
    self.assertNotAllClose(first, other)

  @parameterized.parameters(
      ({'num_steps': 1}, 'num_steps=1'), ({'num_chains': 0}, 'num_chains=0'),
      ({'num_leapfrog_steps': 0}, 'num_leapfrog_steps=0'),
      ({'start': 'q'}, "start='q'"))
  def test_refuses(self, arguments, message):
    linear = LinearGaussian()
    with self.assertRaisesRegex(ValueError, message):
      annealed_importance_sampling(
          linear.model, linear.dataset(2), **arguments)


class BidirectionalBoundsTest(tf.test.TestCase, parameterized.TestCase):

  def _check_bracket(self, bounds, truth):
    """Contains the known values, within 4 standard errors of the mean."""
    self.assertLess(_in_standard_errors(bounds.lower.values - truth, 0), 4)
    self.assertGreater(_in_standard_errors(bounds.upper.values - truth, 0), -4)

  def test_bracket_closes_and_the_way_back_is_unbiased(self):
    """E[w] p(x) = 1 for chains from z ~ p(z|x)."""
    linear = LinearGaussian(factor=1.2)
    bounds = bidirectional_bounds(
        linear.model, 20_000, num_steps=6, num_chains=1, batch_size=20_000,
        jit_compile=False)
    truth = linear.log_evidence(bounds.inputs)
    ratios = np.exp(truth - bounds.upper.values)
    self.assertGreater(np.std(ratios), 0.1)
    self.assertLess(abs(_in_standard_errors(ratios, 1)), 5)
    self._check_bracket(bounds, truth)
    self.assertGreater(bounds.gap.mean, 5 * bounds.gap.standard_error)
    # It closes with the steps and chains.
    narrow = bidirectional_bounds(
        linear.model, 400, num_steps=20, num_chains=4, batch_size=400,
        jit_compile=False)
    self._check_bracket(narrow, linear.log_evidence(narrow.inputs))
    self.assertLess(narrow.gap.mean, bounds.gap.mean / 2)
    # The data are the model's: the mean of log p(x) is minus its entropy.
    covariance = linear.loadings @ linear.loadings.T + SCALE**2 * np.eye(SIZE)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]
    self.assertLess(abs(_in_standard_errors(truth, -entropy)), 5)

  def test_graph_with_labels_in_batches(self):
    linear = LinearModel('label_below')
    bounds = bidirectional_bounds(
        linear.model, 100, num_steps=60, num_chains=8,
        labels=linear.data(100)['y'], batch_size=50, jit_compile=False)
    self._check_bracket(bounds, linear.log_likelihood(bounds.inputs))
    self.assertLess(abs(bounds.gap.mean), 0.1)

  def test_refuses_labels_of_another_length(self):
    linear = LinearModel('conditional')
    with self.assertRaisesRegex(ValueError, 'num_examples=3, 2 labels'):
      bidirectional_bounds(
          linear.model, 3, labels=np.eye(2, dtype=np.float32))


if __name__ == '__main__':
  tf.test.main()
