"""The likelihood layer of real data."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tfvae.layers import IndependentNormal
from tfvae.models.export.moments import LikelihoodMean


def _normal(*shape):
  return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


class IndependentNormalTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(0.01, 1, 30.)
  def test_fixed_scale_equals_scipy(self, scale):
    loc, x = _normal(5, 6), _normal(5, 2, 3)
    expected = stats.norm(np.float64(loc), scale).logpdf(
        x.reshape(5, 6)).sum(1)
    likelihood = IndependentNormal((2, 3), scale=scale)(loc)
    self.assertAllClose(likelihood.log_prob(x), expected, rtol=1e-5)
    self.assertAllEqual(likelihood.mean(), loc.reshape(5, 2, 3))

  def test_per_pixel_scale_equals_scipy(self):
    params, x = _normal(5, 2, 6), _normal(5, 2, 3)
    loc, log_scale = np.split(np.float64(params), 2, axis=-1)
    expected = stats.norm(loc, np.exp(log_scale)).logpdf(x).sum((1, 2))
    likelihood = IndependentNormal((2, 3), scale='per_pixel')(params)
    self.assertAllClose(likelihood.log_prob(x), expected, rtol=1e-5)
    self.assertAllClose(likelihood.mean(), loc)

  def test_shared_scale_learns_the_root_mean_square(self):
    x = 0.2 * _normal(50, 6)
    layer = IndependentNormal(6, scale='shared')
    self.assertLen(layer.trainable_weights, 1)
    optimizer = tf_keras.optimizers.Adam(0.05)
    for _ in range(150):
      with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(layer(tf.zeros([50, 6])).log_prob(x))
      optimizer.minimize(loss, layer.trainable_weights, tape)
    # The maximum likelihood σ² of the σ-VAE: the mean squared error.
    self.assertAllClose(np.exp(layer.log_shared), np.sqrt(np.mean(x**2)),
                        rtol=1e-3)

  def test_draws(self):
    params = np.float32([[1., -2., 0.5, -1.]])
    draws = IndependentNormal(2, scale='per_pixel')(params).sample(
        20000, seed=[1, 2]).numpy()[:, 0]
    scale = np.exp([0.5, -1.])
    error = np.abs(draws.mean(0) - [1., -2.]) / (scale / 20000**.5)
    self.assertAllLess(error, 4.5)  # Standard errors.
    # The variance of s² is about 2 σ⁴ / n.
    error = np.abs(draws.var(0) / scale**2 - 1) / (2 / 20000)**.5
    self.assertAllLess(error, 4.5)

  def test_scale_is_bounded(self):
    params = np.float32([[0., -1e4], [0., 1e4]])
    stddev = IndependentNormal(1, scale='per_pixel')(params).stddev()
    self.assertAllClose(stddev[:, 0], np.exp([-6., 5.]), rtol=1e-5)

  @parameterized.product(scale=['shared', 'per_pixel'],
                         moments=[(0., 1e3), (0., 1e-4), (-7e4, 30.)])
  def test_adapted_layer_begins_at_the_best_constant_density(
      self, scale, moments):
    loc, sigma = moments
    x = np.float32(loc + sigma * _normal(4000, 5))
    layer = IndependentNormal(5, scale=scale)
    layer.adapt(x)
    likelihood = layer(np.zeros([4000, layer.params_size(5, scale=scale)],
                                np.float32))
    # −log p of the maximum likelihood: ½ log(2 π e s²).
    best = 0.5 * np.log(2 * np.pi * np.e * np.var(np.float64(x)))
    self.assertAllClose(
        -np.mean(likelihood.log_prob(x)) / 5, best, rtol=0, atol=0.01)

  @parameterized.parameters('shared', 'per_pixel', 0.3)
  def test_density_is_that_of_scipy_in_the_unit_of_x(self, scale):
    layer = IndependentNormal(3, scale=scale, data_loc=40., data_scale=7.)
    for weight in layer.weights:
      weight.assign(-0.4)
    params = _normal(6, layer.params_size(3, scale=scale))
    loc = 40. + 7. * np.float64(params[:, :3])
    sigma = {'shared': 7. * np.exp(-0.4), 0.3: 0.3,
             'per_pixel': 7. * np.exp(np.float64(params[:, 3:]))}[scale]
    x = np.float32(loc + sigma * _normal(6, 3))
    likelihood = layer(params)
    self.assertAllClose(likelihood.log_prob(x),
                        stats.norm(loc, sigma).logpdf(x).sum(1), rtol=1e-4)
    self.assertAllClose(likelihood.mean(), loc, rtol=1e-6)
    self.assertAllClose(likelihood.stddev(), sigma + 0. * loc, rtol=1e-6)
    mean = LikelihoodMean.from_config(LikelihoodMean(layer).get_config())
    self.assertAllEqual(mean(params), likelihood.mean())

  def test_settings_are_saved_and_old_files_have_the_defaults(self):
    layer = IndependentNormal(2)
    layer.adapt([[1., 3.], [5., 7.]])
    self.assertEqual((layer.data_loc, layer.data_scale), (4., 5**0.5))
    config = layer.get_config()
    copy = IndependentNormal.from_config(config)
    self.assertEqual((copy.data_loc, copy.data_scale), (4., 5**0.5))
    self.assertEqual(layer.settings, {'scale': 'shared'})
    del config['data_loc'], config['data_scale']
    old = IndependentNormal.from_config(config)
    self.assertEqual((old.data_loc, old.data_scale), (0., 1.))

  def test_moments_of_large_data_are_accumulated_in_float64(self):
    x = np.float32(3e4 + _normal(5_000_001))
    layer = IndependentNormal(1)
    layer.adapt(tf.constant(x))
    self.assertAllClose(layer.data_loc, np.mean(np.float64(x)), rtol=1e-12)
    self.assertAllClose(layer.data_scale, np.std(np.float64(x)), rtol=1e-10)

  @parameterized.parameters(
      (0., 1., False), (0.13, 0.3, False), (0.5, 0.12, False), (0., 9., False),
      (0., 11., True), (0., 1000., True), (0., 0.09, True), (0., 1e-4, True),
      (9., 1., False), (-11., 1., True), (2., 0., False))
  def test_needs_adapting(self, loc, sigma, expected):
    x = loc + sigma * np.float64([[-1., 1.], [1., -1.]])
    layer = IndependentNormal(2)
    self.assertEqual(layer.needs_adapting(x), expected)
    adapted = IndependentNormal(2, data_loc=1.)
    self.assertFalse(adapted.needs_adapting(x))

  @parameterized.parameters(
      ([2., 2.], 'constant data.*mean 2.0 and standard deviation 0.0'),
      ([0.1] * 3, 'constant data.*and standard deviation 0.0'),
      ([1., np.nan], r'Repair the example.*x\[1\] = nan'),
      ([], r'at least one value .*Received: x of shape \(0,\)'))
  def test_data_that_cannot_be_adapted_to(self, x, message):
    layer = IndependentNormal(1)
    with self.assertRaisesRegex(ValueError, message):
      layer.adapt(np.float32(x))
    self.assertEqual((layer.data_loc, layer.data_scale), (0., 1.))

  @parameterized.parameters(
      ({'data_loc': np.inf}, 'data_loc=inf'), ({'data_scale': 0.}, 'scale=0.0'),
      ({'data_scale': np.nan}, 'data_scale=nan'))
  def test_refuses_location_and_scale_of_data(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      IndependentNormal(1, **arguments)

  @parameterized.parameters(
      (-30., r'^scale of IndependentNormal is 0.0248, within 1 nat of its '
       r'lower bound 0.0248. .*adapt\(x\)'),
      (-5.01, 'lower bound'), (4.01, 'is 551, .*upper bound 1.48e'),
      (-4.9, None), (0., None), (3.9, None))
  def test_at_bound(self, weight, message):
    layer = IndependentNormal(1, data_scale=10.)
    layer.log_shared.assign(weight)
    if message is None:
      self.assertIsNone(layer.at_bound())
    else:
      self.assertRegex(layer.at_bound(), message)

  def test_a_scale_that_is_not_shared_is_never_at_its_bound(self):
    for scale in ('per_pixel', 1e-5):
      self.assertIsNone(IndependentNormal(1, scale).at_bound())

  @parameterized.parameters('shared', 'per_pixel')
  def test_units_of_each_element_equal_scipy(self, scale):
    loc, unit = np.array([[1., -2., 300.]]), np.array([[0.1, 5., 40.]])
    layer = IndependentNormal((1, 3), scale=scale).in_units(loc, unit)
    size = 6 if scale == 'per_pixel' else 3
    params, x = _normal(5, 1, size), np.float32(loc + unit * _normal(5, 1, 3))
    sigma = unit * (np.exp(np.float64(params[..., 3:])) if size > 3 else 1)
    expected = stats.norm(
        loc + unit * np.float64(params[..., :3]), sigma).logpdf(x).sum((1, 2))
    self.assertAllClose(layer(params).log_prob(x), expected, rtol=1e-4)
    copy = IndependentNormal.from_config(layer.get_config())
    self.assertAllEqual(copy.data_loc, loc)
    self.assertAllEqual(copy.data_scale, unit)
    with self.assertRaisesRegex(ValueError, r'event shape \(1, 3\)'):
      layer.in_units([1.], unit)

  @parameterized.parameters(
      0., -1., float('inf'), float('nan'), 'learned', True, None)
  def test_refuses_scale(self, scale):
    with self.assertRaisesRegex(ValueError, 'positive number. Received: sc'):
      IndependentNormal(3, scale=scale)

  def test_new_needs_the_value_of_a_shared_scale(self):
    with self.assertRaisesRegex(ValueError, "Received: scale='shared'"):
      IndependentNormal.new(tf.zeros([2, 3]), 3)
    self.assertAllClose(IndependentNormal.new(
        tf.zeros([2, 3]), 3, scale=0.5).stddev(), np.full([2, 3], 0.5))


if __name__ == '__main__':
  tf.test.main()
