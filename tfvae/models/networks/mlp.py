"""The multilayer perceptron, from x to features and from z to x."""

from collections.abc import Sequence
import math

import tf_keras

layers = tf_keras.layers


def mlp_features(
    input_shape: Sequence[int],
    units: Sequence[int] = (200, 200),
    activation: str = 'tanh',
) -> tf_keras.Model:
  """Returns the hidden layers of a perceptron, from x to `[b, units[-1]]`.

  Args:
    input_shape: of one x, any rank.
    units: width of each layer, from x towards z.
    activation: of every layer.
  """
  x = layers.Input(input_shape)
  h = layers.Flatten()(x)
  for width in units:
    h = layers.Dense(width, activation=activation)(h)
  return tf_keras.Model(x, h, name='mlp_features')


def mlp_decoder(
    input_size: int,
    output_shape: Sequence[int],
    units: Sequence[int] = (200, 200),
    activation: str = 'tanh',
) -> tf_keras.Model:
  """Returns a multilayer perceptron from z to `[b, *output_shape]`.

  Args:
    input_size: dimensions of z.
    output_shape: of the parameters of one x.
    units: width of each hidden layer, from x towards z, as the features have
      them: the decoder uses them in reverse.
    activation: of the hidden layers; the output is linear.
  """
  z = h = layers.Input([input_size])
  for width in reversed(units):
    h = layers.Dense(width, activation=activation)(h)
  h = layers.Dense(math.prod(output_shape))(h)
  return tf_keras.Model(
      z, layers.Reshape(tuple(output_shape))(h), name='mlp_decoder')
