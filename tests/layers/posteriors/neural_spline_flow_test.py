"""The layer of posteriors that a neural spline flow makes."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tests import flows
import tfvae
from tfvae.layers import NeuralSplineFlow
from tfvae.layers import POSTERIORS

_CONTEXT = 4


def _layer(size, **kwargs):
  """A layer in float64 whose splines are no identity."""
  layer = NeuralSplineFlow(size, **{
      'num_layers': 3, 'num_bins': 5, 'hidden_units': (7, 6),
      'context_size': _CONTEXT, 'dtype': 'float64'} | kwargs)
  rng = np.random.default_rng(1)
  layer.set_weights([0.5 * rng.normal(size=w.shape) for w in layer.weights])
  return layer


def _parameters(layer, n=3):
  size = layer.params_size(layer.event_size, **layer.settings)
  return np.random.default_rng(0).normal(size=(n, size)).astype(
      layer.compute_dtype)


def _numerical_log_prob(posterior, noise):
  """log N(ε; 0, I) − log |det ∂z/∂ε|, the Jacobian by differences, `[b]`."""
  forward, step = posterior.bijector.forward, 1e-5
  jacobian = np.stack([
      (forward(noise + shift) - forward(noise - shift)) / (2 * step)
      for shift in step * np.eye(noise.shape[-1])], axis=-1)
  return (stats.norm.logpdf(noise).sum(axis=-1)
          - np.linalg.slogdet(jacobian)[1])


class NeuralSplineFlowTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(size=[1, 2, 5], num_layers=[1, 3])
  def test_density_equals_that_of_the_numerical_jacobian(
      self, size, num_layers):
    layer = _layer(size, num_layers=num_layers)
    params = _parameters(layer, 9)
    noise = np.random.default_rng(0).normal(size=(9, size))
    posterior = layer.distribution(params)
    z, expected = posterior.bijector.forward(noise), _numerical_log_prob(
        layer.distribution(params), noise)
    self.assertAllClose(posterior.log_prob(z), expected, rtol=1e-6, atol=1e-6)
    # With bijectors that have not seen the noise.
    self.assertAllClose(layer.distribution(params).log_prob(tf.identity(z)),
                        expected, rtol=1e-6, atol=1e-6)

  def test_density_integrates_to_one(self):
    layer = _layer(1)
    posterior = layer.distribution(_parameters(layer, 4))
    nodes = np.linspace(-60, 60, 240_001)[:, np.newaxis, np.newaxis]
    density = np.exp(posterior.log_prob(nodes))  # [nodes, 4]
    self.assertAllClose(
        np.trapezoid(density, nodes[:, 0, 0], axis=0), np.ones(4), atol=1e-5)

  def test_draws_follow_the_density(self):
    layer = _layer(1)
    params = _parameters(layer, 1)
    draws = np.sort(layer.distribution(params).sample(
        4000, seed=[0, 1]).numpy().ravel())
    nodes = np.linspace(-60, 60, 240_001)
    density = np.exp(layer.distribution(params).log_prob(nodes[:, None, None]))
    cdf = np.cumsum(density[:, 0]) * (nodes[1] - nodes[0])
    self.assertGreater(stats.kstest(
        draws, lambda z: np.interp(z, nodes, cdf)).pvalue, 1e-3)

  def test_a_draw_and_a_density_take_one_pass(self):
    layer, passes = _layer(3), []
    params = _parameters(layer)
    for network in layer.networks:
      network._parts = lambda z, own=network._parts: (
          passes.append(z.shape), own(z))[1]
    posterior = layer.distribution(params)
    z = posterior.sample(5, seed=[0, 1])
    log_prob = posterior.log_prob(z)
    self.assertLen(passes, layer.num_layers)
    passes.clear()
    again = layer.distribution(params).log_prob(tf.identity(z))
    self.assertLen(passes, layer.num_layers)
    self.assertAllClose(again, log_prob)

  def test_equal_under_xla(self):
    layer = _layer(3, dtype='float32')
    params = _parameters(layer)

    noise = np.random.default_rng(0).normal(size=[4, 3, 3]).astype(np.float32)

    def draw_and_density():
      z = layer.distribution(params).bijector.forward(noise)
      return z, layer.distribution(params).log_prob(tf.identity(z))

    for ours, eager in zip(tf.function(draw_and_density, jit_compile=True)(),
                           draw_and_density(), strict=True):
      self.assertAllClose(ours, eager, rtol=1e-3, atol=1e-3)

  @parameterized.parameters(((8, 8), 3), ((), 3), ((5,), 1), ((), 1))
  def test_begins_as_the_diagonal_normal(self, hidden_units, size):
    layer = NeuralSplineFlow(size, hidden_units=hidden_units, context_size=4)
    params = _parameters(layer)
    posterior = layer.distribution(params)
    normal = tfvae.layers.MultivariateNormalDiag.new(params[:, :-4], size)
    z = posterior.sample(50, seed=0)
    self.assertAllClose(
        posterior.log_prob(z), normal.log_prob(z), rtol=1e-5, atol=1e-5)
    self.assertAllClose(posterior.mean(), normal.mean(), atol=1e-5)

  def test_every_dimension_depends_on_every_other_and_on_the_context(self):
    layer = _layer(3)
    params = tf.constant(_parameters(layer, 1))
    noise = tf.constant([[0.3, -0.4, 0.5]], tf.float64)
    with tf.GradientTape() as tape:
      tape.watch([params, noise])
      z = layer.distribution(params).bijector.forward(noise)[0]
    by_noise, by_params = tape.jacobian(z, [noise, params])
    self.assertAllGreater(np.abs(by_noise[:, 0]), 0)
    self.assertAllGreater(
        np.abs(by_params[:, 0, -_CONTEXT:]).max(axis=1), 0)

  def test_trains_under_fit_and_its_networks_move(self):
    tf_keras.utils.set_random_seed(0)
    layer = NeuralSplineFlow(
        2, num_layers=2, hidden_units=(5,), context_size=3,
        activity_regularizer=tfvae.KLDivergenceRegularizer(
            tfvae.priors.StandardNormal(2)))
    flows.check_networks_train_and_are_saved(self, layer)

  def test_settings_by_name(self):
    layer = POSTERIORS.make('spline', 3, settings={
        'posterior_spline_layers': 2, 'posterior_spline_bins': 4,
        'posterior_spline_units': (5,)})
    self.assertEqual((layer.num_layers, layer.num_bins, layer.hidden_units),
                     (2, 4, (5,)))
    self.assertLen(layer.networks, 2)
    # 3 · 4 − 1 parameters of each of the two dimensions that it transforms.
    self.assertEqual(layer.networks[0].get_weights()[-1].shape, (22,))

  @parameterized.parameters(
      ({'event_size': 0}, 'event_size=0'), ({'num_layers': 0}, 'num_layers=0'),
      ({'context_size': 0}, 'context_size=0'),
      ({'hidden_units': (3, 0)}, 'hidden_units=0'),
      ({'num_bins': 1}, 'num_bins=1'), ({'bound': 0.}, 'bound=0'),
      ({'event_size': None, 'num_bins': 1}, 'num_bins=1'))
  def test_errors_name_the_value(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      NeuralSplineFlow(**{'event_size': 2} | arguments)

  def test_parameters_of_another_size(self):
    with self.assertRaisesRegex(ValueError, r'20 parameters.*\(1, 9\)'):
      NeuralSplineFlow(2)(np.zeros([1, 9], np.float32))


if __name__ == '__main__':
  tf.test.main()
