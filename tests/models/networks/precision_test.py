"""Mixed precision: what is float32 in it, and how far it is from float64."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests import model_matrix
from tfvae import layers
from tfvae import priors
from tfvae.models import image_vae
from tfvae.models.networks.precision import in_float32
from tfvae.serving import export_saved_model
from tfvae.serving.saved_model.signatures import signatures

tfd = tfp.distributions

_POLICIES = ('mixed_bfloat16', 'mixed_float16')
_PIXELS = {
    'binary': [0., 1.], 'unit_interval': [.25, .5], 'real': [-1., 2.],
    'eight_bit': [17 / 255, 1.], 'counts': [0., 3.]}


def _cycled():
  """Yields settings in which every choice of a model appears, in turns."""
  for index, likelihood in enumerate(model_matrix.FACTORS['likelihood']):
    turn = {name: list(values)[index % len(values)] for name, values in (
        ('network', ('resnet', 'conv', 'mlp')),
        ('posterior', layers.POSTERIORS), ('prior', priors.PRIORS))}
    yield turn | {'likelihood': likelihood}


def _compiled(model, **settings):
  optimizer = tf_keras.optimizers.Adam()
  if 'mixed_float16' in [layer.dtype_policy.name for layer in model.submodules
                         if isinstance(layer, tf_keras.layers.Layer)]:
    optimizer = tf_keras.mixed_precision.LossScaleOptimizer(
        optimizer, initial_scale=2.)
  model.compile(optimizer, **settings)
  model.optimizer.build(model.trainable_variables)
  return model


class ChoicesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      *(('mixed_float16', settings) for settings in _cycled()),
      # Every network; what overflows less needs less of a test.
      *(('mixed_bfloat16', settings) for settings in [*_cycled()][:3]))
  def test_takes_a_finite_step_with_float32_distributions(
      self, dtype, settings):
    tf_keras.utils.set_random_seed(0)
    model = _compiled(image_vae(
        'z:2', (4, 4, 1), hidden_units=(4,), factor_units=(4,),
        prior_components=2, dtype=dtype, **settings), run_eagerly=True)
    computed = {layer.compute_dtype for layer in model.submodules
                if isinstance(layer, tf_keras.layers.Conv2D
                              | tf_keras.layers.Dense)}
    self.assertIn(dtype.removeprefix('mixed_'), computed)
    support = layers.LIKELIHOODS[settings['likelihood']].support
    x = np.resize(np.float32(_PIXELS[support]), [3, 4, 4, 1])
    inference = model.infer(x, tfd.Distribution.mean)
    likelihood = model.decode(inference.latents).tensor_distribution
    for distribution in (*inference.posteriors.values(),
                         *inference.priors.values(), likelihood):
      for value in tf.nest.flatten(distribution.parameters):
        if isinstance(value, tf.Tensor) and value.dtype.is_floating:
          self.assertDTypeEqual(value, np.float32)
    self.assertDTypeEqual(inference.kl['z'], np.float32)
    before = model.get_weights()
    model.train_on_batch(x)
    self.assertAllEqual(model.skipped_steps, 0)
    after = model.get_weights()
    self.assertNotAllEqual(after[0], before[0])
    for weight in after:
      self.assertAllInRange(weight, -1e3, 1e3)


class SmallModelTest(parameterized.TestCase, tf.test.TestCase):

  def _model(self, dtype):
    tf_keras.utils.set_random_seed(0)
    return image_vae('z:3', (4, 4, 1), hidden_units=(16, 8), dtype=dtype)

  def _images(self):
    return np.random.default_rng(0).integers(
        0, 2, [50, 4, 4, 1]).astype(np.float32)

  @parameterized.parameters(*_POLICIES)
  def test_elbo(self, dtype):
    model, x = self._model(dtype), self._images()
    inference = model.infer(x, tfd.Distribution.mean)
    elbo = model.log_likelihood(inference.latents, x) - inference.kl['z']
    expected = _elbo_at_the_mean(_by_name(model), x.reshape(50, -1))
    # Halves of the last place: 2^-9 of bfloat16, 2^-12 of float16, in each of
    # a few layers. −ELBO is some 12 nats.
    self.assertAllClose(
        elbo, expected, atol=.05 if dtype == 'mixed_bfloat16' else .01)
    exact = in_float32(model)
    inference = exact.infer(x, tfd.Distribution.mean)
    elbo = exact.log_likelihood(inference.latents, x) - inference.kl['z']
    self.assertAllClose(elbo, expected, atol=1e-4)

  def test_export_computes_in_float32(self):
    mixed, full = self._model('mixed_bfloat16'), self._model('float32')
    full.set_weights(mixed.get_weights())
    served = tf.saved_model.load(export_saved_model(
        mixed, self.create_tempdir().full_path)).signatures
    x = tf.constant(self._images()[:5])
    for name, expected in signatures(full, ('reconstruct', 'encode')).items():
      for output, value in served[name](x=x).items():
        self.assertDTypeEqual(value, np.float32)
        self.assertAllEqual(value, expected(x=x)[output])

  def test_float32_stays_what_it_is(self):
    model = self._model('float32')
    self.assertIs(in_float32(model), model)

  @parameterized.parameters(*_POLICIES)
  def test_saved_as_it_is(self, dtype):
    model, x = _compiled(self._model(dtype)), self._images()
    path = os.path.join(self.get_temp_dir(), f'{dtype}.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)
    self.assertAllEqual(loaded(x).mean(), model(x).mean())
    self.assertNotAllEqual(in_float32(loaded)(x).mean(), model(x).mean())
    self.assertEqual(type(loaded.optimizer), type(model.optimizer))


def _by_name(model):
  """Returns kernels and biases in the order of the layers, in float64."""
  features, factor, decoder = (
      [np.float64(value) for value in part.get_weights()]
      for part in (model.features, model.inference_factors['z'],
                   model.decoder))
  return features, factor, decoder


def _elbo_at_the_mean(weights, x):
  """Returns log p(x|z = μ) − KL(N(μ, σ²) ‖ N(0, I)) in float64, `[b]`."""
  features, factor, decoder = weights

  def perceptron(h, weights, linear_at_the_end):
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    for index, (kernel, bias) in enumerate(pairs):
      h = h @ kernel + bias
      if index < len(pairs) - 1 or not linear_at_the_end:
        h = np.tanh(h)
    return h

  params = perceptron(perceptron(x, features, False), factor, True)
  mean, log_variance = np.split(params, 2, axis=-1)
  kl = .5 * np.sum(np.exp(log_variance) + mean**2 - 1 - log_variance, axis=-1)
  logits = perceptron(mean, decoder, True)
  return np.sum(x * logits - np.logaddexp(0, logits), axis=-1) - kl


if __name__ == '__main__':
  tf.test.main()
