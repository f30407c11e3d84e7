"""Residual networks from an image to features, and from z to an image.

A residual block is h + f(h), f = conv ∘ activation ∘ conv ∘ activation: the
pre-activation form of He et al., Identity Mappings in Deep Residual Networks,
2016, https://arxiv.org/abs/1603.05027. There is no batch normalization, with
which the ELBO of an example would depend on the rest of its batch, and differ
between training and evaluation. Instead, the last convolution of f is initially
zero, so that every block starts as the identity and deep networks train well;
Zhang, Dauphin and Ma, Fixup Initialization, 2019,
https://arxiv.org/abs/1901.09321.
"""

from collections.abc import Sequence
import functools
from typing import Any

import tf_keras

from tfvae.models.networks.conv import check_image
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
  """Returns a residual network from an image to a flat vector of features.

  Args:
    input_shape: Height, width and channels.
    units: Filters of each resolution. A linear 3×3 convolution halves height
      and width, rounding up, and residual blocks follow it.
    activation: Activation of the residual branches, and of the features.
    blocks: Residual blocks of each resolution.
    dtype: Policy of the layers; None is Keras's global policy.
  """
  x = h = layers.Input(check_image(input_shape))
  for filters in units:
    h = layers.Conv2D(filters, 3, strides=2, padding='same', dtype=dtype)(h)
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
    output_shape: Height, width and channels of the parameters of one x.
    units: Filters from x toward z, as for the features. Each step doubles
      height and width and crops them to those of the features at that depth, so
      that the output has exactly the size of the image; residual blocks follow.
    activation: Activation of the residual branches, and before the last
      convolution, whose output is linear.
    blocks: Residual blocks of each resolution.
    dtype: Policy of the layers; None is Keras's global policy.
  """
  *sizes, smallest = halved_sizes(output_shape, len(units))
  z = layers.Input([input_size])
  h = layers.Dense(
      smallest[0] * smallest[1] * units[-1], dtype=dtype)(z)
  h = layers.Reshape((*smallest, units[-1]), dtype=dtype)(h)
  for filters, size in zip(reversed(units), reversed(sizes), strict=True):
    # With a stride that divides the kernel size, all pixels have equal weight,
    # as with upsampling and a convolution; XLA has no gradient of
    # `UpSampling2D`.
    h = doubled(h, filters, 4, size, dtype=dtype)
    for _ in range(blocks):
      h = _residual_block(h, activation, dtype)
  h = layers.Activation(activation, dtype=dtype)(h)
  h = layers.Conv2D(
      output_shape[-1], 3, padding='same', dtype=output_dtype(dtype))(h)
  return tf_keras.Model(z, h, name='resnet_decoder')


@NETWORKS.register('resnet')
def resnet_network(blocks: int = 1) -> Network:
  """Returns residual networks with a number of blocks for each resolution."""
  return Network(functools.partial(resnet_features, blocks=blocks),
                 functools.partial(resnet_decoder, blocks=blocks))


def _residual_block(h: Any, activation: str, dtype: Any) -> Any:
  """Returns h + f(h), `[b, height, width, channels]`; initially f is 0."""
  branch = h
  for initializer in ('glorot_uniform', 'zeros'):
    branch = layers.Activation(activation, dtype=dtype)(branch)
    branch = layers.Conv2D(
        h.shape[-1], 3, padding='same', kernel_initializer=initializer,
        dtype=dtype)(branch)
  return layers.Add(dtype=dtype)([h, branch])
