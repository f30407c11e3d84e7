"""The gradients of a training step on the default device, such as a GPU."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.layers import SeededSample
from tfvae.training import Config
from tfvae.training.fit import building

_SEED = (1, 2)
# Relative error by precision: 24, 11 and 8 significant bits.
_ERRORS = {'float32': 1e-5, 'tensor_float_32': 2e-3, 'bfloat16': 2e-2}


def _float64(network):
  """Returns a copy of a network, with equal weights, that computes in float64.
  """
  copy = tf_keras.models.clone_model(
      network, clone_function=lambda layer: type(layer).from_config(
          layer.get_config() | {'dtype': 'float64'}))
  copy.set_weights(network.get_weights())
  return copy


def _expected(model, x, noise):
  """Returns −ELBO and its gradients in float64 on the CPU."""
  x, noise = np.float64(x), np.float64(noise)
  features, decoder = _float64(model.features), _float64(
      model.decoder.layers[0])
  kernel, bias = (tf.Variable(np.float64(w.numpy()))
                  for w in model.trainable_weights[-2:])
  with tf.GradientTape() as tape:
    loc, raw = tf.split(features(x) @ kernel + bias, 2, axis=-1)
    scale = tf.exp(raw / 2)
    kl = tf.reduce_sum((loc**2 + scale**2 - 1 - raw) / 2, axis=-1)
    logits = decoder(loc + scale * noise)
    log_likelihood = -tf.reduce_sum(
        tf.nn.sigmoid_cross_entropy_with_logits(
            tf.reshape(x, [len(x), -1]), tf.reshape(logits, [len(x), -1])),
        axis=-1)
    objective = tf.reduce_mean(kl - log_likelihood)
  weights = [*features.weights, *decoder.weights, kernel, bias]
  return objective.numpy(), [
      gradient.numpy() for gradient in tape.gradient(objective, weights)]


class DeviceTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(
      network=({'network': 'mlp', 'hidden_units': (200, 200)},
               {'network': 'conv', 'hidden_units': (16, 32)}),
      precision=('float32', 'tensor_float_32', 'bfloat16'), jit=(False, True))
  def test_gradients_are_those_of_float64(self, network, precision, jit):
    if not tf.config.list_physical_devices('GPU'):
      if precision == 'tensor_float_32':
        self.skipTest('Only a GPU has TensorFloat-32.')
      if precision == 'bfloat16' and not jit:
        self.skipTest('On a CPU bfloat16 needs XLA; see `needs_xla`.')
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    self.addCleanup(
        tf.config.experimental.enable_tensor_float_32_execution, before)
    tf.config.experimental.enable_tensor_float_32_execution(
        precision == 'tensor_float_32')
    config = Config(
        **network, latents='z:50', activation='tanh',
        precision='bfloat16' if precision == 'bfloat16' else 'float32')
    model = building.compiled_model(config, (28, 28, 1), 1000)
    objective = config.model.make_objective()
    x = np.float32(np.random.default_rng(0).random([100, 28, 28, 1]) < 0.2)

    @tf.function(jit_compile=jit)
    def step(x):
      with tf.GradientTape() as tape:
        value = tf.reduce_mean(objective(
            model, x, x, tf.constant(_SEED), 1., True)['objective'])
      # XLA draws other normals, so the draws come from the same function.
      inference = model.infer(x, SeededSample(tf.constant(_SEED)), True)
      posterior = inference.posteriors['z']
      noise = (inference.latents['z'] - posterior.mean()) / posterior.stddev()
      return value, tape.gradient(value, model.trainable_weights), noise

    value, gradients, noise = step(x)
    with tf.device('CPU:0'):
      expected, expected_gradients = _expected(model, x, noise)
    self.assertAllClose(value, expected, rtol=_ERRORS[precision])
    for gradient, exact in zip(gradients, expected_gradients, strict=True):
      error = np.linalg.norm(gradient.numpy() - exact) / np.linalg.norm(exact)
      self.assertLess(error, _ERRORS[precision])


if __name__ == '__main__':
  tf.test.main()
