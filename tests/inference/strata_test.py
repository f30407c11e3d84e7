"""Draws from each component: ELBO and bound, by integrals and closed forms."""

import functools

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf
import tf_keras

from tests.linear_gaussian import LinearGaussian
import tfvae
from tfvae import models
from tfvae.evaluation import elbo
from tfvae.evaluation import importance_weighted_nll
from tfvae.graph import GraphicalModel
from tfvae.inference import StratifiedSample
from tfvae.layers import MultivariateNormalDiagMixture
from tfvae.layers import SeededSample
from tfvae.layers.base.noise import part_of_batch
from tfvae.objectives import ELBO
from tfvae.objectives import ImportanceWeighted
from tfvae.objectives import InfoVAE
from tfvae.objectives import StickingTheLanding

# Logits of π, then μ, then log σ² of two components in one dimension.
_PARAMS = np.array([0.4, -0.3, -1.0, 0.8, -1.2, 0.3])
_X, _SCALE, _GRID = np.array([0.5, -1.0]), 0.6, np.linspace(-12, 12, 24_001)


@functools.cache
def _bent():
  """A model of one latent, whose mean of x is no linear function of it."""
  tf_keras.utils.set_random_seed(3)
  dense = tf_keras.layers.Dense
  posterior = MultivariateNormalDiagMixture(
      1, 2, activity_regularizer=tfvae.KLDivergenceRegularizer(
          tfvae.priors.StandardNormal(1)))
  model = tfvae.VAE(
      tf_keras.Sequential([dense(6, input_shape=[2]), posterior]),
      tf_keras.Sequential([
          dense(3, 'tanh', input_shape=[1]), dense(2),
          tfvae.layers.IndependentNormal([2], _SCALE)]))
  model.encoder.set_weights([np.zeros([2, 6]), _PARAMS])
  return model


def _log_joint(z):
  """log p(x|z) + log p(z) at values of z, in float64."""
  kernel, bias, kernel_2, bias_2 = map(
      np.float64, _bent().decoder.get_weights())
  mean = np.tanh(z[:, np.newaxis] @ kernel + bias) @ kernel_2 + bias_2
  return stats.norm(mean, _SCALE).logpdf(_X).sum(-1) + stats.norm.logpdf(z)


def _log_q(params, z):
  """log Σ_m π_m N(z; μ_m, σ_m²), in float64."""
  logits, loc, log_variance = np.split(params, 3)
  return special.logsumexp(
      special.log_softmax(logits) + stats.norm(
          loc, np.exp(log_variance / 2)).logpdf(z[:, np.newaxis]), axis=-1)


def _integrated_elbo(params):
  """∫ q(z) [log p(x, z) − log q(z)] dz."""
  log_q = _log_q(params, _GRID)
  return np.trapezoid(np.exp(log_q) * (_log_joint(_GRID) - log_q), _GRID)


def _values(objective, model, x, seed=(7, 4)):
  values = objective(model, x, x, tf.constant(seed), 1.0, True)
  return {name: np.float64(value) for name, value in values.items()}


class ElboTest(tf.test.TestCase, parameterized.TestCase):

  def test_is_unbiased(self):
    x = np.tile(_X, [20_000, 1]).astype(np.float32)
    found = _values(ELBO(), _bent(), x)
    error = found['elbo'].std() / len(x)**0.5
    expected = _integrated_elbo(_PARAMS)
    self.assertLess(abs(found['elbo'].mean() - expected), 3 * error)
    self.assertLess(error, 0.02)
    self.assertAllClose(found['objective'], -found['elbo'], rtol=1e-5)
    # The draws of random components, as in an evaluation, vary more.
    plain = elbo(_bent(), x, num_samples=1).elbo.values
    self.assertLess(abs(plain.mean() - expected),
                    3 * plain.std() / len(x)**0.5)
    self.assertLess(found['elbo'].std(), plain.std())

  @parameterized.parameters(ELBO(), StickingTheLanding())
  def test_gradient_equals_that_of_the_integral(self, objective):
    step, count, copies = 1e-4, 40, 1000
    expected = [
        (_integrated_elbo(_PARAMS + h) - _integrated_elbo(_PARAMS - h))
        / (2 * step) for h in step * np.eye(6)]
    x = np.tile(_X, [copies, 1]).astype(np.float32)
    bias = _bent().encoder.trainable_weights[1]

    @tf.function(jit_compile=True)
    def gradient(seed):
      with tf.GradientTape() as tape:
        loss = tf.reduce_mean(objective(
            _bent(), x, x, seed, 1.0, True)['objective'])
      return -tape.gradient(loss, bias)

    found = np.float64([gradient(tf.constant([1, i])) for i in range(count)])
    error = found.std(0) / count**0.5
    self.assertAllLess(np.abs(found.mean(0) - expected) / error, 3.5)
    self.assertAllLess(error, 0.02)
    self.assertAllGreater(np.abs(expected), 0.03)  # None of them is 0.

  def test_path_derivatives_vanish_at_each_draw_of_an_exact_posterior(self):
    exact = LinearGaussian()
    model, x = exact.mixture(3), exact.draw(20)
    sizes = []
    for objective in (StickingTheLanding(), ELBO()):
      with tf.GradientTape() as tape:
        values = objective(model, x, x, tf.constant([7, 4]), 1.0, True)
        loss = tf.reduce_mean(values['objective'])
      sizes.append(max(np.abs(slopes).max() for slopes in tape.gradient(
          loss, model.encoder.trainable_weights)))
      self.assertAllClose(-values['objective'], exact.log_evidence(x),
                          atol=1e-4)
    self.assertLess(sizes[0], 1e-4)
    self.assertGreater(sizes[1], 0.01)

  @parameterized.parameters(1, 3)
  def test_exact_posterior_gives_the_evidence_at_every_draw(self, components):
    exact = LinearGaussian()
    model = exact.mixture(components)
    x = exact.draw(20)
    found = _values(ELBO(), model, x)
    self.assertAllClose(found['elbo'], exact.log_evidence(x), atol=1e-4)
    for objective in (ImportanceWeighted(1), ImportanceWeighted(5)):
      self.assertAllClose(-_values(objective, model, x)['objective'],
                          exact.log_evidence(x), atol=1e-4)

  def test_one_component_is_a_diagonal_normal(self):
    exact = LinearGaussian(factor=0.7, shift=0.4)
    model = exact.mixture(1)
    x = np.repeat(exact.draw(3), 5000, axis=0)
    found = _values(ELBO(), model, x)['elbo'].reshape(3, -1)
    error = found.std(axis=1) / 5000**0.5
    self.assertAllLess(
        np.abs(found.mean(axis=1) - exact.elbo(x[::5000])) / error, 3)

  def test_replicas_draw_what_one_draws_for_all(self):
    exact = LinearGaussian()
    model, x = exact.mixture(3), exact.draw(6)

    def draws(x):
      return model.infer(
          x, StratifiedSample(tf.constant([0, 1]), 2)).latents['z']

    whole = draws(x)
    self.assertEqual(whole.shape[:3], (2, 3, 6))
    self.assertNotAllClose(whole[:, 0], whole[:, 1])
    with part_of_batch(2, 6):
      self.assertAllClose(draws(x[2:5]), whole[:, :, 2:5], rtol=1e-5)

  def test_kl_is_the_sum_over_components(self):
    x = np.tile(_X, [50, 1]).astype(np.float32)
    inference = _bent().infer(x, StratifiedSample(tf.constant([0, 1])))
    kl = np.float64(inference.over_classes(inference.kl['z']))
    self.assertEqual(kl.shape, (50,))
    weights = special.softmax(_PARAMS[:2])
    z = np.float64(inference.latents['z'])[..., 0]  # [2, 50]
    expected = sum(weights[m] * (
        _log_q(_PARAMS, z[m]) - stats.norm.logpdf(z[m])) for m in range(2))
    self.assertAllClose(kl, expected, rtol=1e-4, atol=1e-5)
    self.assertAllClose(_bent().kl_penalty(inference), kl)


class ImportanceWeightedTest(tf.test.TestCase, parameterized.TestCase):

  def test_bound_equals_float64(self):
    x = np.tile(_X, [30, 1]).astype(np.float32)
    found = _values(ImportanceWeighted(4), _bent(), x)['objective']
    z = np.float64(_bent().infer(x, StratifiedSample(
        tf.constant([7, 4]), 4)).latents['z'])[..., 0]
    self.assertEqual(z.shape, (4, 2, 30))
    weights = special.softmax(_PARAMS[:2])
    w = np.exp([[_log_joint(part) - _log_q(_PARAMS, part) for part in draws]
                for draws in z])  # [K, M, b]
    # log (1/K) Σ_k Σ_m π_m p(x, z_km) / q(z_km|x)
    self.assertAllClose(
        -found, np.log(np.einsum('kmb,m->b', w, weights) / 4), rtol=1e-4)

  def test_weights_have_the_mean_p_of_x_and_the_bound_rises(self):
    x = np.tile(_X, [20_000, 1]).astype(np.float32)
    log_evidence = np.log(np.trapezoid(np.exp(_log_joint(_GRID)), _GRID))
    one, five = (-_values(ImportanceWeighted(k), _bent(), x)['objective']
                 for k in (1, 5))
    ratio = np.exp(one - log_evidence)
    self.assertLess(abs(ratio.mean() - 1), 3 * ratio.std() / len(x)**0.5)
    self.assertLess(one.mean(), five.mean())
    self.assertLess(five.mean(), log_evidence)
    nll = importance_weighted_nll(_bent(), x[:200], num_samples=500).values
    self.assertLess(abs(-nll.mean() - log_evidence), 0.01)

  def test_one_component_has_the_bound_of_a_diagonal_normal(self):
    exact = LinearGaussian(factor=0.7, shift=0.4)
    model = exact.mixture(1)
    x = exact.draw(20)
    for name, value in _values(ImportanceWeighted(3), exact.model, x).items():
      if name in ('objective', 'reconstruction'):  # Its KL is exact.
        self.assertAllClose(_values(ImportanceWeighted(3), model, x)[name],
                            value, rtol=1e-4)


class RefusalTest(tf.test.TestCase, parameterized.TestCase):

  def _model(self, graph, posterior='mixture', **kwargs):
    return models.image_vae(
        GraphicalModel.parse(**graph), (2, 2, 1), hidden_units=(4,),
        factor_units=(4,), posterior=posterior, **kwargs)

  @parameterized.parameters(
      ({'latents': 'z1:2,z2:2', 'inference': 'z1|x; z2|z1',
        'generative': 'z2; z1|z2; x|z1'}, {}),
      ({'latents': 'z:2', 'inference': 'y|x; z|x,y',
        'generative': 'z; y; x|z,y'}, {'num_classes': 3}))
  def test_graphs_with_another_unknown(self, graph, kwargs):
    with self.assertRaisesRegex(
        ValueError, 'single latent and without factors of y.*Mixture'):
      self._model(graph, **kwargs).compile('sgd')

  @parameterized.parameters(
      (InfoVAE(0., 1.), 'InfoVAE does not draw'),
      (ImportanceWeighted(3, doubly_reparameterized=True), 'does not draw'),
      ('beta_tc', 'needs the density of each dimension'))
  def test_objectives_that_do_not_draw_from_each(self, objective, message):
    with self.assertRaisesRegex(ValueError, message):
      self._model({'latents': 'z:2'}).compile('sgd', objective=objective)

  def test_other_draws_in_training(self):
    model, x = self._model({'latents': 'z:2'}), np.ones([3, 2, 2, 1])
    draw = SeededSample(tf.constant([0, 1]))
    self.assertIsNone(model.infer(x, draw).strata)
    with self.assertRaisesRegex(ValueError, 'no gradient.*StratifiedSample'):
      model.infer(x, draw, training=True)

  def test_a_conditional_model_trains(self):
    model = self._model(
        {'latents': 'z:2', 'inference': 'z|x,y', 'generative': 'z|y; x|z,y'},
        num_classes=3)
    x = np.random.default_rng(0).integers(0, 2, [6, 2, 2, 1]).astype(
        np.float32)
    inputs = {'x': x, 'y': np.eye(3, dtype=np.float32)[[0, 1, 2] * 2]}
    model.compile('sgd', objective='iwae', run_eagerly=True)
    before = model.get_weights()
    model.fit(inputs, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
      self.assertNotAllEqual(old, new)


if __name__ == '__main__':
  tf.test.main()
