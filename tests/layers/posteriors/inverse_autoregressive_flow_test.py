"""The layer of posteriors that an inverse autoregressive flow makes."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests import flows
import tfvae
from tfvae.layers import InverseAutoregressiveFlow
from tfvae.layers.posteriors.inverse_autoregressive_flow import BASES

_CONTEXT = 4


def _layer(size, base='normal_diag', **kwargs):
  """A layer whose networks are no identity."""
  layer = InverseAutoregressiveFlow(
      size, base, hidden_units=(7, 6), context_size=_CONTEXT, **kwargs)
  rng = np.random.default_rng(1)
  layer.set_weights([0.6 * rng.normal(size=w.shape) for w in layer.weights])
  return layer


def _parameters(layer, n=3):
  size = layer.params_size(layer.event_size, **layer.settings)
  return np.random.default_rng(0).normal(size=(n, size)).astype(np.float32)


def _forward(layer, z, context):
  """f_T(… f_1(z)) of rows z, with the masks applied by hand, in float64."""
  for network in layer._networks:
    weights = [np.float64(w) for w in network.get_weights()]
    size, h = z.shape[-1], z
    degrees = np.arange(1, size + 1)[::-1 if network.reverse else 1]
    before = degrees
    for index, width in enumerate([7, 6]):
      kernel, bias = weights[2 * index:2 * index + 2]
      after = np.arange(width) % size
      h = h @ (kernel * (before[:, None] <= after)) + bias
      h = np.tanh(h + context @ weights[-1] if index == 0 else h)
      before = after
    kernel, bias = weights[4:6]
    mask = before[:, None] < np.tile(degrees, 2)
    shift, scale = np.split(h @ (kernel * mask) + bias, 2, axis=-1)
    z = (z - shift) * np.exp(-3 * np.tanh(scale / 3))
  return z


def _log_density(layer, row, start):
  """log N(z_0; μ, Σ) − log |det ∂z/∂z_0|, the Jacobian by differences."""
  size, step = layer.event_size, 1e-6
  loc, context = np.float64(row[:size]), np.float64(row[-_CONTEXT:])
  if layer.base == 'normal_diag':
    covariance = np.diag(np.exp(np.float64(row[size:2 * size])))
  else:
    lower = np.array(tfp.math.fill_triangular(
        np.float64(row[size:-_CONTEXT])))
    np.fill_diagonal(lower, np.exp(np.diag(lower) / 2))
    covariance = lower @ lower.T
  jacobian = np.stack([
      (_forward(layer, start + direction, context)
       - _forward(layer, start - direction, context)) / (2 * step)
      for direction in step * np.eye(size)])
  return (stats.multivariate_normal(loc, covariance).logpdf(start)
          - np.linalg.slogdet(jacobian)[1])


class InverseAutoregressiveFlowTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      ('normal_diag', 1), ('normal_tril', 1), ('normal_diag', 3),
      ('normal_tril', 3), ('normal_tril', 3, True))
  def test_density_is_that_of_the_transformed_normal(
      self, base, size, jit_compile=False):
    layer = _layer(size, base)
    params = _parameters(layer)

    def draw(params, seed):
      posterior = layer.distribution(params)
      z = posterior.sample(seed=seed)
      # The last is without what the bijector has cached of the draw.
      return (z, posterior.log_prob(z),
              layer.distribution(params).log_prob(tf.identity(z) + 0.0),
              posterior.bijector.inverse(tf.identity(z)))

    if jit_compile:
      draw = tf.function(draw, jit_compile=True)
    z, log_prob, uncached, start = draw(params, tf.constant([0, 1]))
    for row in range(len(params)):
      self.assertAllClose(
          _forward(layer, np.float64(start[row]),
                   np.float64(params[row, -_CONTEXT:])), z[row], atol=1e-3)
      expected = _log_density(layer, params[row], np.float64(start[row]))
      self.assertAllClose(log_prob[row], expected, atol=1e-3)
      self.assertAllClose(uncached[row], expected, atol=1e-3)

  def test_density_broadcasts(self):
    layer = _layer(2)
    params = _parameters(layer, 4)
    z = np.random.default_rng(2).normal(size=(5, 1, 2)).astype(np.float32)
    density = layer.distribution(tf.constant(params)).log_prob
    for row in range(4):
      expected = layer.distribution(params[row:row + 1]).log_prob(z)[:, 0]
      self.assertAllClose(density(z)[:, row], expected, rtol=1e-5)
      self.assertAllClose(density(z[3, 0])[row], expected[3], rtol=1e-5)

  def test_density_integrates_to_one(self):
    layer = _layer(2)
    posterior = layer.distribution(_parameters(layer, 1))
    z = posterior.sample(2000, seed=0).numpy()[:, 0]
    low, high = z.min(0) - 3 * z.std(0), z.max(0) + 3 * z.std(0)
    axes = [np.linspace(a, b, 400) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1)
    density = np.exp(posterior.log_prob(
        grid.reshape(-1, 1, 2).astype(np.float32))).reshape(400, 400)
    area = np.prod([axis[1] - axis[0] for axis in axes])
    self.assertAllClose(density.sum() * area, 1, atol=0.01)

  @parameterized.parameters(*[
      (base, num_flows, (), 3) for base in BASES for num_flows in (1, 2, 3)],
                            ('normal_tril', 2, (5,), 3),
                            ('normal_diag', 2, (), 1))
  def test_begins_as_the_normal_it_starts_at(
      self, base, num_flows, hidden_units, event_size):
    layer = InverseAutoregressiveFlow(
        event_size, base, num_flows, hidden_units, context_size=4)
    params = _parameters(layer)
    posterior = layer.distribution(params)
    z = posterior.sample(seed=0)
    start = BASES[base].new(tf.constant(params[:, :-4]), event_size)
    # The log-ratio, whose mean is the KL, is zero at every draw.
    self.assertAllClose(posterior.log_prob(z), start.log_prob(z), rtol=1e-5,
                        atol=1e-5)
    self.assertAllClose(posterior.mean(), start.mean(), atol=1e-5)

  def test_context_alone_moves_the_outputs(self):
    layer = InverseAutoregressiveFlow(2, hidden_units=(), context_size=4)
    params = tf.constant(_parameters(layer))
    with tf.GradientTape() as tape:
      loss = tf.reduce_sum(layer.distribution(params).sample(seed=0))
    kernels = [network._context.kernel for network in layer.networks]
    for gradient in tape.gradient(loss, kernels):
      self.assertGreater(np.abs(gradient).max(), 0.)

  def test_mean_and_stddev_are_estimates_of_those_of_draws(self):
    layer = _layer(3)
    posterior = layer.distribution(_parameters(layer))
    z = posterior.sample(20_000, seed=0).numpy()
    # 128 draws: within 5 standard errors of theirs.
    error = z.std(axis=0) / np.sqrt(128)
    self.assertAllLess(np.abs(posterior.mean() - z.mean(axis=0)) / error, 5)
    self.assertAllClose(posterior.stddev(), z.std(axis=0), rtol=0.5)
    self.assertAllEqual(posterior.mean(), posterior.mean())

  def test_every_dimension_depends_on_every_other_and_on_the_context(self):
    layer = _layer(3)
    params = tf.constant(_parameters(layer, 1))
    with tf.GradientTape() as tape:
      tape.watch(params)
      z = layer.distribution(params).sample(seed=1)[0]
    by_params = tape.jacobian(z, params)[:, 0].numpy()
    self.assertAllGreater(np.abs(by_params[:, :3]), 0)
    self.assertAllGreater(np.abs(by_params[:, -_CONTEXT:]).max(axis=1), 0)

  def test_trains_under_fit_and_its_networks_move(self):
    tf_keras.utils.set_random_seed(0)
    layer = InverseAutoregressiveFlow(
        2, hidden_units=(5,), context_size=3,
        activity_regularizer=tfvae.KLDivergenceRegularizer(
            tfvae.priors.StandardNormal(2)))
    flows.check_networks_train_and_are_saved(self, layer)

  @parameterized.parameters(
      ({'event_size': 0}, 'event_size=0'), ({'num_flows': 0}, 'num_flows=0'),
      ({'context_size': 0}, 'context_size=0'),
      ({'hidden_units': (3, 0)}, 'hidden_units=0'),
      ({'base': 'cauchy'}, "normal_diag.*base='cauchy'"))
  def test_errors_name_the_value(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      InverseAutoregressiveFlow(**{'event_size': 2} | arguments)

  def test_parameters_of_another_size(self):
    with self.assertRaisesRegex(ValueError, r'20 parameters.*\(1, 9\)'):
      InverseAutoregressiveFlow(2)(np.zeros([1, 9], np.float32))


if __name__ == '__main__':
  tf.test.main()
