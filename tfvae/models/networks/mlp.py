"""Multilayer perceptrons from x to features, and from z to x."""

from collections.abc import Sequence
import math
from typing import Any

import tf_keras

from tfvae.models.networks.network import Network
from tfvae.models.networks.network import NETWORKS
from tfvae.models.networks.precision import output_dtype

layers = tf_keras.layers


def mlp_features(
    input_shape: Sequence[int],
    units: Sequence[int] = (200, 200),
    activation: str = 'tanh',
    dtype: Any = None,
) -> tf_keras.Model:
  """Returns the hidden layers of a perceptron, from x to `[b, units[-1]]`.

  Args:
    input_shape: Shape of one x, of any rank.
    units: Width of each layer, from x toward z.
    activation: Activation of every layer.
    dtype: Policy of the layers; None is Keras's global policy.
  """
  x = layers.Input(input_shape)
  h = layers.Flatten(dtype=dtype)(x)
  for width in units:
    h = layers.Dense(width, activation=activation, dtype=dtype)(h)
  return tf_keras.Model(x, h, name='mlp_features')


def mlp_decoder(
    input_size: int,
    output_shape: Sequence[int],
    units: Sequence[int] = (200, 200),
    activation: str = 'tanh',
    dtype: Any = None,
) -> tf_keras.Model:
  """Returns a multilayer perceptron from z to `[b, *output_shape]`.

  Args:
    input_size: Dimensions of z.
    output_shape: Shape of the parameters of one x.
    units: Width of each hidden layer, from x toward z, as for the features: the
      decoder uses them in reverse.
    activation: Activation of the hidden layers; the output is linear.
    dtype: Policy of the layers; None is Keras's global policy.
  """
  z = h = layers.Input([input_size])
  for width in reversed(units):
    h = layers.Dense(width, activation=activation, dtype=dtype)(h)
  dtype = output_dtype(dtype)
  h = layers.Dense(math.prod(output_shape), dtype=dtype)(h)
  h = layers.Reshape(tuple(output_shape), dtype=dtype)(h)
  return tf_keras.Model(z, h, name='mlp_decoder')


@NETWORKS.register('mlp')
def mlp_network() -> Network:
  """Returns multilayer perceptrons."""
  return Network(mlp_features, mlp_decoder)
