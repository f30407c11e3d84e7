"""Importance-weighted bounds against a model whose log p(x) is known."""

import warnings

from absl.testing import parameterized
import numpy as np
from scipy import integrate
import tensorflow as tf
import tf_keras

from tests.eager_case import EagerCase
from tests.linear_gaussian import LinearGaussian
from tests.linear_graphs import copies
from tests.linear_graphs import LinearModel
from tests.linear_graphs import THREE_LATENTS
from tfvae import evaluation
from tfvae import models
from tfvae.evaluation.bounds import elbo
from tfvae.graph import GraphicalModel

_IMAGE = (2, 2, 1)

_GRAPHS = {name: GraphicalModel.parse(*text) for name, text in {
    'two_layer': ('z1:2,z2:1', 'z1|x; z2|z1', 'z2; z1|z2; x|z1'),
    'conditional': ('z:2', 'z|x,y', 'z; x|z,y'),
}.items()}


def _model(graph=1):
  tf_keras.utils.set_random_seed(3)
  return models.image_vae(graph, _IMAGE, 'mlp', (6,), (5,), num_classes=2)


def _data(n=9):
  rng = np.random.default_rng(0)
  return (rng.random((n, *_IMAGE)) < 0.5).astype(np.float32)


def _batches(x, batch_size):
  return tf.data.Dataset.from_tensor_slices(x).batch(batch_size)


class CompiledNllTest(tf.test.TestCase, parameterized.TestCase):

  def test_many_samples_reach_the_quadrature(self):
    """log p(x) = log ∫ p(x|z) p(z) dz, with one latent, in float64."""
    model, x = _model(), _data()
    v1, c1, v2, c2 = [np.float64(w) for w in model.decoder.get_weights()]
    z = np.linspace(-9, 9, 4001)[:, np.newaxis]
    logits = np.tanh(z @ v1 + c1) @ v2 + c2
    joint = np.exp(
        x.reshape(9, 1, 4) * logits - np.log1p(np.exp(logits))).prod(-1)
    density = np.exp(-z[:, 0]**2 / 2) / np.sqrt(2 * np.pi)
    expected = -np.log(integrate.simpson(joint * density, x=z[:, 0]))
    estimates = evaluation.importance_weighted_nll(
        model, _batches(np.tile(x, (10, 1, 1, 1)), 90),
        num_samples=16000).values.reshape(10, 9)
    error = estimates.std(axis=0, ddof=1) / np.sqrt(10)
    self.assertAllLess(error, 0.02)
    self.assertAllLess(np.abs(estimates.mean(axis=0) - expected) / error, 5)

  def test_under_xla(self):
    linear = LinearGaussian(1.3, 0.1)
    x = linear.draw(20)
    nll = evaluation.importance_weighted_nll(
        linear.model, _batches(x, 20), num_samples=5000)
    self.assertAllClose(
        nll.values, -linear.log_evidence(x), rtol=0, atol=0.05)

  @parameterized.parameters(('two_layer', (7, 60)), ('conditional', (1, 60)))
  def test_chunks_change_nothing(self, graph, chunk_sizes):
    model, x = _model(_GRAPHS[graph]), _data(4)
    if graph == 'conditional':
      x = {'x': x, 'y': np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]}
    one, other = [evaluation.importance_weighted_nll(
        model, _batches(x, 4), 60, chunk_size, jit_compile=False).values
                  for chunk_size in chunk_sizes]
    self.assertAllClose(one, other, rtol=0, atol=1e-4)

  def test_memory_is_that_of_a_chunk(self):
    """Decodes at most a fixed number at a time, for any number of draws."""
    model, x, shapes = _model(3), _data(4), []
    log_likelihood = model.log_likelihood

    def spy(latents, *arguments):
      shapes.append(tuple(latents['z'].shape))
      return log_likelihood(latents, *arguments)

    model.log_likelihood = spy
    for num_samples in (100, 100_000):
      evaluation.importance_weighted_nll(
          model, _batches(x, 4), num_samples, chunk_size=10,
          jit_compile=False)
    self.assertEqual(set(shapes), {(10, None, 3)})


class ImportanceWeightedNllTest(EagerCase, parameterized.TestCase):

  @parameterized.parameters(*THREE_LATENTS)
  def test_weights_of_three_latents_are_unbiased(self, graph):
    """E[(1/K) Σ_k w_k] = p(x|y), within 4 standard errors for each x."""
    linear = LinearModel(graph)
    few = linear.data(4)
    nll = evaluation.importance_weighted_nll(
        linear.model, _batches(linear.inputs(copies(few, 50)), 200),
        num_samples=500, jit_compile=False)
    log_likelihood = linear.log_likelihood(few)
    ratios = np.exp(
        -nll.values.reshape(4, 50) - log_likelihood[:, np.newaxis])
    errors = ratios.std(axis=1, ddof=1) / np.sqrt(50)
    self.assertAllLess(errors, 0.1)
    self.assertAllLess(np.abs(ratios.mean(axis=1) - 1) / errors, 4)
    bound = -nll.values.reshape(4, 50).mean(axis=1)
    self.assertAllLess(bound - log_likelihood, 4 * errors.max())
    self.assertAllGreater(bound - linear.elbo(few), 0.0)

  def test_one_sample_is_minus_the_elbo(self):
    model, x = _model(3), np.repeat(_data(), 2000, axis=0)
    model.compile('sgd')
    elbo = model.evaluate(x, batch_size=3000, return_dict=True, verbose=0)
    estimate = evaluation.importance_weighted_nll(
        model, _batches(x, 3000), num_samples=1, jit_compile=False)
    # Two independent estimates of one mean: within 5 standard errors, of the
    # difference of log-weights within each of the nine images' copies.
    noise = estimate.values.reshape(9, 2000).std(axis=1)
    error = np.sqrt(2 * np.mean(noise**2) / len(x))
    self.assertLess(abs(estimate.mean + elbo['elbo']), 5 * error)

  def test_repeats_with_a_seed(self):
    model, x = _model(_GRAPHS['two_layer']), _data(4)
    draws = [evaluation.importance_weighted_nll(
        model, _batches(x, 4), num_samples=60, seed=seed,
        jit_compile=False).values for seed in (1, 1, 2)]
    self.assertAllEqual(draws[0], draws[1])
    self.assertNotAllClose(draws[0], draws[2])

  def test_estimate_has_a_standard_error(self):
    values = np.random.default_rng(0).normal(size=100)
    estimate = evaluation.Estimate(values)
    self.assertAllClose(
        estimate.standard_error, np.sqrt(np.var(values, ddof=1) / 100))

  def test_one_example_has_no_standard_error(self):
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      error = evaluation.Estimate(np.array([3.0])).standard_error
    self.assertIsInstance(error, float)
    self.assertTrue(np.isnan(error))

  @parameterized.parameters(dict(num_samples=0),
                            dict(num_samples=5, chunk_size=0))
  def test_refuses(self, **arguments):
    with self.assertRaisesRegex(ValueError, '=0'):
      evaluation.importance_weighted_nll(
          _model(), _batches(_data(), 4), **arguments)


class ElboTest(EagerCase, parameterized.TestCase):

  def test_parts_of_one_latent(self):
    """E_q[log p(x|z)] = ELBO + KL, of which the KL is exact."""
    linear = LinearGaussian(factor=1.3, shift=0.2)
    x = linear.draw(50)
    parts = elbo(linear.model, _batches(np.repeat(x, 200, axis=0), 5000),
                 jit_compile=False)
    kl = linear.kl_per_dimension(x).sum(axis=-1)
    self.assertAllClose(
        parts.kl.values, np.repeat(kl, 200), rtol=1e-5, atol=1e-5)
    self.assertAllEqual(parts.kl.values, parts.kl_by_latent['z'].values)
    self._check(parts.elbo, linear.elbo(x))
    self._check(parts.reconstruction, linear.elbo(x) + kl)

  def _check(self, estimate, expected):
    """Within 5 standard errors, from copies of each x that lie together."""
    values = estimate.values.reshape(len(expected), -1)
    error = np.sqrt(np.mean(values.var(axis=1, ddof=1)) / values.size)
    self.assertLess(error, 0.05)
    # A KL in closed form has no noise, but float32 rounding.
    self.assertLess(abs(estimate.mean - expected.mean()), 5 * error + 1e-5)

  def test_several_draws(self):
    """The mean over draws; KLs of two latents, one of them a log-ratio."""
    linear = LinearModel('bottom_up')
    data = {name: np.repeat(rows, 50, axis=0)
            for name, rows in linear.data(5).items()}
    parts = elbo(linear.model, _batches(linear.inputs(data), 250),
                 num_samples=70, chunk_size=20, jit_compile=False)
    self.assertCountEqual(parts.kl_by_latent, linear.graph.latent_names)
    self.assertAllClose(parts.kl.values, sum(
        part.values for part in parts.kl_by_latent.values()))
    self.assertAllClose(
        parts.elbo.values, parts.reconstruction.values - parts.kl.values)
    self._check(parts.elbo, linear.elbo(linear.data(5)))
    # A mean over 70 draws: its variance, against that of single draws.
    single = elbo(linear.model, _batches(linear.inputs(data), 250),
                  jit_compile=False)
    within = [part.elbo.values.reshape(5, 50).var(axis=1).mean()
              for part in (single, parts)]
    self.assertBetween(within[0] / within[1], 70 / 1.5, 70 * 1.5)

  @parameterized.parameters(*THREE_LATENTS)
  def test_parts_of_three_latents(self, graph):
    linear = LinearModel(graph)
    few = linear.data(4)
    parts = elbo(
        linear.model, _batches(linear.inputs(copies(few, 100)), 400),
        num_samples=50, jit_compile=False)
    kl = linear.kl_by_latent(few)
    self.assertCountEqual(parts.kl_by_latent, kl)
    for name, expected in kl.items():
      self._check(parts.kl_by_latent[name], expected)
    self._check(parts.elbo, linear.elbo(few))
    self._check(parts.reconstruction, linear.elbo(few) + sum(kl.values()))

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, 'num_samples=0'):
      elbo(_model(), _batches(_data(), 4), num_samples=0)


class MissingValuesTest(EagerCase):

  def test_figures_per_observed_entry(self):
    model = models.image_vae(1, _IMAGE, 'mlp', (6,), missing=True)
    x = _data(40)
    rng = np.random.default_rng(1)
    x[rng.random(x.shape) < 0.4] = np.nan
    x[3] = np.nan
    weights = np.float32(rng.integers(0, 3, 40))
    counts = np.sum(~np.isnan(x), axis=(1, 2, 3))
    mask = {'x': np.nan_to_num(x), 'mask': ~np.isnan(x)}
    for data, w in ((x, np.ones(40)), (mask, np.ones(40)),
                    ((x, x, weights), weights)):
      metrics = evaluation.evaluate(model, data, [
          evaluation.ImportanceWeightedMeasure(samples=3, examples=30)])
      test, values = metrics['test'], elbo(model, data).elbo.values
      ratio = (w * values).sum() / (w * counts).sum()
      self.assertAllClose(test['elbo_per_entry'], ratio)
      self.assertAllClose(test['observed_entries'],
                          np.average(counts, weights=w))
      part = metrics['importance_weighted']['K=3']
      self.assertAllClose(
          part['bits_per_dim'], part['iwae_nll'] / np.log(2)
          / np.average(counts[:30], weights=w[:30]))

  def test_standard_error_per_entry_is_that_of_other_samples(self):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
      counts = np.float64(rng.integers(1, 9, 100))
      found.append(evaluation.bounds.per_entry(
          evaluation.Estimate(-2 * counts + rng.normal(size=100)),
          evaluation.Estimate(counts)))
    ratios, errors = np.array(found).T
    self.assertAllClose(ratios.mean(), -2., atol=0.01)
    self.assertAllClose(errors.mean(), ratios.std(), rtol=0.12)

  def test_complete_models_have_no_such_figures(self):
    self.assertNoCommonElements(
        elbo(_model(), _data()).to_dict(),
        ['elbo_per_entry', 'observed_entries'])


if __name__ == '__main__':
  tf.test.main()
