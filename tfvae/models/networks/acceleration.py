"""Whether XLA speeds up networks on the present device."""

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
