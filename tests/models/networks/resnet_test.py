"""The residual networks in float64 NumPy, at the start and with any weights."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.models import image_vae
from tfvae.models.networks import resnet_decoder
from tfvae.models.networks import resnet_features

_IMAGE, _VECTOR, _UNITS, _LATENT = (5, 6, 2), (7,), (4, 3), 3
_SIDES = ('features', 'decoder', 'dense features', 'dense decoder')


def _relu(h):
  return np.maximum(h, 0)


def _conv(h, kernel, bias, stride=1):
  """A 3×3 convolution that pads with zeros; the surplus zero comes last."""
  rows, columns = (-(-size // stride) for size in h.shape[1:3])
  pads = [max((count - 1) * stride + 3 - size, 0)
          for count, size in zip((rows, columns), h.shape[1:3], strict=True)]
  h = np.pad(h, [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)])
  return bias + sum(
      h[:, i:i + stride * rows:stride, j:j + stride * columns:stride]
      [:, :rows, :columns] @ kernel[i, j] for i in range(3) for j in range(3))


def _doubling(h, kernel, bias, size):
  """Each pixel adds its multiple of the 4×4 kernel, around twice its place."""
  batch, rows, columns, _ = h.shape
  out = np.zeros([batch, 2 * rows + 2, 2 * columns + 2, kernel.shape[2]])
  for i in range(4):
    for j in range(4):
      out[:, i:i + 2 * rows:2, j:j + 2 * columns:2] += h @ kernel[i, j].T
  return bias + out[:, 1:1 + size[0], 1:1 + size[1]]


def _dense(h, kernel, bias):
  return h @ kernel + bias


def _blocks(h, weights, blocks, layer=_conv):
  for _ in range(blocks):
    branch = h
    for _ in range(2):
      branch = layer(_relu(branch), next(weights), next(weights))
    h = h + branch
  return h


def _features(x, weights, blocks):
  """Without branches where `blocks` is 0."""
  h = np.float64(x)
  for _ in _UNITS:
    h = _blocks(_conv(h, next(weights), next(weights), 2), weights, blocks)
  return _relu(h).reshape(len(h), -1)


def _decoder(z, weights, blocks):
  h = (np.float64(z) @ next(weights) + next(weights)).reshape(-1, 2, 2, 3)
  for size in ((3, 3), (5, 6)):
    h = _doubling(h, next(weights), next(weights), size)
    h = _blocks(h, weights, blocks)
  return _conv(_relu(h), next(weights), next(weights))


def _dense_features(x, weights, blocks):
  h = np.float64(x)
  for _ in _UNITS:
    h = _blocks(_dense(h, next(weights), next(weights)), weights, blocks,
                _dense)
  return _relu(h)


def _dense_decoder(z, weights, blocks):
  return _dense(_dense_features(z, weights, blocks), next(weights),
                next(weights))


def _trunk(model):
  """The weights of the layers that are in no branch."""
  return [w for layer in model.layers if layer.weights
          for w in layer.get_weights() if not _is_branch(layer)]


def _is_branch(layer):
  """Whether a layer follows an activation and is not the last one."""
  return (isinstance(layer.input.node.layer, tf_keras.layers.Activation)
          and layer.output_shape[-1] in _UNITS)


def _networks(blocks=1):
  """Each network with an input, and what NumPy makes of that."""
  tf_keras.utils.set_random_seed(0)
  rng = np.random.default_rng(0)
  return {
      'features': (resnet_features(_IMAGE, _UNITS, blocks=blocks),
                   rng.normal(size=(7, *_IMAGE)).astype(np.float32), _features),
      'decoder': (resnet_decoder(_LATENT, _IMAGE, _UNITS, blocks=blocks),
                  rng.normal(size=(7, _LATENT)).astype(np.float32), _decoder),
      'dense features': (
          resnet_features(_VECTOR, _UNITS, blocks=blocks),
          rng.normal(size=(7, *_VECTOR)).astype(np.float32), _dense_features),
      'dense decoder': (
          resnet_decoder(_LATENT, _VECTOR, _UNITS, blocks=blocks),
          rng.normal(size=(7, _LATENT)).astype(np.float32), _dense_decoder)}


class ResNetTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(side=_SIDES, blocks=[1, 2])
  def test_equals_numpy(self, side, blocks):
    model, inputs, expected = _networks(blocks)[side]
    rng = np.random.default_rng(1)
    weights = [0.5 * rng.normal(size=w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    self.assertAllClose(
        model(inputs), expected(inputs, iter(weights), blocks),
        rtol=1e-4, atol=1e-4)

  @parameterized.product(side=_SIDES, blocks=[1, 3])
  def test_every_block_starts_as_the_identity(self, side, blocks):
    model, inputs, expected = _networks(blocks)[side]
    self.assertAllClose(
        model(inputs), expected(inputs, iter(_trunk(model)), blocks=0),
        rtol=1e-5, atol=1e-5)

  @parameterized.parameters(*_SIDES)
  def test_gradient_reaches_every_weight_after_one_step(self, side):
    model, inputs, _ = _networks(blocks=2)[side]
    optimizer = tf_keras.optimizers.SGD(0.1)
    reached = []
    for _ in range(2):
      with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(inputs) - 1.0))
      gradients = tape.gradient(loss, model.trainable_variables)
      optimizer.apply_gradients(
          zip(gradients, model.trainable_variables, strict=True))
      reached.append([bool(tf.reduce_any(g != 0)) for g in gradients])
    # At first the last convolution of a branch, being 0, hides the one before.
    first_of_branch = _first_of_branch(model)
    self.assertEqual(reached[0], [not hidden for hidden in first_of_branch])
    self.assertAllEqual(reached[1], np.ones(len(reached[1]), bool))

  @parameterized.parameters(*_SIDES)
  def test_rows_of_a_batch_do_not_depend_on_each_other(self, side):
    model, inputs, _ = _networks()[side]
    self.assertAllClose(model(inputs, training=True)[:2],
                        model(inputs[:2], training=False), rtol=1e-5)

  def test_other_shapes_are_flattened(self):
    features = resnet_features((2, 3), _UNITS)
    flat = resnet_features((6,), _UNITS)
    flat.set_weights(features.get_weights())
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    self.assertAllClose(features(x), flat(x.reshape(4, 6)))
    self.assertEqual(resnet_decoder(3, (2, 3)).output_shape, (None, 2, 3))


def _first_of_branch(model):
  """For each variable, whether it is of the first convolution of a branch."""
  hidden, inside = [], False
  for layer in model.layers:
    if layer.weights:
      inside = _is_branch(layer) and not inside
      hidden += [inside] * len(layer.weights)
  return hidden


class VAETest(tf.test.TestCase):

  def test_trains_is_saved_and_loaded_with_mixed_precision_under_xla(self):
    self.addCleanup(tf_keras.mixed_precision.set_global_policy, 'float32')
    tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
    tf_keras.utils.set_random_seed(0)
    model = image_vae('z:3', _IMAGE, 'resnet', (4,), activation='swish')
    tf_keras.mixed_precision.set_global_policy('float32')
    patterns = np.random.default_rng(0).integers(2, size=(2, *_IMAGE))
    x = np.float32(np.repeat(patterns, 10, axis=0))
    model.compile(tf_keras.optimizers.Adam(0.01), jit_compile=True)
    before = model.get_weights()
    elbos = model.fit(x, batch_size=10, epochs=20, verbose=0).history['elbo']
    self.assertGreater(elbos[-1], elbos[0] + 10)
    for old, new in zip(before, model.get_weights(), strict=True):
      self.assertNotAllEqual(old, new)
    path = os.path.join(self.get_temp_dir(), 'model.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)  # In safe mode.
    # Half-precision sums depend on how threads divide them.
    self.assertAllClose(loaded(x).mean(), model(x).mean(), atol=0.02)


if __name__ == '__main__':
  tf.test.main()
