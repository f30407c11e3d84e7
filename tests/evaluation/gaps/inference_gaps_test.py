"""Amortization and approximation gaps of models where both are known."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tests.linear_gaussian import LinearGaussian
import tfvae
from tfvae import models
from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.gaps.inference_gaps import inference_gaps
from tfvae.evaluation.gaps.inference_gaps import InferenceGaps
from tfvae.graph import GraphicalModel

_SIZE, _SCALE, _N = 4, 0.6, 40
_FLOAT32 = 1e-5  # Nats: what float32 leaves of a log-density of some ten.


class Correlated:
  """p(x|z) = N(Wz, s² I) whose p(z|x) = N(Λ⁻¹ Wᵀx / s², Λ⁻¹) is correlated.

  Λ = I + Wᵀ W / s². Attributes: x, `[_N, _SIZE]`, and the log p(x) of each.
  """

  loadings = np.array([[1.0, 0.8], [0.4, 0.6], [-0.5, 0.3], [0.2, 1.0]])
  precision = np.eye(2) + loadings.T @ loadings / _SCALE**2
  gain = loadings @ np.linalg.inv(precision) / _SCALE**2  # E[z|x] = x gain

  def __init__(self):
    rng = np.random.default_rng(0)
    self.x = (rng.normal(size=(_N, 2)) @ self.loadings.T
              + _SCALE * rng.normal(size=(_N, _SIZE))).astype(np.float32)
    self.log_evidence = Estimate(stats.multivariate_normal(
        np.zeros(_SIZE), self.loadings @ self.loadings.T
        + _SCALE**2 * np.eye(_SIZE)).logpdf(np.float64(self.x)))

  def decoder(self):
    decoder = tf_keras.Sequential([
        tf_keras.layers.Dense(_SIZE, input_shape=[2]),
        tfvae.layers.IndependentNormal([_SIZE], _SCALE)])
    decoder.set_weights([self.loadings.T, np.zeros(_SIZE)])
    return decoder

  def vae(self, head, *others):
    """The exact mean, and the other parameters of the posterior constant."""
    regularizer = tfvae.KLDivergenceRegularizer(tfvae.priors.StandardNormal(2))
    encoder = tf_keras.Sequential([
        tf_keras.layers.Dense(2 + len(others), input_shape=[_SIZE]),
        head(2, activity_regularizer=regularizer)])
    kernel = np.zeros([_SIZE, 2 + len(others)])
    kernel[:, :2] = self.gain
    encoder.layers[0].set_weights([kernel, np.array([0., 0., *others])])
    return tfvae.VAE(encoder, self.decoder())

  def graph_vae(self, shift):
    """q(z1|x) q(z2|z1,x), exact except for the shift of z1's mean."""
    model = models.GraphVAE(
        GraphicalModel.parse('z1:1,z2:1', 'z1|x; z2|z1,x',
                             'z1; z2; x|z1,z2'),
        tf_keras.Sequential([tf_keras.layers.Flatten(input_shape=[_SIZE])]),
        self.decoder(), factor_units=())
    first, second = self.gain.T
    variance = np.linalg.inv(self.precision)[0, 0]
    # E[z2|z1, x] = E[z2|x] − Λ_21 / Λ_22 (z1 − E[z1|x])
    slope = -self.precision[1, 0] / self.precision[1, 1]
    zero = np.zeros(_SIZE)
    for name, kernel, bias in (
        ('z1', [first, zero], [shift, np.log(variance)]),
        ('z2', [[slope, *(second - slope * first)], [0., *zero]],
         [0., -np.log(self.precision[1, 1])])):
      model.inference_factors[name].set_weights(
          [np.transpose(kernel), np.array(bias)])
    return model, 0.5 * shift**2 / variance  # KL of a Gaussian that is shifted

  def gaps(self, model, **settings):
    dataset = tf.data.Dataset.from_tensor_slices({'x': self.x}).batch(_N)
    if isinstance(model, tfvae.VAE):
      dataset = dataset.map(lambda batch: batch['x'])
    return inference_gaps(model, dataset, self.log_evidence, **settings)


class InferenceGapsTest(tf.test.TestCase, parameterized.TestCase):

  def _assert_within(self, estimate, expected, standard_errors=5):
    self.assertLess(abs(estimate.mean - expected),
                    standard_errors * estimate.standard_error + _FLOAT32)

  def test_with_the_exact_posterior_in_the_family(self):
    """All of the gap is amortization: LinearGaussian has a diagonal p(z|x)."""
    exact = LinearGaussian(factor=0.6, shift=-1.0)
    x = exact.draw(_N)
    gaps = inference_gaps(
        exact.model, exact.dataset(_N, 25), Estimate(exact.log_evidence(x)),
        num_samples=1500, jit_compile=False)
    self._assert_within(gaps.amortization_gap, exact.gap())
    self.assertLess(gaps.amortization_gap.standard_error, 0.02)
    # log p(x, z) − log q(z|x) is log p(x) at any z: no noise is left.
    for elbo in gaps.optimized_elbo, gaps.cold_start_elbo:
      self.assertAllClose(
          elbo.values, gaps.log_evidence.values, rtol=0, atol=_FLOAT32)
    self.assertAllClose(
        gaps.amortization_gap.values + gaps.approximation_gap.values,
        gaps.log_evidence.values - gaps.encoder_elbo.values)

  def test_with_a_correlated_posterior(self):
    """The best diagonal q has the precisions of Λ's diagonal.

    Its KL is ½ (Σ_d log Λ_dd − log|Λ|), and that of a q of variances v,
    ½ (Σ_d v_d Λ_dd − 1 − log v_d − log|Λ|).
    """
    exact, variances = Correlated(), np.array([0.4, 0.1])
    model = exact.vae(
        tfvae.layers.MultivariateNormalDiag, *np.log(variances))
    gaps = exact.gaps(model, num_samples=2000)
    precisions = np.diag(exact.precision)
    log_determinant = np.linalg.slogdet(exact.precision)[1]
    approximation = 0.5 * (np.log(precisions).sum() - log_determinant)
    total = 0.5 * (variances * precisions - 1 - np.log(variances)).sum() - (
        0.5 * log_determinant)
    self._assert_within(gaps.approximation_gap, approximation)
    self._assert_within(gaps.amortization_gap, total - approximation)
    for gap in gaps.approximation_gap, gaps.amortization_gap:
      self.assertLess(gap.standard_error, 0.01)
    # The search is noisy here: what is left of the draws' noise in common.
    self.assertAllClose(gaps.cold_start_elbo.values,
                        gaps.optimized_elbo.values, rtol=0, atol=0.02)

  def test_with_a_posterior_of_full_covariance(self):
    exact = Correlated()
    gaps = exact.gaps(
        exact.vae(tfvae.layers.MultivariateNormalTriL, 0., 0., 0.),
        num_samples=500, jit_compile=False)
    # KL(N(μ, I) ‖ N(μ, Λ⁻¹)) = ½ (tr Λ − d − log|Λ|)
    self._assert_within(gaps.amortization_gap, 0.5 * (
        np.trace(exact.precision) - 2 - np.linalg.slogdet(exact.precision)[1]))
    for elbo in gaps.optimized_elbo, gaps.cold_start_elbo:
      self.assertAllClose(
          elbo.values, exact.log_evidence.values, rtol=0, atol=_FLOAT32)

  def test_with_several_latents(self):
    """q(z1|x) q(z2|z1,x) is moved factor by factor, and holds the exact one."""
    exact = Correlated()
    model, expected = exact.graph_vae(shift=0.4)
    gaps = exact.gaps(model, num_samples=500, jit_compile=False)
    self._assert_within(gaps.amortization_gap, expected)
    for elbo in gaps.optimized_elbo, gaps.cold_start_elbo:
      self.assertAllClose(
          elbo.values, exact.log_evidence.values, rtol=0, atol=_FLOAT32)

  def test_repeats_with_a_seed(self):
    exact = LinearGaussian(factor=2.0)
    dataset = exact.dataset(5)
    evidence = Estimate(exact.log_evidence(exact.draw(5)))
    runs = [inference_gaps(
        exact.model, dataset, evidence, num_steps=3, draws_per_step=2,
        num_samples=4, seed=seed, jit_compile=False) for seed in (1, 1, 2)]
    for name in ('encoder_elbo', 'optimized_elbo', 'cold_start_elbo'):
      values = [getattr(run, name).values for run in runs]
      self.assertEqual(values[0].shape, (5,))
      self.assertAllEqual(values[0], values[1])
      self.assertNotAllClose(values[0], values[2])
    self.assertEqual(
        set(runs[0].seconds), {'encoder', 'optimized', 'cold_start'})
    self.assertAllGreater(list(runs[0].seconds.values()), 0)

  def test_seconds(self):
    nats = Estimate(np.zeros(4))
    gaps = InferenceGaps(nats, nats, nats, nats, {
        'encoder': 0.5, 'optimized': 8.0, 'cold_start': 10.0})
    self.assertEqual(gaps.saving, 20.0)
    self.assertEqual(gaps.seconds_per_example, {
        'encoder': 0.125, 'optimized': 2.0, 'cold_start': 2.5})

  def test_refuses_a_posterior_that_is_not_gaussian(self):
    exact, flow = Correlated(), tfvae.layers.InverseAutoregressiveFlow
    rest = [0.] * (flow.params_size(2) - 2)
    with self.assertRaisesRegex(ValueError, 'needs Gaussian.*FlowedNormal'):
      exact.gaps(exact.vae(flow, *rest))

  def test_refuses_log_evidence_of_other_data(self):
    exact = LinearGaussian()
    with self.assertRaisesRegex(ValueError, r'3 examples.*shape=\(2,\)'):
      inference_gaps(exact.model, exact.dataset(3), Estimate(np.zeros(2)))

  @parameterized.parameters(
      'num_steps', 'draws_per_step', 'num_samples', 'learning_rate')
  def test_refuses(self, name):
    exact = LinearGaussian()
    with self.assertRaisesRegex(ValueError, f'{name}=0'):
      inference_gaps(exact.model, exact.dataset(2), Estimate(np.zeros(2)),
                     **{name: 0})


if __name__ == '__main__':
  tf.test.main()
