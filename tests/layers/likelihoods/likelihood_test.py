"""Properties of every likelihood layer."""

import math
import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

import tfvae
from tfvae import layers
from tfvae.layers.base.soft_bound import soft_bound

_SHAPE, _SIZE, _LATENT = (2, 3, 2), 12, 2

# Name, class, settings, parameters an element, data from uniform noise, and a
# value that the data may not have.
_LEARNED = (
    ('bernoulli', layers.IndependentBernoulli, {}, 1, np.round, 0.5),
    ('continuous_bernoulli', layers.IndependentContinuousBernoulli, {}, 1,
     lambda u: u, -0.25),
    ('normal_shared', layers.IndependentNormal, {'scale': 'shared'}, 1,
     lambda u: 4 * u - 2, np.inf),
    ('normal_per_pixel', layers.IndependentNormal, {'scale': 'per_pixel'}, 2,
     lambda u: 4 * u - 2, np.inf),
    ('logistic', layers.DiscretizedLogistic, {}, 2,
     lambda u: np.round(255 * u) / 255, 0.5),
    ('logistic_mixture', layers.DiscretizedLogistic, {'num_components': 3}, 9,
     lambda u: np.round(255 * u) / 255, 0.5),
    ('poisson', layers.IndependentPoisson, {}, 1, lambda u: np.floor(9 * u),
     -1.0),
    ('negative_binomial_shared', layers.IndependentNegativeBinomial,
     {'total_count': 'shared'}, 1, lambda u: np.floor(9 * u), 1.5),
    ('negative_binomial_per_pixel', layers.IndependentNegativeBinomial,
     {'total_count': 'per_pixel'}, 2, lambda u: np.floor(9 * u), 1.5),
)
# The same code paths, except for the computation of one constant.
_FAMILIES = _LEARNED + (
    ('normal_fixed', layers.IndependentNormal, {'scale': 0.3}, 1,
     lambda u: 4 * u - 2, np.inf),
    ('negative_binomial_fixed', layers.IndependentNegativeBinomial,
     {'total_count': 2}, 1, lambda u: np.floor(9 * u), 1.5),
)


def _data(n, make):
  rng = np.random.default_rng(n)
  return make(rng.random((n, *_SHAPE))).astype(np.float32)


def _params(n, count):
  return np.random.default_rng(n).normal(
      size=(n, count * _SIZE)).astype(np.float32)


def _vae(likelihood, count):
  small = {'kernel_initializer': tf_keras.initializers.RandomNormal(
      0., 0.05, seed=1)}
  posterior = layers.MultivariateNormalDiag(
      _LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(
          tfvae.priors.StandardNormal(_LATENT)))
  encoder = tf_keras.Sequential([
      tf_keras.layers.Flatten(input_shape=_SHAPE),
      tf_keras.layers.Dense(2 * _LATENT, **small), posterior])
  decoder = tf_keras.Sequential([
      tf_keras.layers.Dense(count * _SIZE, input_shape=[_LATENT], **small),
      likelihood])
  return tfvae.VAE(encoder, decoder)


class LikelihoodTest(tf.test.TestCase, parameterized.TestCase):

  # The Bernoulli's is in tests/models/vae_test.py.
  @parameterized.named_parameters(*[family for family in _FAMILIES if family[
      0] in ('continuous_bernoulli', 'logistic_mixture',
             'negative_binomial_shared')])
  def test_vae_trains_under_xla(self, cls, settings, count, make, _):
    x, model = _data(8, make), _vae(cls(_SHAPE, **settings), count)
    before = model.get_weights()
    model.compile(tf_keras.optimizers.SGD(1e-3), jit_compile=True)
    history = model.fit(x, batch_size=4, verbose=0).history
    self.assertAllInRange(history['loss'], -100., 1000.)
    for old, new in zip(before, model.get_weights(), strict=True):
      self.assertNotAllEqual(old, new)

  @parameterized.named_parameters(*_FAMILIES)
  def test_saved_model_loads_in_safe_mode(self, cls, settings, count, make, _):
    x, model = _data(5, make), _vae(cls(_SHAPE, **settings), count)
    for weight in model.decoder.layers[-1].weights:
      weight.assign(0.7)
    path = os.path.join(self.get_temp_dir(), 'saved.keras')
    model.decoder.save(path)
    loaded = tf_keras.models.load_model(path)
    z = _params(5, 1)[:, :_LATENT]
    self.assertAllEqual(loaded(z).mean(), model.decoder(z).mean())
    self.assertAllEqual(loaded(z).log_prob(x), model.decoder(z).log_prob(x))

  # Of a family with several forms, the one of the most parameters.
  @parameterized.named_parameters(*[family for family in _LEARNED if family[
      0] not in ('normal_shared', 'logistic', 'negative_binomial_shared')])
  def test_graph_of_unknown_batch_size(self, cls, settings, count, make, _):
    x, layer = _data(5, make), cls(_SHAPE, **settings)
    # Weights, as a decoder has them: TFP's samplers mind under XLA.
    z = _params(5, 1)[:, :_LATENT]
    weights = tf.Variable(_params(_LATENT, count))
    expected = layer(z @ weights)

    def outputs(z, x, seed):
      likelihood = layer(z @ weights)
      return (likelihood.log_prob(x), likelihood.mean(),
              likelihood.sample(seed=seed))

    for jit_compile in (False, True):
      function = tf.function(outputs, jit_compile=jit_compile, input_signature=[
          tf.TensorSpec([None, _LATENT]), tf.TensorSpec([None, *_SHAPE]),
          tf.TensorSpec([2], tf.int32)])
      log_prob, mean, sample = function(z, x, [1, 2])
      self.assertAllClose(log_prob, expected.log_prob(x), rtol=1e-5)
      self.assertAllClose(mean, expected.mean(), rtol=1e-5)
      self.assertAllEqual(sample, function(z, x, [1, 2])[2])
      self.assertNotAllEqual(sample, function(z, x, [1, 3])[2])
      self.assertEqual(sample.shape, x.shape)
      cls.check_data(sample.numpy())

  @parameterized.named_parameters(*_FAMILIES)
  def test_extreme_parameters(self, cls, settings, count, make, _):
    layer = cls(_SHAPE, **settings)
    # Every combination of these for the parameters of an element.
    values = np.stack(np.meshgrid(*[[-1e4, -30., 0., 30., 1e4]] * min(
        count, 3)), -1).reshape(-1, min(count, 3)).astype(np.float32)
    values = np.repeat(values, count // values.shape[1], axis=1)
    params = tf.Variable(np.repeat(values, _SIZE, axis=1))
    x = np.resize(_data(8, make), (len(values), *_SHAPE))
    with tf.GradientTape(persistent=True) as tape:
      likelihood = layer(params)
      log_prob, mean = likelihood.log_prob(x), likelihood.mean()
    for tensor in (log_prob, mean, tape.gradient(log_prob, params),
                   tape.gradient(mean, params)):
      self.assertAllInRange(tensor, -1e15, 1e15)

  @parameterized.named_parameters(*_FAMILIES)
  def test_parameters_are_blocks_of_the_last_axis(
      self, cls, settings, count, make, _):
    del make
    shape = (2, 3, 2 * count)
    self.assertEqual(cls.params_shape(_SHAPE, **settings), shape)
    self.assertEqual(cls.params_size(_SHAPE, **settings), count * _SIZE)
    self.assertEqual(cls.params_size(7, **settings), count * 7)
    layer, params = cls(_SHAPE, **settings), _params(4, count)
    shaped = params.reshape(-1, *shape)
    mean = layer(params).mean()
    self.assertAllEqual(mean, layer(shaped).mean())
    # The second channel alone has parameters 1, 3, 5, … of the last axis.
    alone = cls((2, 3, 1), **settings)(shaped[..., 1::2])
    self.assertAllClose(mean[..., 1:], alone.mean(), rtol=1e-6)
    with self.assertRaisesRegex(ValueError, rf'{cls.__name__} takes '
                                rf'{count * _SIZE} .*\(4, {count * _SIZE + 1}'):
      layer(np.pad(params, [(0, 0), (0, 1)]))

  @parameterized.named_parameters(*_FAMILIES)
  def test_float32_under_mixed_precision(self, cls, settings, count, make, _):
    tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
    try:
      layer = cls(_SHAPE, **settings)
      likelihood = layer(tf.cast(_params(4, count), tf.bfloat16))
    finally:
      tf_keras.mixed_precision.set_global_policy('float32')
    self.assertEqual(likelihood.log_prob(_data(4, make)).dtype, tf.float32)
    self.assertEqual(tf.convert_to_tensor(likelihood).dtype, tf.float32)
    self.assertAllEqual([w.dtype for w in layer.weights],
                        [tf.float32] * len(layer.weights))

  @parameterized.named_parameters(*_FAMILIES)
  def test_float64_in_a_graph(self, cls, settings, count, make, _):
    x, params = np.float64(_data(4, make)), _params(4, count)
    layer = cls(_SHAPE, dtype='float64', **settings)
    single = cls(_SHAPE, **settings)(params)

    @tf.function
    def outputs(params):
      likelihood = layer(params)
      return likelihood.log_prob(x), likelihood.mean()

    log_prob, mean = outputs(np.float64(params))
    self.assertEqual(log_prob.dtype, tf.float64)
    self.assertAllClose(log_prob, single.log_prob(np.float32(x)), rtol=1e-5)
    self.assertAllClose(mean, single.mean(), rtol=1e-5)

  @parameterized.named_parameters(*_FAMILIES)
  def test_config_round_trip(self, cls, settings, count, *_):
    layer = cls(_SHAPE, convert_to_tensor_fn='sample', **settings)
    config = layer.get_config()
    copy = cls.from_config(config)
    self.assertEqual(copy.get_config(), config)
    self.assertEqual(copy.params_size(copy.event_shape, **copy.settings),
                     count * _SIZE)

  @parameterized.named_parameters(*_FAMILIES)
  def test_data_outside_the_support_are_refused(
      self, cls, settings, count, make, value):
    del count
    x, layer = _data(5, make), cls(_SHAPE, **settings)
    layer.check_data(x)
    for bad in (value, np.nan):
      x[3, 1, 0, 1] = bad
      with self.assertRaisesRegex(
          ValueError, rf'{cls.__name__} takes .*\. Received: '
          rf'x\[3, 1, 0, 1\] = {bad}$'):
        layer.check_data(x)

  @parameterized.named_parameters(*_FAMILIES)
  def test_is_discrete(self, cls, settings, count, *_):
    # Of discrete data p(x|z) is a probability, at most 1.
    discrete = cls.support in ('binary', 'eight_bit', 'counts')
    self.assertEqual(cls.is_discrete, discrete)
    likelihood = cls(_SHAPE, **settings)(np.tile(
        _params(1, count), [100, 1]))
    draws = likelihood.sample(seed=[0, 1])
    if discrete:
      self.assertAllLessEqual(likelihood.log_prob(draws), 0.)

  def test_scalar_events(self):
    logits = np.float32([-1., 2.])
    self.assertAllClose(layers.IndependentBernoulli(())(logits).mean(),
                        1 / (1 + np.exp(-np.float64(logits))))
    with self.assertRaisesRegex(ValueError, r'shape \(1,\). Received: event_'):
      layers.DiscretizedLogistic.params_shape(())


class BitsPerDimTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(((2, 3, 2),), (12,))
  def test_uniform_pixels_have_eight_bits(self, event_shape):
    nll = 12 * math.log(256)
    self.assertAlmostEqual(layers.bits_per_dim(nll, event_shape), 8.)
    self.assertAllClose(
        layers.bits_per_dim(tf.constant([nll, 0.]), event_shape), [8., 0.])


class SoftBoundTest(tf.test.TestCase):

  def test_is_the_identity_within_and_bounded_without(self):
    inside = np.linspace(-2., 4., 50, dtype=np.float32)
    self.assertAllEqual(soft_bound(inside, -3., 5.), inside)
    # Where the last bit of a float32 count's log-rate decides.
    self.assertAllEqual(soft_bound(np.float32([16.1, 0.1]), -18., 18.),
                        np.float32([16.1, 0.1]))
    outside = tf.Variable([-1e30, -10., -2.5, 4.5, 10., 1e30])
    with tf.GradientTape() as tape:
      bounded = soft_bound(outside, -3., 5.)
    self.assertAllInRange(bounded, -3., 5.)
    self.assertAllGreaterEqual(np.diff(bounded), 0.)
    self.assertAllInRange(tape.gradient(bounded, outside), 0., 1.)

  def test_equals_its_formula_with_a_continuous_gradient(self):
    value = tf.constant([-1e3, -4., -2.1, -2., 0., 4., 4.1, 7., 1e3])
    with tf.GradientTape() as tape:
      tape.watch(value)
      bounded = soft_bound(value, -3., 5.)
    below, above = np.minimum(value + 2., 0.), np.minimum(4. - value, 0.)
    self.assertAllClose(
        bounded, np.clip(value, -2., 4.) + np.expm1(below) - np.expm1(above))
    self.assertAllClose(
        tape.gradient(bounded, value), np.exp(below) * np.exp(above))


if __name__ == '__main__':
  tf.test.main()
