"""The likelihood layer of counts."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf

from tfvae.layers import IndependentPoisson

_LOG_RATES = np.float32([-13., -3., 0., 1.5, 4., 9., 13.])
_COUNTS = np.float32([0, 1, 2, 10, 1000, 100000])


class IndependentPoissonTest(tf.test.TestCase, parameterized.TestCase):

  def test_log_likelihood_equals_scipy(self):
    layer = IndependentPoisson(1)
    for count in _COUNTS:
      expected = stats.poisson(np.exp(np.float64(_LOG_RATES))).logpmf(count)
      likelihood = layer(_LOG_RATES[:, None])
      self.assertAllClose(
          likelihood.log_prob(np.full([len(_LOG_RATES), 1], count)), expected,
          rtol=1e-6, atol=1e-5)

  @parameterized.product(deviations=[-4, -1, 0, 1, 4],
                         jit_compile=[False, True])
  def test_is_exact_near_the_peak(self, deviations, jit_compile):
    # λ of 1e-3 to 1e7, x that many standard deviations off.
    log_rates = np.log(10.) * np.linspace(-3, 7, 41)
    log_rates = log_rates.astype(np.float32)
    rates = np.exp(np.float64(log_rates))
    x = np.maximum(np.round(rates + deviations * np.sqrt(rates)), 0.)
    layer, params = IndependentPoisson(1), tf.constant(log_rates[:, None])

    @tf.function(jit_compile=jit_compile)
    def value_and_gradient(x):
      with tf.GradientTape() as tape:
        tape.watch(params)
        log_prob = layer(params).log_prob(x)
      return log_prob, tape.gradient(log_prob, params)

    log_prob, gradient = value_and_gradient(
        tf.constant(x[:, None], tf.float32))
    expected = stats.poisson(rates).logpmf(x)
    self.assertAllClose(log_prob, expected, rtol=0, atol=1e-5)
    self.assertAllClose(gradient[:, 0], x - rates, rtol=1e-6, atol=1e-7)

  def test_computes_in_float64_where_asked(self):
    log_rates = np.log([[0.1], [7.], [1e5]])
    x = np.array([[2.], [9.], [99999.]])
    likelihood = IndependentPoisson(1, dtype='float64')(log_rates)
    self.assertEqual(likelihood.dtype, tf.float64)
    self.assertAllClose(
        likelihood.log_prob(x),
        stats.poisson(np.exp(log_rates)).logpmf(x)[:, 0], rtol=0, atol=1e-9)

  def test_sums_over_the_event(self):
    x = np.float32([[3., 0., 5.], [1., 1., 0.]])
    log_rates = np.float32([[1., -1., 2.], [0., 0.5, -3.]])
    expected = stats.poisson(np.exp(np.float64(log_rates))).logpmf(x).sum(1)
    self.assertAllClose(
        IndependentPoisson(3)(log_rates).log_prob(x), expected, rtol=1e-5)

  def test_mean_is_that_of_draws(self):
    likelihood = IndependentPoisson(7)(_LOG_RATES[None])
    mean = np.exp(np.float64(_LOG_RATES))
    self.assertAllClose(likelihood.mean()[0], mean, rtol=1e-5)
    draws = likelihood.sample(20000, seed=[1, 2]).numpy()[:, 0]
    error = np.abs(draws.mean(0) - mean) / np.sqrt(mean / 20000)
    self.assertAllLess(error, 4.5)  # Standard errors.
    self.assertAllEqual(draws, np.round(draws))

  def test_rate_is_bounded(self):
    self.assertAllClose(IndependentPoisson(1)([[-1e4], [1e4]]).mean()[:, 0],
                        np.exp([-18., 18.]), rtol=1e-5)

  def test_flat_events_are_sampled_in_a_graph_and_then_under_xla(self):
    layer, weights = IndependentPoisson(3), tf.Variable(tf.ones([2, 3]))
    for jit_compile in (False, True):
      function = tf.function(
          lambda z: layer(z @ weights).sample(4000, seed=[1, 2]),
          jit_compile=jit_compile, input_signature=[tf.TensorSpec([None, 2])])
      draws = function([[0.5, 1.]]).numpy()
      error = np.abs(draws.mean(0) - np.exp(1.5)) / np.sqrt(np.exp(1.5) / 4000)
      self.assertAllLess(error, 4.5)  # Standard errors.

  def test_scalar_events_are_sampled_in_a_graph(self):
    layer = IndependentPoisson(())
    function = tf.function(lambda log_rates: layer(log_rates).sample(
        seed=[1, 2]), input_signature=[tf.TensorSpec([None])])
    self.assertEqual(function([0., 1., 2.]).shape, (3,))


if __name__ == '__main__':
  tf.test.main()
