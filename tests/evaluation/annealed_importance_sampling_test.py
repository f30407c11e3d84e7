"""Annealing against models whose log p(x) is known."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tests.linear_gaussian import LinearGaussian
from tests.models.graph_vae_test import LinearModel
from tfvae import models
from tfvae.evaluation.annealed_importance_sampling import (
  annealed_importance_sampling,
)
from tfvae.evaluation.annealed_importance_sampling import bidirectional_bounds
from tfvae.evaluation.bounds import importance_weighted_nll


def _batches(inputs, batch_size=100):
  return tf.data.Dataset.from_tensor_slices(inputs).batch(batch_size)


def _in_standard_errors(values, expected):
  """(mean − expected) / standard error of the mean."""
  return (values.mean() - expected) / (
      values.std(ddof=1) / np.sqrt(len(values)))


class AnnealedImportanceSamplingTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      ('posterior', 1.0, 0.0), ('posterior', 1.3, 0.0), ('posterior', 0.6, 0.2),
      ('prior', 1.0, 0.0))
  def test_reaches_log_evidence(self, start, factor, shift):
    linear = LinearGaussian(factor, shift)
    x = linear.draw(10)
    estimate = annealed_importance_sampling(
        linear.model, _batches(x), num_steps=200,
        num_chains=200 if start == 'prior' else 64, start=start,
        jit_compile=False)
    self.assertAllClose(
        estimate.values, linear.log_evidence(x), rtol=0, atol=0.05)

  @parameterized.product(start=['prior', 'posterior'], num_steps=[2, 6])
  def test_weights_are_unbiased(self, start, num_steps):
    """E[w] / p(x) = 1 however few the steps: each leaves its f_β invariant."""
    linear = LinearGaussian(factor=1.2)
    x = np.repeat(linear.draw(4), 4000, axis=0)
    estimate = annealed_importance_sampling(
        linear.model, _batches(x, len(x)), num_steps, num_chains=1,
        start=start, jit_compile=False)
    ratios = np.exp(estimate.values - linear.log_evidence(x))
    self.assertLess(abs(_in_standard_errors(ratios, 1)), 5)

  def test_weights_of_the_way_back_are_unbiased(self):
    """E[w] p(x) = 1 for z ~ p(z|x)."""
    linear = LinearGaussian(factor=1.2)
    bounds = bidirectional_bounds(
        linear.model, 16_000, num_steps=6, num_chains=1, batch_size=16_000,
        jit_compile=False)
    truth = linear.log_evidence(bounds.inputs)
    ratios = np.exp(truth - bounds.upper.values)
    self.assertLess(abs(_in_standard_errors(ratios, 1)), 5)

  @parameterized.parameters('bottom_up', 'top_down', 'conditional')
  def test_any_graph(self, graph):
    linear = LinearModel(graph)
    data = linear.data(6)
    dataset, truth = _batches(linear.inputs(data)), linear.log_likelihood(data)
    for start in ('prior', 'posterior'):
      estimate = annealed_importance_sampling(
          linear.model, dataset, num_steps=200, num_chains=100, start=start,
          jit_compile=False)
      self.assertAllClose(estimate.values, truth, rtol=0, atol=0.1)
      self.assertAllClose(estimate.mean, truth.mean(), rtol=0, atol=0.05)

  def test_agrees_with_importance_weights_under_xla(self):
    """On a decoder that is not linear, with a batch that does not divide."""
    tf_keras.utils.set_random_seed(3)
    model = models.image_vae(2, (2, 2, 1), 'mlp', (6,))
    model.decoder.set_weights([3 * w for w in model.decoder.get_weights()])
    x = np.float32(np.random.default_rng(0).random((5, 2, 2, 1)) < 0.5)
    estimate = annealed_importance_sampling(
        model, _batches(x, 3), num_steps=100, num_chains=50)
    nll = importance_weighted_nll(model, _batches(x), 5000, jit_compile=False)
    self.assertAllClose(estimate.values, -nll.values, rtol=0, atol=0.05)

  def test_repeats_with_a_seed(self):
    linear = LinearGaussian()
    first, second, other = [
        annealed_importance_sampling(
            linear.model, linear.dataset(8, 5), num_steps=5, num_chains=2,
            start='prior', seed=seed, jit_compile=False).values
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

  @parameterized.parameters('prior', 'posterior')
  def test_bracket_closes_with_the_steps(self, start):
    linear = LinearGaussian(factor=1.5, shift=0.3)
    gaps = []
    for num_steps in (3, 12, 100):
      bounds = bidirectional_bounds(
          linear.model, 300, num_steps, num_chains=4, start=start,
          batch_size=200, jit_compile=False)
      self._check_bracket(bounds, linear.log_evidence(bounds.inputs))
      gaps.append(bounds.gap)
    for wider, narrower in zip(gaps, gaps[1:], strict=False):
      self.assertLess(narrower.mean, wider.mean)
    self.assertGreater(gaps[0].mean, 4 * gaps[0].standard_error)
    self.assertLess(abs(gaps[-1].mean), 0.1)

  @parameterized.parameters('bottom_up', 'conditional_prior')
  def test_any_graph(self, graph):
    linear = LinearModel(graph)
    labels = linear.data(100).get('y')
    bounds = bidirectional_bounds(
        linear.model, 100, num_steps=60, num_chains=8, labels=labels,
        jit_compile=False)
    data = bounds.inputs if linear.graph.is_conditional else {
        'x': bounds.inputs}
    self._check_bracket(bounds, linear.log_likelihood(data))
    self.assertLess(abs(bounds.gap.mean), 0.1)

  def test_data_are_of_the_model(self):
    linear = LinearGaussian()
    x = bidirectional_bounds(linear.model, 5000, 2, 1, batch_size=5000,
                             jit_compile=False).inputs
    # The mean of log p(x) is −entropy: within 5 standard errors.
    covariance = linear.loadings @ linear.loadings.T + 0.49 * np.eye(6)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]
    self.assertLess(
        abs(_in_standard_errors(linear.log_evidence(x), -entropy)), 5)

  def test_refuses_labels_of_another_length(self):
    linear = LinearModel('conditional')
    with self.assertRaisesRegex(ValueError, 'num_examples=3, 2 labels'):
      bidirectional_bounds(
          linear.model, 3, labels=np.eye(2, dtype=np.float32))


if __name__ == '__main__':
  tf.test.main()
