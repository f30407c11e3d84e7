"""Graphical models of linear normals, whose log p(x) is known, and presets."""

import math
import re

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests.linear_graphs import CLASSES
from tests.linear_graphs import copies
from tests.linear_graphs import Cubature
from tests.linear_graphs import EVERY_GRAPH
from tests.linear_graphs import GRAPHS
from tests.linear_graphs import IMAGE
from tests.linear_graphs import linear_vae
from tests.linear_graphs import LinearModel
from tests.linear_graphs import log_density
from tests.linear_graphs import LOG_RATIOS
from tests.linear_graphs import SCALE
from tests.linear_graphs import shrink
from tests.linear_graphs import SIZE
from tfvae import evaluation
from tfvae import models
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.layers import SeededSample

tfd = tfp.distributions


class ElboTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(EVERY_GRAPH)
  def test_elbo_is_log_likelihood_less_the_gap(self, graph):
    linear = LinearModel(graph)
    data = linear.data(5)
    expected, log_likelihood = linear.elbo(data), linear.log_likelihood(data)
    self.assertAllLess(expected - log_likelihood, -0.01)
    # With log-ratios, and with exact KLs where they may be: the expectation,
    for values in linear.terms(data, Cubature(linear.graph)):
      self.assertAllClose(values.mean(axis=0), expected, rtol=1e-5)
    # and 20,000 draws, within 5 standard errors of less than 0.05 nats.
    for values in linear.terms(data, SeededSample([1, 2], 20_000)):
      error = values.std(axis=0) / math.sqrt(len(values))
      self.assertAllLess(error, 0.05)
      self.assertAllLess(np.abs(values.mean(axis=0) - expected) / error, 5)
      self.assertAllLess(
          values.mean(axis=0) - log_likelihood - 5 * error, 0)

  @parameterized.named_parameters(EVERY_GRAPH)
  def test_exact_posterior_closes_the_gap(self, graph):
    linear = LinearModel(graph, is_exact=True)
    data = linear.data(5)
    expected = linear.log_likelihood(data)
    # p(x, z) / q(z|x) = p(x) at every draw; exact KLs only in expectation.
    log_weights, _ = linear.terms(data, SeededSample([1, 2], 100))
    self.assertAllClose(
        log_weights, np.tile(expected, (100, 1)), rtol=0, atol=1e-3)
    _, elbo = linear.terms(data, Cubature(linear.graph))
    self.assertAllClose(elbo.mean(axis=0), expected, rtol=0, atol=1e-3)

  @parameterized.parameters('bottom_up', 'top_down', 'conditional')
  def test_evaluate_reports_it(self, graph):
    linear = LinearModel(graph)
    data = copies(linear.data(4), 5000)
    linear.model.compile('sgd')
    means = linear.model.evaluate(
        linear.inputs(data), batch_size=4000, return_dict=True, verbose=0)
    _, elbo = linear.terms(data, SeededSample([1, 2]))
    within = elbo.reshape(4, 5000).std(axis=1)  # Of each x, over its draws.
    error = math.sqrt(np.mean(within**2) / len(elbo))
    self.assertLess(error, 0.05)
    self.assertLess(
        abs(means['elbo'] - linear.elbo(data).mean()), 5 * error + 1e-4)

  def test_exact_importance_weights_have_no_variance(self):
    linear = LinearModel('bottom_up', is_exact=True)
    data = copies(linear.data(4), 50)
    dataset = tf.data.Dataset.from_tensor_slices(linear.inputs(data))
    nll = evaluation.importance_weighted_nll(
        linear.model, dataset.batch(200), num_samples=2,
        jit_compile=False).values
    self.assertAllClose(nll, -linear.log_likelihood(data), rtol=0, atol=1e-3)
    self.assertAllLess(nll.reshape(4, 50).std(axis=1), 1e-4)

  @parameterized.named_parameters(EVERY_GRAPH)
  def test_kl_is_exact_where_it_may_be(self, graph):
    linear, model = LinearModel(graph), linear_vae(GRAPHS[graph])
    shrink(model.weights)
    data = linear.data(4)
    inference = model.infer(linear.inputs(data), SeededSample([3, 4], 7))
    values = {name: np.float64(value)
              for name, value in (data | inference.latents).items()}
    for name in inference.latents:
      q_mean, q_variance = _mean_and_variance(
          model.inference_factors[name], values,
          model.graph.parents('inference', name))
      p_mean, p_variance = _mean_and_variance(
          model.priors[name], values, model.graph.parents('generative', name))
      if (graph, name) in LOG_RATIOS:
        z = values[name]
        expected = ((z - p_mean)**2 / p_variance
                    - (z - q_mean)**2 / q_variance)
      else:
        expected = (q_variance + (q_mean - p_mean)**2) / p_variance - 1
      expected = 0.5 * (expected + np.log(p_variance / q_variance)).sum(axis=-1)
      self.assertAllClose(inference.kl[name], expected, rtol=1e-4, atol=1e-5)


def _mean_and_variance(factor, values, parents):
  """Those of a linear factor; of N(0, I) where it has no parents."""
  if not parents:
    return 0., 1.
  kernel, bias = map(np.float64, factor.network[-1].get_weights())
  ends = np.cumsum([values[parent].shape[-1] for parent in parents])
  parameters = bias + sum(
      values[parent] @ part
      for parent, part in zip(parents, np.split(kernel, ends[:-1]),
                              strict=True))
  mean, log_variance = np.split(parameters, 2, axis=-1)
  return mean, np.exp(log_variance)


class DistributionTest(tf.test.TestCase, parameterized.TestCase):

  def _check_moments(self, residuals, covariance):
    """The mean 0 and the covariance, within 5 standard errors."""
    residuals = np.float64(residuals).reshape(-1, len(covariance))
    n, variance = len(residuals), np.diag(covariance)
    self.assertAllLess(
        np.abs(residuals.mean(axis=0)) / np.sqrt(variance / n), 5)
    # var(r_i r_j) = Σ_ii Σ_jj + Σ_ij²
    error = np.sqrt((np.outer(variance, variance) + covariance**2) / n)
    self.assertAllLess(
        np.abs(residuals.T @ residuals / n - covariance) / error, 5)

  def _check(self, distribution, names, mean, covariance):
    draws = distribution.sample(5000, seed=[1, 2])
    self.assertCountEqual(draws._fields, names)
    for name in names:
      self.assertAllEqual(getattr(draws, name), getattr(
          distribution.sample(5000, seed=[1, 2]), name))
    residuals = np.concatenate(
        [getattr(draws, name) for name in names], axis=-1) - mean
    self._check_moments(residuals, covariance)
    self.assertAllClose(
        distribution.log_prob(draws),
        log_density(residuals.reshape(-1, len(covariance)),
                     covariance).reshape(residuals.shape[:-1]), rtol=1e-4,
        atol=1e-4)

  @parameterized.named_parameters(EVERY_GRAPH)
  def test_posterior(self, graph):
    linear = LinearModel(graph)
    data, names = linear.data(3), linear.graph.latent_names
    inputs = linear.inputs(data)
    posterior = linear.model.posterior(inputs)
    self._check(posterior, names, *linear.q.moments(names, data))
    inference = linear.model.infer(inputs, SeededSample([3, 4], 9))
    self.assertAllClose(
        posterior.log_prob(**inference.latents),
        sum(inference.posteriors[name].log_prob(z)
            for name, z in inference.latents.items()), rtol=1e-5, atol=1e-5)

  @parameterized.named_parameters(EVERY_GRAPH)
  def test_prior(self, graph):
    linear = LinearModel(graph)
    data, names = linear.data(3), linear.graph.latent_names
    mean, covariance = linear.p.moments(names, data)
    prior = linear.model.prior_distribution(
        {'y': data['y']} if linear.graph.is_conditional else None)
    if graph not in ('conditional_prior', 'label_below'):  # No y in p(z).
      mean = mean[0]
    self._check(prior, names, mean, covariance)

  @parameterized.named_parameters(EVERY_GRAPH)
  def test_ancestral_samples(self, graph):
    linear, n = LinearModel(graph), 20_000
    data = linear.data(n)
    labels = {'y': data['y']} if linear.graph.is_conditional else None
    mean, covariance = linear.p.moments(['x'], data)
    x = linear.model.sample(n, seed=5, inputs=labels)
    self._check_moments(x - mean, covariance)
    # Without the likelihood's own noise: Cov[E[x|z]] = Cov[x] − σ² I.
    x = linear.model.sample(n, seed=5, mean=True, inputs=labels)
    self._check_moments(x - mean, covariance - SCALE**2 * np.eye(SIZE))


class TrainingTest(tf.test.TestCase, parameterized.TestCase):

  def _train(self, linear, data):
    """Returns the ELBO of each example after training, over 40 draws of z."""
    epochs, batches = 50, 10
    schedule = tf_keras.optimizers.schedules.CosineDecay(0.05, epochs * batches)
    linear.model.compile(tf_keras.optimizers.Adam(schedule), jit_compile=True,
                         steps_per_execution=batches)
    linear.model.fit(linear.inputs(data), epochs=epochs, verbose=0,
                     batch_size=len(data['x']) // batches)
    _, elbo = linear.terms(data, SeededSample([1, 2], 40))
    return elbo.mean(axis=0)

  # Of one latent without labels, in linear_gaussian_test.py.
  @parameterized.parameters('bottom_up', 'conditional')
  def test_reaches_the_maximum_likelihood(self, graph):
    """Tipping and Bishop, 1999, with σ² given and a mean for each class.

    Per example, with λ the eigenvalues of the covariance within the classes:

      −½ (d log 2π + Σ_{i≤q} (1 + log λ_i) + Σ_{i>q} (log σ² + λ_i / σ²)).
    """
    linear = LinearModel(graph)
    data, q = linear.data(1000), 2
    classes = data.get('y', np.ones([1000, 1]))
    x = np.float64(data['x'])
    x -= classes @ np.linalg.lstsq(classes, x, rcond=None)[0]
    eigenvalues = np.linalg.eigvalsh(x.T @ x / len(x))[::-1]
    self.assertGreater(eigenvalues[q - 1], SCALE**2)
    maximum = -0.5 * (
        SIZE * np.log(2 * np.pi) + np.sum(1 + np.log(eigenvalues[:q]))
        + np.sum(2 * np.log(SCALE) + eigenvalues[q:] / SCALE**2))
    linear.model = linear_vae(linear.graph)
    shrink(linear.model.weights)
    elbo = self._train(linear, data).mean()
    self.assertAllClose(elbo, maximum, rtol=0.01)
    self.assertLess(elbo, maximum + 0.02)  # Five standard errors of its noise.

  def test_inference_finds_the_exact_posterior(self):
    linear = LinearModel('top_down', is_exact=True)
    model, data = linear.model, linear.data(1000)
    generative = [model.decoder, *model.priors.values()]
    fixed = [part.get_weights() for part in generative]
    for part in generative:
      part.trainable = False
    shrink(model.trainable_weights)
    elbo = self._train(linear, data).mean()
    self.assertAllClose([part.get_weights() for part in generative], fixed,
                        rtol=0, atol=0)
    log_likelihood = linear.log_likelihood(data).mean()
    self.assertAllClose(elbo, log_likelihood, rtol=0.01)
    self.assertLess(elbo, log_likelihood + 0.02)


def _preset(name):
  tf_keras.utils.set_random_seed(1)
  text = PRESETS[name]
  text = text | {'latents': re.sub(r':\d+', ':2', text['latents'])}
  return models.image_vae(
      GraphicalModel.parse(**text), IMAGE, hidden_units=(5,),
      factor_units=(4,), num_classes=CLASSES)


def _images(model, n):
  rng = np.random.default_rng(0)
  x = (rng.random((n, *IMAGE)) < 0.4).astype(np.float32)
  y = np.eye(CLASSES, dtype=np.float32)[np.arange(n) % CLASSES]
  return {'x': x, 'y': y} if model.graph.is_conditional else x


class PresetTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*PRESETS)
  def test_mixed_precision(self, name):
    tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
    try:
      model = _preset(name)
    finally:
      tf_keras.mixed_precision.set_global_policy('float32')
    expected = _preset(name)
    expected.set_weights(model.get_weights())
    data = _images(model, 64)
    inference = model.infer(data, tfd.Distribution.mean)
    for latent, z in inference.latents.items():
      self.assertEqual(z.dtype, tf.float32)
      self.assertEqual(inference.kl[latent].dtype, tf.float32)
    # Numbers of bfloat16 have eight bits.
    self.assertAllClose(model(data).mean(), expected(data).mean(), atol=0.02)


class ErrorTest(tf.test.TestCase):

  def test_label_missing_from_the_inputs(self):
    model = LinearModel('conditional').model
    model.compile('sgd')
    x = np.zeros([4, SIZE], np.float32)
    for call in (lambda: model.posterior(x),
                 lambda: model.fit(x, verbose=0),
                 lambda: model.predict({'x': x}, verbose=0),
                 lambda: model.sample(4)):
      with self.assertRaisesRegex(
          ValueError, "(is conditional|takes a dictionary).*'y'.* one-hot"):
        call()

  def test_label_is_needed_only_where_it_is_a_parent(self):
    model = linear_vae(GraphicalModel.parse('z:2', 'z|x,y', 'z; x|z'))
    self.assertEqual(model.sample(4, seed=0).shape, (4, SIZE))
    model = linear_vae(GraphicalModel.parse('z:2', 'z|x', 'z; x|z,y'))
    x = np.zeros([4, SIZE], np.float32)
    self.assertEqual(model.posterior(x).sample(seed=0).z.shape, (4, 2))

  def test_label_rows_other_than_the_samples(self):
    for graph in ('conditional', 'conditional_prior', 'label_below'):
      with self.assertRaisesRegex(ValueError, r'row for each.*n=5.*\(4, 2\)'):
        LinearModel(graph).model.sample(
            5, seed=0, inputs={'y': np.eye(CLASSES)[[0, 1, 0, 1]]})

  def test_decoder_of_another_input_size(self):
    graph = GRAPHS['explaining_away']
    parts = linear_vae(GRAPHS['conditional'])
    with self.assertRaisesRegex(ValueError, r'x\|a,b.*2 numbers.*\(None, 4\)'):
      models.GraphVAE(graph, parts.features, parts.decoder)

  def test_number_of_classes_missing(self):
    graph = GRAPHS['conditional']
    parts = linear_vae(graph)
    with self.assertRaisesRegex(ValueError, "has 'y'.*num_classes=None"):
      models.GraphVAE(graph, parts.features, parts.decoder)
    with self.assertRaisesRegex(ValueError, "has 'y'.*num_classes=None"):
      models.decoder_input_size(graph)

  def test_decoder_input_size(self):
    sizes = {name: models.decoder_input_size(graph, CLASSES)
             for name, graph in GRAPHS.items()}
    self.assertEqual(sizes, {
        'one_layer': 2, 'bottom_up': 2, 'top_down': 2, 'explaining_away': 2,
        'conditional': 4, 'conditional_prior': 2, 'label_below': 1})


if __name__ == '__main__':
  tf.test.main()
