"""The likelihood layer of binary data."""

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers import IndependentBernoulli

tfd = tfp.distributions


class IndependentBernoulliTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters((6,), ((6,),), ((2, 3),), ((2, 3, 1),))
  def test_log_likelihood_equals_scipy(self, event_shape):
    shape = (event_shape,) if isinstance(event_shape, int) else event_shape
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=3, size=(5, 6)).astype(np.float32)
    x = (rng.random((5, *shape)) < 0.5).astype(np.float32)
    likelihood = IndependentBernoulli(event_shape)(logits)
    expected = stats.bernoulli(1 / (1 + np.exp(-np.float64(logits)))).logpmf(
        x.reshape(5, 6)).sum(axis=1)
    self.assertEqual(likelihood.event_shape, shape)
    self.assertAllClose(likelihood.log_prob(x), expected, rtol=1e-5)

  @parameterized.parameters(False, True)
  def test_density_and_gradient_of_every_logit(self, jit_compile):
    logits = np.linspace(-60, 60, 2401, dtype=np.float32)[:, None]  # 0 as well.
    x = np.float32(np.arange(2401) % 2)[:, None]

    @tf.function(jit_compile=jit_compile)
    def density_and_gradient(logits):
      with tf.GradientTape() as tape:
        tape.watch(logits)
        log_prob = IndependentBernoulli(1)(logits).log_prob(x)
      return log_prob, tape.gradient(log_prob, logits)

    log_prob, gradient = density_and_gradient(tf.constant(logits))
    exact = np.float64(logits)
    self.assertAllClose(
        log_prob, (x * exact - np.logaddexp(0, exact))[:, 0], 2e-7, 2e-7)
    self.assertAllClose(gradient, x - special.expit(exact), 2e-7, 2e-7)

  def test_takes_logits_of_the_events_shape(self):
    logits = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    shaped = IndependentBernoulli((2, 3))(logits)
    flat = IndependentBernoulli((2, 3))(logits.reshape(5, 6))
    self.assertAllEqual(shaped.mean(), flat.mean())

  def test_converts_to_its_mean(self):
    layer = IndependentBernoulli([2])
    likelihood = layer(tf.constant([[0., np.log(3.)]]))
    self.assertAllClose(tf.convert_to_tensor(likelihood), [[0.5, 0.75]])
    self.assertEqual(likelihood.dtype, tf.float32)

  def test_extreme_logits_stay_finite(self):
    logits = tf.constant([[1e4, -1e4]])
    with tf.GradientTape() as tape:
      tape.watch(logits)
      log_prob = IndependentBernoulli([2])(logits).log_prob([[0., 1.]])
    self.assertAllClose(log_prob, [-2e4])
    self.assertAllClose(tape.gradient(log_prob, logits), [[-1., 1.]])

  def test_config_round_trip(self):
    layer = IndependentBernoulli((2, 3), convert_to_tensor_fn='mode')
    copy = IndependentBernoulli.from_config(layer.get_config())
    self.assertEqual(copy.get_config(), layer.get_config())
    logits = tf.random.stateless_normal([4, 6], [0, 1])
    self.assertAllEqual(tf.convert_to_tensor(copy(logits)),
                        tf.convert_to_tensor(layer(logits)))

  def test_params_size(self):
    self.assertEqual(IndependentBernoulli.params_size((28, 28, 1)), 784)
    self.assertEqual(IndependentBernoulli.params_size(7), 7)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, r'event_shape=\(3, 0\)'):
      IndependentBernoulli((3, 0))
    with self.assertRaisesRegex(ValueError, r'6 logits.*\(4, 5\)'):
      IndependentBernoulli((2, 3))(tf.zeros([4, 5]))


if __name__ == '__main__':
  tf.test.main()
