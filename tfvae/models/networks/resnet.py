"""Residual networks from x to features, and from z to parameters of p(x|z).

A residual block is h + f(h), f = W₂ ∘ activation ∘ W₁ ∘ activation, where W₁
and W₂ are 3×3 convolutions for an image and dense layers for any other x: the
pre-activation form of He et al., Identity Mappings in Deep Residual Networks,
2016, https://arxiv.org/abs/1603.05027; for tables, Gorishniy et al., Revisiting
Deep Learning Models for Tabular Data, 2021, https://arxiv.org/abs/2106.11959.
There is no batch normalization, with which the ELBO of an example would depend
on the rest of its batch, and differ between training and evaluation. Instead,
W₂ is initially zero, so that every block starts as the identity and deep
networks train well; Zhang, Dauphin and Ma, Fixup Initialization, 2019,
https://arxiv.org/abs/1901.09321.
"""

from collections.abc import Sequence
import functools
import math
from typing import Any

import tf_keras

from tfvae.models.networks.conv import doubled
from tfvae.models.networks.conv import halved_sizes
from tfvae.models.networks.network import Network
from tfvae.models.networks.network import NETWORKS
from tfvae.models.networks.precision import output_dtype

layers = tf_keras.layers


def resnet_features(
    input_shape: Sequence[int],
    units: Sequence[int] = (32, 64),
    activation: str = 'relu',
    blocks: int = 1,
    dtype: Any = None,
) -> tf_keras.Model:
  """Returns a residual network from x to a flat vector of features.

  Args:
    input_shape: Height, width and channels of an image; any other shape is
      flattened.
    units: Filters of each resolution of an image: a linear 3×3 convolution
      halves height and width, rounding up, and residual blocks follow it. For
      other x, the width of each linear dense layer, which blocks follow.
    activation: Activation of the residual branches, and of the features.
    blocks: Residual blocks of each resolution or width.
    dtype: Policy of the layers; None is Keras's global policy.
  """
  is_image = _is_image(input_shape)
  x = h = layers.Input(input_shape)
  if not is_image:
    h = layers.Flatten(dtype=dtype)(h)
  for size in units:
    layer = (layers.Conv2D(size, 3, strides=2, padding='same', dtype=dtype)
             if is_image else layers.Dense(size, dtype=dtype))
    h = layer(h)
    for _ in range(blocks):
      h = _residual_block(h, activation, dtype)
  h = layers.Activation(activation, dtype=dtype)(h)
  return tf_keras.Model(
      x, layers.Flatten(dtype=dtype)(h), name='resnet_features')


def resnet_decoder(
    input_size: int,
    output_shape: Sequence[int],
    units: Sequence[int] = (32, 64),
    activation: str = 'relu',
    blocks: int = 1,
    dtype: Any = None,
) -> tf_keras.Model:
  """Returns a residual network from z to `output_shape`.

  Args:
    input_size: Dimensions of z.
    output_shape: Shape of the parameters of one x: height, width and channels
      for an image, or any other shape.
    units: Filters or widths from x toward z, as for the features. For an image,
      each step doubles height and width and crops them to those of the features
      at that depth, so that the output has exactly the size of the image;
      residual blocks follow.
    activation: Activation of the residual branches, and before the last layer,
      whose output is linear.
    blocks: Residual blocks of each resolution or width.
    dtype: Policy of the layers; None is Keras's global policy.
  """
  is_image = _is_image(output_shape)
  z = h = layers.Input([input_size])
  sizes = [None] * len(units)
  if is_image:
    *sizes, smallest = halved_sizes(output_shape, len(units))
    h = layers.Dense(
        smallest[0] * smallest[1] * units[-1], dtype=dtype)(h)
    h = layers.Reshape((*smallest, units[-1]), dtype=dtype)(h)
  for width, size in zip(reversed(units), reversed(sizes), strict=True):
    # With a stride that divides the kernel size, all pixels have equal weight,
    # as with upsampling and a convolution; XLA has no gradient of
    # `UpSampling2D`.
    h = (doubled(h, width, 4, size, dtype=dtype) if is_image
         else layers.Dense(width, dtype=dtype)(h))
    for _ in range(blocks):
      h = _residual_block(h, activation, dtype)
  h = layers.Activation(activation, dtype=dtype)(h)
  return tf_keras.Model(z, _parameters(h, output_shape, output_dtype(dtype)),
                        name='resnet_decoder')


@NETWORKS.register('resnet')
def resnet_network(blocks: int = 1) -> Network:
  """Returns residual networks with a number of blocks for each size."""
  return Network(functools.partial(resnet_features, blocks=blocks),
                 functools.partial(resnet_decoder, blocks=blocks))


def _is_image(shape: Sequence[int]) -> bool:
  """Returns whether the blocks are convolutions, else dense layers."""
  return len(shape) == 3


def _residual_block(h: Any, activation: str, dtype: Any) -> Any:
  """Returns h + f(h), of the shape of h, `[b, …]`; initially f is 0."""
  layer = functools.partial(
      layers.Conv2D, kernel_size=3, padding='same'
  ) if _is_image(h.shape[1:]) else layers.Dense
  branch = h
  for initializer in ('glorot_uniform', 'zeros'):
    branch = layers.Activation(activation, dtype=dtype)(branch)
    branch = layer(
        h.shape[-1], kernel_initializer=initializer, dtype=dtype)(branch)
  return layers.Add(dtype=dtype)([h, branch])


def _parameters(h: Any, shape: Sequence[int], dtype: str) -> Any:
  """Returns the output of a last linear layer, `[b, *shape]`."""
  if _is_image(shape):
    return layers.Conv2D(shape[-1], 3, padding='same', dtype=dtype)(h)
  h = layers.Dense(math.prod(shape), dtype=dtype)(h)
  return layers.Reshape(tuple(shape), dtype=dtype)(h)
