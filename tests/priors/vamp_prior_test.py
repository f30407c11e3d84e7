"""The VampPrior against the mixture of its pseudo-posteriors in NumPy."""

import os

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf
import tf_keras

import tfvae
from tfvae.layers import MultivariateNormalDiag
from tfvae.priors import VampPrior

_INPUT_SHAPE, _K = (2, 3), 4


def _encoder(prior):
  """An encoder regularized with `prior`, which has no encoder yet."""
  tf_keras.utils.set_random_seed(1)
  return tf_keras.Sequential([
      tf_keras.layers.Input(_INPUT_SHAPE),
      tf_keras.layers.Flatten(),
      tf_keras.layers.Dense(5, 'tanh'),
      tf_keras.layers.Dense(4, bias_initializer='random_normal'),
      MultivariateNormalDiag(
          2, activity_regularizer=tfvae.KLDivergenceRegularizer(prior))])


def _bind(prior, encoder):
  """Gives the prior the layers of `encoder` below its posterior."""
  posterior = encoder.layers[-1]
  network = tf_keras.Model(encoder.inputs, posterior.input)
  prior.bind(lambda u: posterior.new(network(u), posterior.event_size))


def _data(n=6):
  return np.random.default_rng(0).random((n, *_INPUT_SHAPE)).astype(np.float32)


class VampPriorTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(interval=[None, (0., 1.), (-2., 3.)])
  def test_log_density_equals_the_mixture_of_pseudo_posteriors(self, interval):
    prior = VampPrior(2, _K, _INPUT_SHAPE, interval)
    encoder = _encoder(prior)
    _bind(prior, encoder)
    w1, b1, w2, b2, u = (np.float64(w) for w in encoder.get_weights())
    if interval:
      u = interval[0] + (interval[1] - interval[0]) / (1 + np.exp(-u))
    self.assertAllClose(prior.pseudo_inputs(), u, rtol=1e-5)
    params = np.tanh(u.reshape(_K, 6) @ w1 + b1) @ w2 + b2
    loc, log_variance = np.split(params, 2, axis=-1)
    z = np.random.default_rng(1).normal(size=(9, 2))
    components = stats.norm.logpdf(
        z[:, np.newaxis], loc, np.exp(log_variance / 2)).sum(axis=-1)
    # log 1/K Σ_k q(z|u_k)
    expected = special.logsumexp(components, axis=-1) - np.log(_K)
    self.assertAllClose(prior.distribution().log_prob(np.float32(z)), expected,
                        rtol=1e-5)

  def test_gradient_reaches_pseudo_inputs_and_encoder(self):
    prior = VampPrior(2, _K, _INPUT_SHAPE)
    encoder = _encoder(prior)
    _bind(prior, encoder)
    with tf.GradientTape() as tape:
      log_prob = prior.distribution().log_prob([0.5, -0.5])
    for gradient in tape.gradient(log_prob, encoder.trainable_weights):
      self.assertGreater(tf.reduce_max(tf.abs(gradient)), 0)


class BindingTest(tf.test.TestCase, parameterized.TestCase):

  def test_unbound_it_builds_a_model_and_says_what_to_do(self):
    prior = VampPrior(2, _K, _INPUT_SHAPE)
    encoder = _encoder(prior)
    for use in (prior.distribution, lambda: encoder(_data()),
                tf.function(lambda: prior.distribution().sample())):
      with self.assertRaisesRegex(ValueError, r'call its bind\(posterior_fn\)'):
        use()
    _bind(prior, encoder)
    encoder(_data())
    prior.distribution()

  def test_loaded_encoder_is_bound_anew(self):
    prior = VampPrior(2, _K, _INPUT_SHAPE)
    encoder = _encoder(prior)
    _bind(prior, encoder)
    path = os.path.join(self.get_temp_dir(), 'encoder.keras')
    encoder.save(path)
    loaded = tf_keras.models.load_model(path)
    copy = loaded.layers[-1].activity_regularizer.prior
    with self.assertRaisesRegex(ValueError, 'bind'):
      copy.distribution()
    _bind(copy, loaded)
    loaded.layers[2].kernel.assign_add(tf.ones([5, 4]))  # The copy's own.
    self.assertNotAllClose(copy.distribution().mean(),
                           prior.distribution().mean())
    loaded.set_weights(encoder.get_weights())
    self.assertAllEqual(copy.distribution().mean(), prior.distribution().mean())

  def test_encoder_is_no_part_of_the_prior(self):
    prior = VampPrior(2, _K, _INPUT_SHAPE)
    encoder = _encoder(prior)
    prior.bind(tf_keras.Model(encoder.inputs, encoder.layers[-1].input))
    self.assertLen(prior.weights, 1)
    self.assertEmpty(prior.submodules)
    self.assertLen(encoder.trainable_weights, 5)

  def test_bound_encoder_becomes_part_of_a_larger_model(self):
    prior = VampPrior(2, _K, _INPUT_SHAPE)
    encoder = _encoder(prior)
    _bind(prior, encoder)
    inputs = tf_keras.layers.Input(_INPUT_SHAPE)
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(6)(encoder(inputs)))
    model.compile('sgd', loss=lambda x, y: tf.zeros_like(y[:, 0]))
    initial = prior.get_weights()[0]
    model.fit(_data(), _data(), verbose=0)
    self.assertNotAllClose(initial, prior.get_weights()[0])

  @parameterized.named_parameters(
      ('batch', lambda u: MultivariateNormalDiag.new(tf.zeros([3, 4]), 2)),
      ('event', lambda u: MultivariateNormalDiag.new(tf.zeros([_K, 6]), 3)),
      ('dtype', lambda u: MultivariateNormalDiag.new(
          tf.zeros([_K, 4], tf.float64), 2)))
  def test_refuses_a_posterior_of_something_else(self, posterior_fn):
    prior = VampPrior(2, _K, _INPUT_SHAPE)
    prior.bind(posterior_fn)
    with self.assertRaisesRegex(ValueError, 'must return 4 .* of 2 dim.*float'):
      prior.distribution()

  def test_refuses_what_is_no_function(self):
    with self.assertRaisesRegex(ValueError, 'posterior_fn=3'):
      VampPrior(2, _K, _INPUT_SHAPE).bind(3)


class PseudoInputsTest(tf.test.TestCase, parameterized.TestCase):

  def test_seed_fixes_the_initial_pseudo_inputs(self):
    first, again, other = (
        VampPrior(2, _K, _INPUT_SHAPE, seed=seed).pseudo_inputs().numpy()
        for seed in (1, 1, 2))
    self.assertAllInRange(first, 0., 1.)
    self.assertLen(np.unique(first.round(5)), first.size)
    self.assertAllEqual(first, again)
    self.assertNotAllClose(first, other)

  def test_initialize_from_data(self):
    x = _data()
    free = VampPrior(2, _K, _INPUT_SHAPE, None)
    free.initialize_from(10 * x)
    self.assertAllEqual(free.pseudo_inputs(), 10 * x[:_K])
    unit = VampPrior(2, _K, _INPUT_SHAPE)
    unit.initialize_from(x)
    self.assertAllClose(unit.pseudo_inputs(), x[:_K].clip(0.01, 0.99))
    pixels = VampPrior(2, _K, _INPUT_SHAPE, (0, 255))
    pixels.initialize_from(np.round(255 * x))
    self.assertAllClose(pixels.pseudo_inputs(), np.round(255 * x[:_K]),
                        atol=2.56)

  @parameterized.named_parameters(
      ('too_few', _data(3), r'x.shape=\(3, 2, 3\), num_components=4'),
      ('shape', _data()[:, :1], r'x.shape=\(6, 1, 3\)'),
      ('range', 2 * _data(), r'input_range=\(0.0, 1.0\)'),
      ('nan', _data() * np.nan, 'finite'))
  def test_initialize_from_refuses(self, x, message):
    with self.assertRaisesRegex(ValueError, message):
      VampPrior(2, _K, _INPUT_SHAPE).initialize_from(x)


if __name__ == '__main__':
  tf.test.main()
