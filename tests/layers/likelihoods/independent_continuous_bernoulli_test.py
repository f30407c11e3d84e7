"""The likelihood layer of data from 0 to 1."""

from absl.testing import parameterized
import numpy as np
from scipy import integrate
import tensorflow as tf

from tfvae.layers import IndependentContinuousBernoulli

_LOGITS = np.float32(
    [-999., -89., -28., -9., -2., -0.3, -1e-3, 0., 1e-5, 0.02, 1., 17., 28.,
     100., 999.])


def _integral(integrand, logit):
  """∫_0^1 of a function with a peak of width 1 / |l| at an end."""
  width = min(1., 50 / max(abs(logit), 1e-9))
  ends = (1 - width, 1.) if logit > 0 else (0., width)
  return integrate.quad(integrand, *ends, epsabs=1e-14, epsrel=1e-13)[0]


def _log_density(x, logit):
  """The density in float64: exp(x l) over its own integral."""
  logit = np.float64(logit)
  exponent = lambda t: (t - (logit > 0)) * logit
  return exponent(x) - np.log(_integral(
      lambda t: np.exp(exponent(t)), logit))


class IndependentContinuousBernoulliTest(
    tf.test.TestCase, parameterized.TestCase):

  def test_log_likelihood_equals_quadrature(self):
    x = np.random.default_rng(0).random((4, len(_LOGITS)), np.float32)
    x[0], x[1] = 0., 1.
    expected = np.array([[_log_density(np.float64(value), logit)
                          for value, logit in zip(row, _LOGITS, strict=True)]
                         for row in x])
    likelihood = IndependentContinuousBernoulli(len(_LOGITS))(
        np.tile(_LOGITS, [4, 1]))
    self.assertAllClose(likelihood.log_prob(x), expected.sum(1), rtol=1e-5)
    # Each on its own.
    likelihood = IndependentContinuousBernoulli(1)(_LOGITS[:, None])
    for row, values in zip(x, expected, strict=True):
      self.assertAllClose(likelihood.log_prob(row[:, None]), values,
                          rtol=2e-7, atol=1e-6)

  def test_mean_equals_quadrature_and_draws(self):
    likelihood = IndependentContinuousBernoulli(1)(_LOGITS[:, None])
    expected = np.array([
        _integral(lambda x, at=logit: x * np.exp(_log_density(x, at)), logit)
        for logit in _LOGITS])
    self.assertAllClose(likelihood.mean()[:, 0], expected, rtol=2e-6)
    draws = likelihood.sample(20000, seed=[1, 2])
    draws = np.float64(draws)[..., 0]
    error = np.abs(draws.mean(0) - expected) / (draws.std(0) / 20000**.5)
    self.assertAllLess(error, 4.5)  # Standard errors.

  @parameterized.parameters(False, True)
  def test_gradients_equal_those_of_the_exponential_family(self, jit_compile):
    # ∂ log p(x) / ∂l = x − E[x], ∂ E[x] / ∂l = Var[x]; and where F(x) = u,
    # ∂x / ∂l = −(∂F / ∂l) / p(x), ∂F / ∂l = ∫_0^x (t − E[x]) p(t) dt.
    logits = np.float32([-900., -100., -6., -0.6, -0.4, 0., 1e-8, 1e-3, 0.3, 5.,
                         90., 900.])
    distribution = IndependentContinuousBernoulli(1).distribution

    @tf.function(jit_compile=jit_compile)
    def gradients(x):
      params = tf.constant(logits[:, None])
      with tf.GradientTape(persistent=True) as tape:
        tape.watch(params)
        likelihood = distribution(params)
        log_prob, mean = likelihood.log_prob(x), likelihood.mean()
        draw = likelihood.sample(seed=[3, 4])
      return draw, [tape.gradient(part, params)[:, 0]
                    for part in (log_prob, mean, draw)]

    def expected(logit, x, draw):
      log_density = lambda t: _log_density(t, logit)
      mean = _integral(lambda t: t * np.exp(log_density(t)), logit)
      variance = _integral(
          lambda t: (t - mean)**2 * np.exp(log_density(t)), logit)
      # From the end without the peak.
      ends = (0., draw) if logit > 0 else (1., draw)
      slope = integrate.quad(lambda t: (t - mean) * np.exp(
          log_density(t) - log_density(draw)), *ends, epsabs=1e-12)[0]
      return x - mean, variance, -slope

    x = np.resize(np.float32([0., 0.3, 1., 0.3]), len(logits))
    draws, actual = gradients(x[:, np.newaxis])
    each = [expected(*row) for row in zip(
        np.float64(logits), x, np.float64(draws[:, 0]), strict=True)]
    for ours, theirs in zip(actual, np.transpose(each), strict=True):
      self.assertAllClose(ours, theirs, rtol=1e-5, atol=2e-6)

  def test_density_is_bounded(self):
    likelihood = IndependentContinuousBernoulli(1)([[1e6], [-1e6]])
    # log(1000 / (1 − exp(−1000))) at x = 1 and 0.
    self.assertAllClose(likelihood.log_prob([[1.], [0.]]),
                        [np.log(1000)] * 2, rtol=1e-6)

  def test_density_outside_of_the_interval_is_zero(self):
    likelihood = IndependentContinuousBernoulli(1)([[3.], [-0.1]])
    for x in (-0.1, 1.1):
      self.assertAllEqual(likelihood.log_prob([[x], [x]]), [-np.inf] * 2)


if __name__ == '__main__':
  tf.test.main()
