"""Float32 at the outputs of networks in mixed precision, and in exports."""

from typing import Any

import tf_keras

_MIXED = ('mixed_bfloat16', 'mixed_float16')


def output_dtype(dtype: Any) -> str:
  """Returns the dtype of the layer that emits parameters of a distribution.

  Float32 under a mixed policy: a μ of bfloat16 has an error of half a gray
  level, more than the σ of many posteriors.

  Args:
    dtype: Policy of the network; None is Keras's global policy.
  """
  return tf_keras.layers.Layer(dtype=dtype).variable_dtype


def in_float32(model: tf_keras.Model) -> tf_keras.Model:
  """Returns a model of the same weights whose networks compute in float32.

  For runtimes where half precision is unsupported or slow: servers reject
  bfloat16, and CPUs emulate it.

  Args:
    model: A `GraphVAE` or a `VAE`; its weights are float32 in any case.

  Returns:
    The model itself if no layer has a mixed dtype policy, otherwise a new one,
    not compiled, with copies of the weights.
  """
  if not any(layer.dtype_policy.name in _MIXED for layer in model.submodules
             if isinstance(layer, tf_keras.layers.Layer)):
    return model
  copy = type(model).from_config(_float32(model.get_config()))
  copy.set_weights(model.get_weights())
  return copy


def _float32(config: Any) -> Any:
  """Returns a configuration with float32 for each mixed dtype policy."""
  if isinstance(config, dict):
    if config.get('class_name') == 'Policy':
      return 'float32'
    return {name: _float32(part) for name, part in config.items()}
  if isinstance(config, list | tuple):
    return type(config)(map(_float32, config))
  return 'float32' if config in _MIXED else config
