"""The likelihood layer of overdispersed counts."""

from absl.testing import parameterized
import numpy as np
from scipy import optimize
from scipy import special
from scipy import stats
import tensorflow as tf
import tf_keras

from tfvae.layers import IndependentNegativeBinomial
from tfvae.layers import IndependentPoisson

_LOG_MEANS = np.float32([-13., -3., 0., 1.5, 4., 9.])
_COUNTS = np.float32([0, 1, 2, 10, 1000])


def _scipy(log_mean, log_total_count):
  mean, r = np.exp(np.float64(log_mean)), np.exp(np.float64(log_total_count))
  return stats.nbinom(r, r / (r + mean))


def _log_prob(x, mean, r):
  """SciPy's `nbinom` goes by a probability, which is rounded near 1."""
  return (special.gammaln(x + r) - special.gammaln(r) - special.gammaln(x + 1)
          - r * np.log1p(mean / r) + x * np.log(mean / (r + mean)))


class IndependentNegativeBinomialTest(
    tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(-6.5, -2., 0., 1., 3., 6.5)
  def test_log_likelihood_equals_scipy(self, log_total_count):
    params = np.stack([_LOG_MEANS, np.full_like(_LOG_MEANS, log_total_count)])
    likelihood = IndependentNegativeBinomial(1, total_count='per_pixel')(
        params.T)
    fixed = IndependentNegativeBinomial(
        1, total_count=float(np.exp(log_total_count)))(_LOG_MEANS[:, None])
    for count in _COUNTS:
      x = np.full([len(_LOG_MEANS), 1], count)
      expected = _scipy(_LOG_MEANS, log_total_count).logpmf(count)
      for each in (likelihood, fixed):
        self.assertAllClose(each.log_prob(x), expected, rtol=1e-6, atol=1e-5)

  @parameterized.product(log_total_count=[-2., 1., 6.5],
                         jit_compile=[False, True])
  def test_is_exact_near_the_peak(self, log_total_count, jit_compile):
    # μ of 1e-3 to 1e7, x from one standard deviation below to three above.
    log_means, deviations = (axis.ravel() for axis in np.meshgrid(
        (np.log(10.) * np.linspace(-3, 7, 41)).astype(np.float32),
        [-1, 0, 1, 3]))
    mean = np.exp(np.float64(log_means))
    r = np.exp(np.float64(np.float32(log_total_count)))
    x = np.maximum(
        np.round(mean + deviations * np.sqrt(mean + mean**2 / r)), 0.)
    layer = IndependentNegativeBinomial(1, total_count='per_pixel')
    params = tf.constant(np.stack(
        [log_means, np.full_like(log_means, log_total_count)], axis=-1))

    @tf.function(jit_compile=jit_compile)
    def value_and_gradient(x):
      with tf.GradientTape() as tape:
        tape.watch(params)
        log_prob = layer(params).log_prob(x)
      return log_prob, tape.gradient(log_prob, params)

    log_prob, gradient = value_and_gradient(
        tf.constant(x[:, None], tf.float32))
    self.assertAllClose(log_prob, _log_prob(x, mean, r), rtol=1e-7, atol=1e-5)
    by_log_r = r * (special.digamma(x + r) - special.digamma(r)
                    - np.log1p(mean / r) + (mean - x) / (r + mean))
    self.assertAllClose(gradient[:, 0], r * (x - mean) / (r + mean),
                        rtol=1e-6, atol=1e-7)
    self.assertAllClose(gradient[:, 1], by_log_r, rtol=1e-6, atol=1e-5)

  def test_parameters_make_the_distribution_again(self):
    params = np.float32([[0., 1.], [2., -1.]])
    likelihood = IndependentNegativeBinomial(1, 'per_pixel').distribution(
        params)
    self.assertAllEqual(likelihood[1:].mean(), likelihood.mean()[1:])
    self.assertAllEqual(likelihood.copy().log_prob([[3.], [4.]]),
                        likelihood.log_prob([[3.], [4.]]))

  def test_moments_are_those_of_draws(self):
    log_means, log_total_counts = np.float32([-1., 0., 2., 4.]), np.float32(
        [1., -1., 0., 3.])
    likelihood = IndependentNegativeBinomial(4, total_count='per_pixel')(
        np.concatenate([log_means, log_total_counts])[None])
    mean, variance = _scipy(log_means, log_total_counts).stats('mv')
    self.assertAllClose(likelihood.mean()[0], np.exp(log_means), rtol=1e-5)
    self.assertAllClose(likelihood.variance()[0], variance, rtol=1e-5)
    draws = likelihood.sample(20000, seed=[1, 2]).numpy()[:, 0]
    error = np.abs(draws.mean(0) - mean) / np.sqrt(variance / 20000)
    self.assertAllLess(error, 4.5)  # Standard errors.
    # How often each of the first counts comes.
    for count in range(3):
      probability = _scipy(log_means, log_total_counts).pmf(count)
      error = np.abs((draws == count).mean(0) - probability) / np.sqrt(
          probability * (1 - probability) / 20000)
      self.assertAllLess(error, 4.5)

  def test_large_total_count_is_poisson(self):
    x, log_means = np.float32([[0., 3., 7.]]), np.float32([[-1., 1., 2.]])
    likelihood = IndependentNegativeBinomial(3, total_count=2000.)(log_means)
    self.assertAllClose(
        likelihood.log_prob(x), IndependentPoisson(3)(log_means).log_prob(x),
        atol=0.02)

  def test_shared_total_count_learns_the_maximum_likelihood_one(self):
    x = np.random.default_rng(0).negative_binomial(
        3., 3. / (3. + 5.), size=(500, 6)).astype(np.float32)
    layer = IndependentNegativeBinomial(6)
    log_mean = tf.Variable(np.log(x.mean()))
    variables = [log_mean, *layer.trainable_weights]
    optimizer = tf_keras.optimizers.Adam(0.05)

    @tf.function
    def step():
      with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(
            layer(tf.fill([500, 6], log_mean)).log_prob(x))
      optimizer.minimize(loss, variables, tape)

    for _ in range(200):
      step()
    expected = optimize.minimize_scalar(
        lambda log_r: -_scipy(np.log(x.mean()), log_r).logpmf(x).mean(),
        bounds=(-2., 4.), method='bounded').x
    self.assertAllClose(layer.log_shared, expected, atol=5e-3)

  def test_flat_events_are_sampled_in_a_graph_and_then_under_xla(self):
    layer = IndependentNegativeBinomial(3)
    weights = tf.Variable(tf.ones([2, 3]))
    for jit_compile in (False, True):
      function = tf.function(
          lambda z: layer(z @ weights).sample(4000, seed=[1, 2]),
          jit_compile=jit_compile, input_signature=[tf.TensorSpec([None, 2])])
      draws = function([[0.5, 1.]]).numpy()
      variance = _scipy(1.5, 0.).var()
      error = np.abs(draws.mean(0) - np.exp(1.5)) / np.sqrt(variance / 4000)
      self.assertAllLess(error, 4.5)  # Standard errors.

  def test_at_bound(self):
    layer = IndependentNegativeBinomial(1)
    self.assertIsNone(layer.at_bound())
    layer.log_shared.assign(7.5)
    self.assertRegex(layer.at_bound(), 'total_count .* upper.* 2.98e.*Poisson')
    layer.log_shared.assign(-7.5)
    self.assertRegex(layer.at_bound(), 'lower bound 0.000335.*per_pixel')
    self.assertIsNone(IndependentPoisson(1).at_bound())

  def test_refuses_total_count(self):
    with self.assertRaisesRegex(ValueError, 'Received: total_count=-2'):
      IndependentNegativeBinomial(3, total_count=-2)


if __name__ == '__main__':
  tf.test.main()
