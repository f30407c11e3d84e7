"""Networks for any image shape.

Each kind has two: one from x to features, which the factors of q(z|x) take up,
and one from z to the parameters of p(x|z). They are plain `tf_keras.Model`s
without a distribution, and any other such model can stand in their place.
"""

from collections.abc import Callable, Sequence
import math

import tf_keras

layers = tf_keras.layers

Shape = Sequence[int]


def mlp_features(
    input_shape: Shape,
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
    output_shape: Shape,
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


def conv_features(
    input_shape: Shape,
    units: Sequence[int] = (32, 64),
    activation: str = 'relu',
) -> tf_keras.Model:
  """Returns convolutions from an image to a flat vector of features.

  Args:
    input_shape: height, width and channels.
    units: filters of each 3×3 convolution; each halves height and width,
      rounding up.
    activation: of every layer.
  """
  x = h = layers.Input(_check_image(input_shape))
  for filters in units:
    h = layers.Conv2D(
        filters, 3, strides=2, padding='same', activation=activation)(h)
  return tf_keras.Model(x, layers.Flatten()(h), name='conv_features')


def conv_decoder(
    input_size: int,
    output_shape: Shape,
    units: Sequence[int] = (32, 64),
    activation: str = 'relu',
) -> tf_keras.Model:
  """Returns a transposed-convolutional network from z to `output_shape`.

  Args:
    input_size: dimensions of z.
    output_shape: height, width and channels of the parameters of one x.
    units: filters from x towards z, as the features have them. Each step
      doubles height and width and crops them to those of the features there,
      so any image size comes out exactly.
    activation: of the hidden layers; the output is linear.
  """
  height, width, channels = _check_image(output_shape)
  sizes = [(height, width)]
  for _ in units:
    height, width = -(-height // 2), -(-width // 2)
    sizes.append((height, width))
  z = layers.Input([input_size])
  h = layers.Dense(height * width * units[-1], activation=activation)(z)
  h = layers.Reshape((height, width, units[-1]))(h)
  for filters, size in zip(reversed(units), reversed(sizes[:-1]), strict=True):
    h = layers.Conv2DTranspose(
        filters, 3, strides=2, padding='same', activation=activation)(h)
    surplus = [(0, h.shape[axis + 1] - size[axis]) for axis in (0, 1)]
    h = layers.Cropping2D(surplus)(h) if surplus != [(0, 0), (0, 0)] else h
  h = layers.Conv2D(channels, 3, padding='same')(h)
  return tf_keras.Model(z, h, name='conv_decoder')


def _check_image(shape: Shape) -> tuple[int, int, int]:
  if len(shape) != 3:
    raise ValueError('A convolutional network needs images of height, width '
                     f'and channels; use mlp. Received: shape={tuple(shape)}')
  return tuple(shape)


# By name: the features of x, and the decoder.
NETWORKS: dict[str, tuple[Callable[..., tf_keras.Model],
                          Callable[..., tf_keras.Model]]] = {
    'mlp': (mlp_features, mlp_decoder),
    'conv': (conv_features, conv_decoder),
}
