"""Whether XLA speeds up networks on the present device, or is needed there."""

import tensorflow as tf
import tf_keras

# The transposed ones are subclasses of these.
_CONVOLUTIONS = tuple(
    getattr(tf_keras.layers, name) for name in (
        'Conv1D', 'Conv2D', 'Conv3D', 'DepthwiseConv1D', 'DepthwiseConv2D',
        'SeparableConv1D', 'SeparableConv2D'))


def xla_pays_off(*networks: tf_keras.Model) -> bool:
  """Returns whether XLA makes networks faster on the present device.

  It does, except for convolutions on a CPU, which are slower with XLA, and take
  it longer to compile.

  Args:
    *networks: Networks, or models that contain them.
  """
  if tf.config.list_logical_devices('GPU'):
    return True
  return not any(isinstance(layer, _CONVOLUTIONS)
                 for network in networks for layer in network.submodules)


def needs_xla(model: tf_keras.Model) -> bool:
  """Returns whether only XLA computes the gradients of a model correctly.

  On a CPU TensorFlow sums the gradient of a bias in bfloat16, where the sum of
  many positions of a convolution ceases to grow: with 100 images of 28x28
  pixels it misses most of the gradient. XLA sums in float32.

  Args:
    model: Model, which contains its networks.
  """
  return not tf.config.list_logical_devices('GPU') and any(
      layer.dtype_policy.name == 'mixed_bfloat16' for layer in model.submodules
      if isinstance(layer, tf_keras.layers.Layer))
