"""The layer of the posterior N(μ, diag σ²)."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers import convert_with
from tfvae.layers import MultivariateNormalDiag
from tfvae.layers import SeededSample
from tfvae.layers.base.soft_bound import bound_log_variance
from tfvae.layers.base.soft_bound import MAX_LOG_VARIANCE
from tfvae.layers.base.soft_bound import MIN_LOG_VARIANCE

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='test')
def upper_quartile(distribution):
  return distribution.mean() + 0.67449 * distribution.stddev()


def _parameters(shape=(4,), event_size=3):
  return np.random.default_rng(0).normal(
      size=(*shape, 2 * event_size)).astype(np.float32)


class MultivariateNormalDiagTest(tf.test.TestCase, parameterized.TestCase):

  def test_emits_the_normal_of_its_parameters(self):
    params = _parameters()
    posterior = MultivariateNormalDiag(3)(params)
    self.assertIsInstance(posterior, tfd.Distribution)
    loc, log_variance = np.split(params, 2, axis=-1)
    expected = stats.norm(loc, np.exp(log_variance / 2))
    z = posterior.sample(seed=1).numpy()
    self.assertAllClose(posterior.mean(), expected.mean())
    self.assertAllClose(posterior.stddev(), expected.std(), rtol=1e-5)
    self.assertAllClose(posterior.log_prob(z), expected.logpdf(z).sum(-1),
                        rtol=1e-5)

  @parameterized.parameters('sample', 'mean', 'stddev')
  def test_converts_to_a_tensor(self, name):
    params = _parameters()
    by_name = MultivariateNormalDiag(3, convert_to_tensor_fn=name)
    by_method = MultivariateNormalDiag(3, getattr(tfd.Distribution, name))
    self.assertEqual(by_name.get_config()['convert_to_tensor_fn'], name)
    self.assertEqual(by_method.get_config()['convert_to_tensor_fn'], name)
    posterior = by_name(params)
    actual = tf.convert_to_tensor(posterior)
    if name == 'sample':
      self.assertNotAllClose(actual, tf.convert_to_tensor(by_name(params)))
    else:
      self.assertAllClose(actual, getattr(posterior, name)())

  def test_registered_conversion_is_saved_by_name(self):
    layer = MultivariateNormalDiag(3, upper_quartile)
    copy = MultivariateNormalDiag.from_config(layer.get_config())
    params = _parameters()
    loc, log_variance = np.split(params, 2, axis=-1)
    self.assertAllClose(
        tf.convert_to_tensor(copy(params)),
        stats.norm(loc, np.exp(log_variance / 2)).ppf(0.75), atol=1e-4)

  def test_draws_have_mean_and_covariance(self):
    n, params = 20_000, _parameters(shape=())[np.newaxis]
    posterior = MultivariateNormalDiag(3)(params)
    z = posterior.sample(n, seed=2).numpy()[:, 0]
    variance = np.exp(np.float64(params[0, 3:]))
    # Within 5 standard errors.
    self.assertAllLess(
        np.abs(z.mean(0) - params[0, :3]) / np.sqrt(variance / n), 5)
    scale = np.sqrt(np.outer(variance, variance) * (1 + np.eye(3)) / n)
    self.assertAllLess(np.abs(np.cov(z.T) - np.diag(variance)) / scale, 5)

  def test_draws_are_reparameterised(self):
    params = tf.constant(_parameters())
    with tf.GradientTape() as tape:
      tape.watch(params)
      posterior = MultivariateNormalDiag(3)(params)
      z = tf.convert_to_tensor(posterior)
    gradient = tape.gradient(z, params)
    loc, log_variance = np.split(params.numpy(), 2, axis=-1)
    # dz/dμ = 1 and dz/dlog σ² = ½ σ ε = ½ (z − μ)
    self.assertAllClose(gradient[:, :3], np.ones_like(loc))
    self.assertAllClose(gradient[:, 3:], 0.5 * (z - loc), rtol=1e-4, atol=1e-6)
    del log_variance

  @parameterized.parameters(-1e4, -25., -20., -19., 0., 9., 10., 15., 1e4)
  def test_bounded_log_variance_has_a_finite_gradient(self, value):
    params = tf.constant([[1e4, value], [-1e4, value]], tf.float32)
    with tf.GradientTape() as tape:
      tape.watch(params)
      posterior = MultivariateNormalDiag(1)(params)
      prior = tfd.MultivariateNormalDiag([0.], [1.])
      kl = tfd.kl_divergence(posterior, prior)
      everything = [kl, tf.convert_to_tensor(posterior), posterior.entropy(),
                    posterior.log_prob(posterior.mean())]
    for tensor in [*everything, tape.gradient(everything, params)]:
      self.assertAllInRange(tensor, -1e9, 1e9)

  def test_bound_is_the_identity_inside_smooth_and_monotone(self):
    inside = np.linspace(MIN_LOG_VARIANCE + 1, MAX_LOG_VARIANCE - 1, 500)
    self.assertAllClose(bound_log_variance(inside), inside, rtol=0, atol=1e-12)
    wide = tf.constant(np.linspace(-40, 40, 8001))
    with tf.GradientTape() as tape:
      tape.watch(wide)
      bounded = bound_log_variance(wide)
    slope = tape.gradient(bounded, wide).numpy()
    self.assertAllInRange(bounded, MIN_LOG_VARIANCE, MAX_LOG_VARIANCE)
    self.assertAllInRange(slope, 0, 1 + 1e-12)
    self.assertAllClose(np.gradient(bounded, wide), slope, atol=1e-2)

  @parameterized.parameters('mixed_float16', 'mixed_bfloat16')
  def test_float32_under_any_policy(self, policy):
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
      posterior = MultivariateNormalDiag(3)(
          tf.constant(_parameters(), policy.removeprefix('mixed_')))
    finally:
      tf_keras.mixed_precision.set_global_policy('float32')
    self.assertEqual(posterior.dtype, tf.float32)
    self.assertEqual(tf.convert_to_tensor(posterior).dtype, tf.float32)

  def test_seeded_samples_repeat_and_differ_between_layers(self):
    layer, params = MultivariateNormalDiag(3), _parameters()
    draws = []
    for _ in range(2):
      with convert_with(SeededSample([1, 2])):
        draws.append([tf.convert_to_tensor(layer(params)) for _ in range(2)])
    self.assertAllEqual(draws[0], draws[1])
    self.assertNotAllClose(draws[0][0], draws[0][1])

  @parameterized.named_parameters(
      ('size', dict(event_size=0), 'event_size=0'),
      ('type', dict(event_size=1.5), 'event_size=1.5'),
      ('half', dict(event_size=1, dtype='float16'), 'dtype=float16'),
      ('lambda', dict(event_size=1, convert_to_tensor_fn=lambda d: d.mean()),
       'registered with.*lambda'),
      ('name', dict(event_size=1, convert_to_tensor_fn='draw'), "fn='draw'"))
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      MultivariateNormalDiag(**arguments)

  def test_refuses_parameters_of_another_size(self):
    with self.assertRaisesRegex(ValueError, r'6 parameters.*\(4, 5\)'):
      MultivariateNormalDiag(3)(tf.zeros([4, 5]))


if __name__ == '__main__':
  tf.test.main()
