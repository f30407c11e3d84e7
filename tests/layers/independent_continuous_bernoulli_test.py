"""The likelihood layer of data from 0 to 1."""

import numpy as np
from scipy import integrate
import tensorflow as tf

from tfvae.layers import IndependentContinuousBernoulli

_LOGITS = np.float32(
    [-28., -9., -2., -0.3, -1e-3, 0., 1e-5, 0.02, 1., 17., 28.])


def _density(x, logit):
  """The density in float64: exp(x l) over its own integral."""
  unnormalised = lambda t: np.exp((t - (logit > 0)) * np.float64(logit))
  return unnormalised(x) / integrate.quad(
      unnormalised, 0, 1, epsabs=1e-13, epsrel=1e-13)[0]


class IndependentContinuousBernoulliTest(tf.test.TestCase):

  def test_log_likelihood_equals_quadrature(self):
    x = np.random.default_rng(0).random((4, len(_LOGITS)), np.float32)
    x[0], x[1] = 0., 1.
    expected = np.log([[_density(np.float64(value), logit)
                        for value, logit in zip(row, _LOGITS, strict=True)]
                       for row in x])
    likelihood = IndependentContinuousBernoulli(len(_LOGITS))(
        np.tile(_LOGITS, [4, 1]))
    self.assertAllClose(likelihood.log_prob(x), expected.sum(1), rtol=1e-5)
    # Each on its own.
    likelihood = IndependentContinuousBernoulli(1)(_LOGITS[:, None])
    for row, values in zip(x, expected, strict=True):
      self.assertAllClose(likelihood.log_prob(row[:, None]), values, atol=1e-5)

  def test_mean_equals_quadrature_and_draws(self):
    likelihood = IndependentContinuousBernoulli(1)(_LOGITS[:, None])
    expected = [
        integrate.quad(lambda x, at=logit: x * _density(x, at), 0, 1)[0]
        for logit in _LOGITS]
    self.assertAllClose(likelihood.mean()[:, 0], expected, atol=2e-6)
    draws = likelihood.sample(20000, seed=[1, 2]).numpy()[..., 0]
    error = np.abs(draws.mean(0) - expected) / (draws.std(0) / 20000**.5)
    self.assertAllLess(error, 4.5)  # Standard errors.

  def test_density_is_bounded(self):
    likelihood = IndependentContinuousBernoulli(1)([[1e6], [-1e6]])
    # log(30 / (1 − exp(−30))) at x = 1 and 0.
    self.assertAllClose(likelihood.log_prob([[1.], [0.]]),
                        [np.log(30)] * 2, rtol=1e-5)


if __name__ == '__main__':
  tf.test.main()
