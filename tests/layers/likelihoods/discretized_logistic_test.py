"""The likelihood layer of 8-bit images."""

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf

from tfvae.layers import DiscretizedLogistic

_LEVELS = np.arange(256)
_PIXELS = np.float32(_LEVELS[:, None] / 255)

# (μ, log s) for x in [−1, 1], from a spike to all but flat, in and out of it.
_PARAMETERS = [(loc, log_scale)
               for loc in (-1e4, -3., -1., -0.013, 0.7, 1., 50.)
               for log_scale in (-1e4, -6., -4., -1., 0., 3., 1e4)]


def _log_probs(loc, log_scale):
  """log P of the 256 levels in float64, from SciPy's logistic, bounds apart."""
  # tfvae bounds log s to (−7, 5).
  distribution = stats.logistic(loc, np.exp(np.clip(log_scale, -7., 5.)))
  edges = (2 * np.arange(1, 256) - 1) / 255 - 1
  cdf = np.concatenate([[0.], distribution.cdf(edges), [1.]])
  survival = np.concatenate([[1.], distribution.sf(edges), [0.]])
  # Of the two differences the one of small numbers keeps its digits.
  probs = np.where(cdf[1:] < 0.5, np.diff(cdf), -np.diff(survival))
  with np.errstate(divide='ignore'):
    return np.log(probs)


def _random(n, count, scale=1.):
  return np.random.default_rng(n).normal(
      scale=scale, size=(n, count)).astype(np.float32)


class DiscretizedLogisticTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_PARAMETERS)
  def test_log_likelihood_equals_scipy_and_sums_to_one(self, loc, log_scale):
    likelihood = DiscretizedLogistic(1)([[loc, log_scale]])
    actual = likelihood.log_prob(_PIXELS).numpy()
    self.assertAllClose(np.exp(np.float64(actual)).sum(), 1., atol=2e-6)
    # Below, the float64 difference of distribution functions underflows.
    expected = np.maximum(_log_probs(loc, log_scale), -600.)
    self.assertAllClose(
        np.maximum(actual, -600.), expected, rtol=1e-4, atol=1e-5)

  @parameterized.parameters((2, 1.), (5, 1.), (5, 10.), (10, 1e3))
  def test_mixture_equals_scipy_and_sums_to_one(self, num_components, scale):
    params = _random(6, 3 * num_components, scale)
    likelihood = DiscretizedLogistic(1, num_components=num_components)(params)
    actual = likelihood.log_prob(_PIXELS[:, None]).numpy().T
    self.assertAllClose(
        np.exp(np.float64(actual)).sum(1), np.ones(6), atol=3e-6)
    logits, locs, log_scales = np.split(np.float64(params), 3, axis=1)
    if scale > 1:
      return
    for row in range(6):
      expected = special.logsumexp(special.log_softmax(logits[row]) + np.stack(
          [_log_probs(m, s) for m, s in zip(locs[row], log_scales[row],
                                            strict=True)], 1), axis=1)
      self.assertAllClose(actual[row], expected, rtol=1e-4, atol=1e-5)

  def test_sums_over_the_event(self):
    params = _random(4, 12)
    x = np.random.default_rng(0).integers(256, size=(4, 2, 3))
    loc, log_scale = np.split(params.reshape(4, 2, 6), 2, axis=-1)
    expected = np.zeros(4)
    for (i, j, k), level in np.ndenumerate(x):
      expected[i] += _log_probs(loc[i, j, k], log_scale[i, j, k])[level]
    self.assertAllClose(
        DiscretizedLogistic((2, 3))(params).log_prob(np.float32(x / 255)),
        expected, rtol=1e-5)

  @parameterized.parameters(*_PARAMETERS)
  def test_mean_is_within_its_bound_of_the_exact_one(self, loc, log_scale):
    expected = np.exp(_log_probs(loc, log_scale)) @ _LEVELS
    mean = 255 * DiscretizedLogistic(1)([[loc, log_scale]]).mean().numpy()
    # s is a gray level or more where log s > −log 127.5 = −4.85.
    self.assertAllClose(
        mean[0, 0], expected, atol=0.011 if log_scale > -4.85 else 0.16)
    self.assertAllInRange(mean, 0., 255.)

  @parameterized.parameters(1, 4)
  def test_mean_is_that_of_draws(self, num_components):
    params = _random(5, DiscretizedLogistic.params_size(
        6, num_components=num_components))
    likelihood = DiscretizedLogistic(6, num_components=num_components)(params)
    draws = likelihood.sample(10000, seed=[1, 2]).numpy()
    error = np.abs(draws.mean(0) - likelihood.mean()) / (
        draws.std(0) / 10000**.5)
    # Standard errors; these s are 6 levels or more, where the mean is off by
    # 0.002 levels at most, a fiftieth of a standard error.
    self.assertAllLess(error, 4.5)

  def test_draws_are_levels_with_their_frequencies(self):
    likelihood = DiscretizedLogistic(1)([[0.3, -3.], [-1., -3.]])
    draws = likelihood.sample(20000, seed=[1, 2]).numpy()[..., 0]
    levels = np.int32(np.round(255 * draws))
    self.assertAllClose(draws, levels / 255, rtol=2e-7)
    for row, loc in enumerate((0.3, -1.)):
      probs = np.exp(_log_probs(loc, -3.))
      counts = np.bincount(levels[:, row], minlength=256)
      common = probs > 1e-3
      error = np.abs(counts - 20000 * probs) / np.sqrt(
          20000 * probs * (1 - probs))
      self.assertAllLess(error[common], 4.5)  # Standard errors.

  def test_gradient_is_that_of_float64(self):
    loc, log_scale = (np.float64(v).ravel() for v in np.meshgrid(
        [-2., -1., 0.1, 1.], [-5., -2., 1., 4.]))
    params = tf.Variable(np.stack([loc, log_scale], 1).astype(np.float32))
    for level in (0, 3, 128, 255):
      with tf.GradientTape() as tape:
        log_prob = DiscretizedLogistic(1)(params).log_prob(
            np.full([16, 1], level / 255, np.float32))
      gradient = tape.gradient(log_prob, params)
      for i, step in enumerate(1e-5 * np.eye(2)):
        expected = [(_log_probs(m + step[0], s + step[1])[level] - _log_probs(
            m - step[0], s - step[1])[level]) / 2e-5 for m, s in zip(
                loc, log_scale, strict=True)]
        self.assertAllClose(gradient[:, i], expected, rtol=2e-3, atol=2e-4)

  def test_mean_has_the_gradient_of_its_integral(self):
    params = tf.Variable([[0.2, -2.], [-1.4, -1.], [1.1, 0.]])
    with tf.GradientTape() as tape:
      mean = DiscretizedLogistic(1)(params).mean()
    loc, scale = np.float64(params[:, 0]), np.exp(np.float64(params[:, 1]))
    # d/dμ E[clip(Y, −1, 1)] = P(−1 < Y < 1), half of it for x in [0, 1].
    logistic = stats.logistic(loc, scale)
    self.assertAllClose(tape.gradient(mean, params)[:, 0],
                        0.5 * (logistic.cdf(1.) - logistic.cdf(-1.)), rtol=1e-4)

  @parameterized.parameters(0, -1, 2.5, '3')
  def test_refuses(self, num_components):
    with self.assertRaisesRegex(ValueError, 'Received: num_components='):
      DiscretizedLogistic(3, num_components=num_components)


if __name__ == '__main__':
  tf.test.main()
