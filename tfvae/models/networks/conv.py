"""Strided convolutions from an image to features, and from z to an image."""

from collections.abc import Sequence
from typing import Any

import tf_keras

from tfvae.models.networks.network import Network
from tfvae.models.networks.network import NETWORKS
from tfvae.models.networks.precision import output_dtype

layers = tf_keras.layers


def conv_features(
    input_shape: Sequence[int],
    units: Sequence[int] = (32, 64),
    activation: str = 'relu',
    dtype: Any = None,
) -> tf_keras.Model:
  """Returns convolutions from an image to a flat vector of features.

  Args:
    input_shape: Height, width and channels.
    units: Filters of each 3×3 convolution; each halves height and width,
      rounding up.
    activation: Activation of every layer.
    dtype: Policy of the layers; None is Keras's global policy.
  """
  x = h = layers.Input(check_image(input_shape))
  for filters in units:
    h = layers.Conv2D(
        filters, 3, strides=2, padding='same', activation=activation,
        dtype=dtype)(h)
  return tf_keras.Model(
      x, layers.Flatten(dtype=dtype)(h), name='conv_features')


def conv_decoder(
    input_size: int,
    output_shape: Sequence[int],
    units: Sequence[int] = (32, 64),
    activation: str = 'relu',
    dtype: Any = None,
) -> tf_keras.Model:
  """Returns transposed convolutions from z to `output_shape`.

  Args:
    input_size: Dimensions of z.
    output_shape: Height, width and channels of the parameters of one x.
    units: Filters from x toward z, as for the features. Each step doubles
      height and width and crops them to those of the features at that depth, so
      that the output has exactly the size of the image.
    activation: Activation of the hidden layers; the output is linear.
    dtype: Policy of the layers; None is Keras's global policy.
  """
  *sizes, smallest = halved_sizes(output_shape, len(units))
  z = layers.Input([input_size])
  h = layers.Dense(
      smallest[0] * smallest[1] * units[-1], activation=activation,
      dtype=dtype)(z)
  h = layers.Reshape((*smallest, units[-1]), dtype=dtype)(h)
  for filters, size in zip(reversed(units), reversed(sizes), strict=True):
    h = doubled(h, filters, 3, size, activation, dtype)
  h = layers.Conv2D(
      output_shape[-1], 3, padding='same', dtype=output_dtype(dtype))(h)
  return tf_keras.Model(z, h, name='conv_decoder')


@NETWORKS.register('conv')
def conv_network() -> Network:
  """Returns convolutions, strided from x and transposed from z."""
  return Network(conv_features, conv_decoder)


def check_image(shape: Sequence[int]) -> tuple[int, int, int]:
  """Returns the shape of an image as a tuple.

  Raises:
    ValueError: If it is not height, width and channels.
  """
  if len(shape) != 3:
    raise ValueError('A convolutional network needs images of height, width '
                     "and channels; use `network='mlp'` or `network='resnet'`. "
                     f'Received: shape={tuple(shape)}')
  return tuple(shape)


def halved_sizes(shape: Sequence[int], times: int) -> list[tuple[int, int]]:
  """Returns height and width of an image and of each of its halvings."""
  height, width, _ = check_image(shape)
  sizes = [(height, width)]
  for _ in range(times):
    height, width = -(-height // 2), -(-width // 2)  # Rounds up.
    sizes.append((height, width))
  return sizes


def doubled(h: Any, filters: int, kernel_size: int, size: tuple[int, int],
            activation: str | None = None, dtype: Any = None) -> Any:
  """Returns a transposed convolution of stride 2, cropped to a size.

  Args:
    h: Keras tensor `[b, height, width, channels]`.
    filters: Filters of the convolution.
    kernel_size: Height and width of the kernel.
    size: Height and width of the result, at most twice those of `h`.
    activation: Activation of the convolution.
    dtype: Policy of the layers; None is Keras's global policy.
  """
  h = layers.Conv2DTranspose(
      filters, kernel_size, strides=2, padding='same', activation=activation,
      dtype=dtype)(h)
  surplus = [(0, h.shape[axis + 1] - size[axis]) for axis in (0, 1)]
  if surplus == [(0, 0), (0, 0)]:
    return h
  return layers.Cropping2D(surplus, dtype=dtype)(h)
