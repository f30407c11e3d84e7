"""The layer of posteriors that are mixtures of diagonal normals."""

import os

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf
import tf_keras

import tfvae
from tfvae.layers import MultivariateNormalDiagMixture
from tfvae.layers import POSTERIORS
from tfvae.layers.base.noise import part_of_batch

_ROWS, _M, _SIZE = 4, 3, 2


def _parameters(rows=_ROWS, components=_M, size=_SIZE, scale=1.0):
  shape = [rows, MultivariateNormalDiagMixture.params_size(size, components)]
  return np.random.default_rng(0).normal(scale=scale, size=shape).astype(
      np.float32)


def _parts(params, components=_M, size=_SIZE):
  """π, μ and σ of each row and component, in float64."""
  params = np.float64(params)
  loc, log_variance = (
      part.reshape(-1, components, size)
      for part in np.split(params[:, components:], 2, axis=-1))
  return special.softmax(params[:, :components], axis=-1), loc, np.exp(
      log_variance / 2)


def _vae(layer):
  return tfvae.VAE(
      tf_keras.Sequential([
          tf_keras.layers.Dense(layer.params_size(2, **layer.settings),
                                input_shape=[4]), layer]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(4, input_shape=[2]),
          tfvae.layers.IndependentNormal([4], 1.0)]))


class MultivariateNormalDiagMixtureTest(tf.test.TestCase,
                                        parameterized.TestCase):

  @parameterized.parameters(1, _M)
  def test_density_and_moments_equal_float64(self, components):
    params = _parameters(components=components)
    weights, loc, scale = _parts(params, components)
    q = MultivariateNormalDiagMixture(_SIZE, components).distribution(params)
    self.assertEqual((q.batch_shape, q.event_shape), ((_ROWS,), (_SIZE,)))
    z = np.random.default_rng(1).normal(size=(5, _ROWS, _SIZE))
    density = sum(
        weights[:, m] * stats.norm(loc[:, m], scale[:, m]).pdf(z).prod(-1)
        for m in range(components))
    self.assertAllClose(
        q.log_prob(z.astype(np.float32)), np.log(density), rtol=1e-5,
        atol=1e-5)
    mean = np.einsum('bm,bmd->bd', weights, loc)
    second = np.einsum('bm,bmd->bd', weights, loc**2 + scale**2)
    self.assertAllClose(q.mean(), mean, rtol=1e-5, atol=1e-6)
    self.assertAllClose(q.variance(), second - mean**2, rtol=1e-5)
    self.assertAllClose(q.stddev(), np.sqrt(second - mean**2), rtol=1e-5)

  @parameterized.parameters(False, True)
  def test_draws_have_the_distribution(self, jit_compile):
    n, params = 4000, _parameters()
    layer = MultivariateNormalDiagMixture(_SIZE, _M)
    draw = tf.function(
        lambda seed: layer.distribution(params).sample(n, seed=seed),
        jit_compile=jit_compile)
    z = np.float64(draw(tf.constant([0, 1])))
    self.assertEqual(z.shape, (n, _ROWS, _SIZE))
    self.assertAllEqual(draw(tf.constant([0, 1])), z)
    weights, loc, scale = _parts(params)
    for row in range(_ROWS):
      for d in range(_SIZE):
        p = stats.kstest(z[:, row, d], lambda v, row=row, d=d: sum(
            weights[row, m] * stats.norm(loc[row, m, d], scale[row, m, d]).cdf(
                v) for m in range(_M))).pvalue
        self.assertGreater(p, 1e-4)
      # The dimensions share the component: E z_1 z_2 = Σ_m π_m μ_m1 μ_m2.
      product = z[:, row].prod(-1)
      expected = np.sum(weights[row] * loc[row].prod(-1))
      self.assertLess(abs(product.mean() - expected),
                      4 * product.std() / n**0.5)

  def test_replicas_draw_what_one_draws_for_all(self):
    layer, params = MultivariateNormalDiagMixture(_SIZE, _M), _parameters()
    whole = layer.distribution(params).sample(5, seed=[0, 1])
    with part_of_batch(1, _ROWS):
      part = layer.distribution(params[1:3]).sample(5, seed=[0, 1])
    self.assertAllClose(part, whole[:, 1:3], rtol=1e-6)

  def test_components_one_by_one(self):
    params = _parameters()
    _, loc, scale = _parts(params)
    components = MultivariateNormalDiagMixture(
        _SIZE, _M).distribution(params).by_component()
    self.assertEqual(components.batch_shape, (_M, _ROWS))
    self.assertAllClose(components.mean(), loc.transpose(1, 0, 2))
    self.assertAllClose(components.stddev(), scale.transpose(1, 0, 2))

  @parameterized.parameters(1., 1e4)
  def test_density_and_gradient_are_finite(self, scale):
    layer = MultivariateNormalDiagMixture(_SIZE, _M)
    params = tf.constant(_parameters(scale=scale))
    with tf.GradientTape() as tape:
      tape.watch(params)
      q = layer.distribution(params)
      log_prob = q.log_prob(q.by_component().sample(seed=[0, 1])) + (
          tf.reduce_sum(q.stddev() + q.mean(), axis=-1))
    for value in (log_prob, tape.gradient(log_prob, params)):
      self.assertAllInRange(value, -1e12, 1e12)

  def test_settings_by_name_and_config(self):
    layer = POSTERIORS.make(
        'mixture', 3, settings={'posterior_components': 5})
    self.assertEqual(layer.settings, {'num_components': 5})
    copy = type(layer).from_config(layer.get_config())
    self.assertEqual(copy.get_config(), layer.get_config())
    self.assertEqual(layer.sized(3).num_components, 5)

  def test_trains_under_fit_and_survives_saving(self):
    tf_keras.utils.set_random_seed(0)
    model = _vae(MultivariateNormalDiagMixture(
        2, 3, activity_regularizer=tfvae.KLDivergenceRegularizer(
            tfvae.priors.StandardNormal(2))))
    model.compile('adam', jit_compile=True)
    before = model.encoder.get_weights()
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    model.fit(x, batch_size=20, epochs=2, verbose=0)
    for old, new in zip(before, model.encoder.get_weights(), strict=True):
      self.assertAllGreater(np.abs(new - old), 0)
    path = os.path.join(self.get_temp_dir(), 'model.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path, safe_mode=True)
    self.assertAllEqual(loaded(x).mean(), model(x).mean())

  def test_does_not_train_by_a_draw_of_a_random_component(self):
    layer = MultivariateNormalDiagMixture(
        2, activity_regularizer=tfvae.KLDivergenceRegularizer(
            tfvae.priors.StandardNormal(2)))
    model, x = _vae(layer), np.ones([5, 4], np.float32)
    self.assertEqual(model.encoder(x).shape, (5, 2))
    plain = tf_keras.Sequential([model.encoder, model.decoder])
    plain.compile('sgd', tfvae.NegativeLogLikelihood(), run_eagerly=True)
    with self.assertRaisesRegex(
        ValueError, "no gradient.*weights.*`fit` of a VAE.*'sample'"):
      plain.fit(x, x, verbose=0)
    with self.assertRaisesRegex(ValueError, 'no gradient.*StratifiedSample'):
      model(x, training=True)

  @parameterized.parameters(
      ({'event_size': 0}, 'event_size=0'),
      ({'num_components': 0}, 'num_components=0'),
      ({'num_components': 2.}, 'num_components=2.0'))
  def test_errors_name_the_value(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      MultivariateNormalDiagMixture(**{'event_size': 2} | arguments)

  def test_parameters_of_another_size(self):
    with self.assertRaisesRegex(ValueError, r'20 parameters.*\(1, 9\)'):
      MultivariateNormalDiagMixture(2)(np.zeros([1, 9], np.float32))


if __name__ == '__main__':
  tf.test.main()
