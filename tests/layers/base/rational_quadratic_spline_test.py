"""Monotonic rational-quadratic splines, against a formula and against TFP."""

from absl.testing import parameterized
import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers.base.rational_quadratic_spline import num_parameters
from tfvae.layers.base.rational_quadratic_spline import (
    rational_quadratic_spline,
)

_BOUND = 3.0


def _knots(logits):
  """Positions of the K + 1 knots, a bin at least a tenth of 1/K wide."""
  shares = np.exp(logits - logits.max())
  sizes = 0.1 / len(logits) + 0.9 * shares / shares.sum()
  return _BOUND * (2 * np.concatenate([[0.], np.cumsum(sizes)]) - 1)


def _parts(params):
  """Knots x_k and y_k, and slopes at them, of one spline in float64."""
  bins = (len(params) + 1) // 3
  slopes = np.exp(3 * np.tanh(params[2 * bins:] / 3))
  return (_knots(params[:bins]), _knots(params[bins:2 * bins]),
          np.concatenate([[1.], slopes, [1.]]))


def _forward(value, params):
  """f(x) of one number: Durkan et al. 2019, equation 4."""
  x, y, d = _parts(params)
  if not x[0] < value < x[-1]:
    return value
  k = np.searchsorted(x, value, side='right') - 1
  xi = (value - x[k]) / (x[k + 1] - x[k])
  s = (y[k + 1] - y[k]) / (x[k + 1] - x[k])
  return y[k] + (y[k + 1] - y[k]) * (s * xi**2 + d[k] * xi * (1 - xi)) / (
      s + (d[k + 1] + d[k] - 2 * s) * xi * (1 - xi))


def _splines(n, bins, scale=1.0):
  """Returns n values and the parameters of as many splines, in float64."""
  rng = np.random.default_rng(bins)
  return (rng.uniform(-4, 4, size=n),
          scale * rng.normal(size=(n, num_parameters(bins))))


class RationalQuadraticSplineTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(2, 8)
  def test_equals_the_formula_and_its_difference_quotient(self, bins):
    x, params = _splines(200, bins)
    y, log_slope = rational_quadratic_spline(x, params, _BOUND)
    step = 1e-6
    low, middle, high = (
        np.array([_forward(*pair) for pair in zip(x + h, params, strict=True)])
        for h in (-step, 0., step))
    self.assertAllClose(y, middle, rtol=1e-10)
    self.assertAllClose(
        np.exp(log_slope), (high - low) / (2 * step), rtol=1e-5)

  def test_equals_tfp(self):
    x, params = _splines(200, 5)
    widths, heights = (
        2 * _BOUND * (0.1 / 5 + 0.9 * tf.nn.softmax(logits))
        for logits in (params[:, :5], params[:, 5:10]))
    bijector = tfp.bijectors.RationalQuadraticSpline(
        widths, heights, np.exp(3 * np.tanh(params[:, 10:] / 3)), -_BOUND)
    y, log_slope = rational_quadratic_spline(x, params, _BOUND)
    self.assertAllClose(y, bijector.forward(x), rtol=1e-10)
    self.assertAllClose(
        log_slope, bijector.forward_log_det_jacobian(x), atol=1e-10)
    self.assertAllClose(
        rational_quadratic_spline(x, params, _BOUND, inverse=True)[0],
        bijector.inverse(x), rtol=1e-8)

  @parameterized.parameters(
      ('float64', 1., 1e-9), ('float64', 100., 1e-6), ('float32', 1., 1e-3))
  def test_inverse_undoes_it_and_has_the_same_slope(self, dtype, scale, atol):
    x, params = _splines(500, 8, scale)
    x, params = x.astype(dtype), params.astype(dtype)
    y, log_slope = rational_quadratic_spline(x, params, _BOUND)
    again, same = rational_quadratic_spline(y, params, _BOUND, inverse=True)
    self.assertAllClose(again, x, rtol=0, atol=atol)
    self.assertAllClose(same, log_slope, rtol=0, atol=10 * atol)
    self.assertAllGreater(np.abs(y - x)[np.abs(x) < _BOUND].max(), 0.1)

  @parameterized.parameters(False, True)
  def test_zeros_are_the_identity(self, inverse):
    x = np.linspace(-4, 4, 101, dtype=np.float32)
    y, log_slope = rational_quadratic_spline(
        x, np.zeros([101, num_parameters(8)], np.float32), _BOUND, inverse)
    self.assertAllClose(y, x, rtol=0, atol=1e-6)
    self.assertAllClose(log_slope, np.zeros(101), rtol=0, atol=1e-6)

  @parameterized.product(inverse=[False, True], scale=[0., 1., 100.])
  def test_gradients_are_finite_at_knots_and_outside(self, inverse, scale):
    params = tf.constant(_splines(1, 4, scale)[1], tf.float32)
    x = _knots(params[0, :4].numpy()).astype(np.float32)
    x = tf.constant([*x, *np.nextafter(x, np.float32(0)), -1e30, 1e30])
    with tf.GradientTape() as tape:
      tape.watch([x, params])
      y, log_slope = rational_quadratic_spline(x, params, _BOUND, inverse)
      total = y + log_slope
    for gradient in tape.gradient(total, [x, params]):
      self.assertAllInRange(gradient, -1e8, 1e8)
    self.assertAllEqual(y[-2:], x[-2:])

  def test_equal_in_keras_3(self):
    x, params = (part.astype(np.float32) for part in _splines(50, 6))
    for inverse in (False, True):
      expected = rational_quadratic_spline(x, params, _BOUND, inverse)
      actual = rational_quadratic_spline(
          keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(params),
          _BOUND, inverse, keras.ops)
      for ours, theirs in zip(expected, actual, strict=True):
        self.assertAllClose(ours, theirs, rtol=1e-5, atol=1e-5)


if __name__ == '__main__':
  tf.test.main()
