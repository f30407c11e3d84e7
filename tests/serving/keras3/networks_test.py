"""Networks of one's own become Keras 3 models that compute the same."""

import os

from absl.testing import parameterized
import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.serving.keras3.networks import convert_network

layers = tf_keras.layers


def _residual():
  """Sums, a layer that is called twice, statistics, transposed convolution."""
  x = layers.Input([6, 6, 2])
  shared = layers.Conv2D(2, 3, padding='same', activation='swish')
  h = layers.Add()([x, shared(shared(x))])
  h = layers.BatchNormalization()(h)
  h = layers.Dropout(0.5)(layers.LeakyReLU(0.1)(h))
  h = layers.Conv2DTranspose(3, 3, strides=2, padding='same')(h)
  h = layers.DepthwiseConv2D(3, activation='gelu')(h)
  h = layers.GlobalAveragePooling2D()(layers.LayerNormalization()(h))
  return tf_keras.Model(x, layers.Rescaling(2., 0.5)(h))


def _nested():
  """Models in a model, dictionaries, several outputs, tensors by keyword."""
  x, y = layers.Input([4], name='x'), layers.Input([3], name='y')
  inner = tf_keras.Model({'x': x, 'y': y}, {
      'b': layers.Dense(2)(layers.Concatenate()([x, y])),
      'a': layers.Dense(1)(x)})
  network = tf_keras.Sequential([layers.Input([2]), layers.Dense(6)])
  inputs = {'v': layers.Input([3], name='v'), 'u': layers.Input([4], name='u')}
  outputs = inner({'x': inputs['u'], 'y': inputs['v']})
  h = layers.Reshape((3, 2))(network(outputs['b'], training=False))
  h = layers.MultiHeadAttention(2, 3)(h, value=layers.Permute((1, 2))(h))
  return tf_keras.Model(inputs, [h, outputs['a']])


def _recurrent():
  return tf_keras.Sequential([
      layers.Input([5], dtype='int32'), layers.Embedding(3, 4),
      layers.Conv1D(4, 2, padding='causal'),
      layers.GRU(4, return_sequences=True), layers.LSTM(3)])


def _deep():
  """More layers than Python nests calls."""
  x = h = layers.Input([2])
  for _ in range(350):
    h = layers.Activation('tanh')(h)
  return tf_keras.Model(x, layers.Dense(1, kernel_regularizer='l2')(h))


def _values(outputs):
  return [np.asarray(output) for output in tf.nest.flatten(outputs)]


@tf_keras.saving.register_keras_serializable(package='test')
class Dense(layers.Dense):
  """A layer of one's own with the name of a known one."""

  def call(self, inputs):
    return 2 * super().call(inputs)


def _of(layer):
  return tf_keras.Sequential([layers.Input([2, 3]), layer])


def _operator():
  x = layers.Input([2])
  return tf_keras.Model(x, layers.Dense(2)(x) * 2.)


class Subclass(tf_keras.Model):
  """No functional model."""


class Keras3NetworksTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(_residual, _nested, _recurrent, _deep)
  def test_equals_the_original_before_and_after_saving(self, make):
    tf_keras.utils.set_random_seed(0)
    network = make()
    rng = np.random.default_rng(0)
    for weight in network.weights:  # Positive, as variances are.
      weight.assign(rng.uniform(0.1, 0.9, weight.shape))
    inputs = tf.nest.map_structure(
        lambda t: rng.uniform(size=[3, *t.shape[1:]]).astype(t.dtype.name),
        network.input)
    expected = _values(network(inputs, training=False))
    converted = convert_network(network)
    path = os.path.join(self.create_tempdir().full_path, 'network.keras')
    converted.save(path)
    for model in (converted, keras.models.load_model(path)):
      for a, b in zip(_values(model(inputs, training=False)), expected,
                      strict=True):
        self.assertAllClose(a, b, rtol=1e-5, atol=1e-5)

  def test_shared_layers_stay_shared(self):
    network = _residual()
    self.assertEqual(
        convert_network(network).count_params(), network.count_params())

  def test_keeps_what_matters_for_training_on(self):
    network = tf_keras.Sequential([
        layers.Input([3]), layers.Dense(2, kernel_regularizer='l2'),
        layers.Dense(2, trainable=False)])
    first, second = convert_network(network).layers[1:]
    self.assertIsInstance(first.kernel_regularizer, keras.regularizers.L2)
    self.assertFalse(second.trainable)

  @parameterized.parameters(
      (_of(layers.Lambda(tf.abs, name='mine')), "no layer like 'mine'"),
      (_of(Dense(3, name='mine')), "no layer like 'mine'"),
      (_of(layers.LocallyConnected1D(2, 1, name='mine')), "like 'mine'"),
      (_operator(), "no layer like 'tf.math.multiply'"),
      (_of(layers.Bidirectional(layers.LSTM(1), name='mine')),
       "Bidirectional of Keras 3 does not support the settings of 'mine'"),
      (_of(layers.Dense(1, tf.exp, name='mine')), "settings of 'mine'"),
      (_of(_of(layers.Lambda(tf.abs, name='mine'))), "no layer like 'mine'"),
      (Subclass(name='mine'), "'mine' to be a functional .*with an Input"),
      (tf_keras.Sequential([layers.Dense(1)], name='mine'), "'mine' to be"))
  def test_names_what_keras_3_cannot_have(self, network, message):
    with self.assertRaisesRegex(ValueError, message):
      convert_network(network)


if __name__ == '__main__':
  tf.test.main()
