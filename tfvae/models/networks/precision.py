"""Where networks in mixed precision leave it: at their ends, and in exports."""

from typing import Any

import tf_keras

_MIXED = ('mixed_bfloat16', 'mixed_float16')


def output_dtype(dtype: Any) -> str:
  """Returns the dtype of the layer that emits a distribution's parameters.

  Float32 under a mixed policy: a μ of bfloat16 would be off by half a grey
  level, and by more than many a posterior's σ.

  Args:
    dtype: policy of the network; None is Keras's global policy.
  """
  return tf_keras.layers.Layer(dtype=dtype).variable_dtype


def in_float32(model: tf_keras.Model) -> tf_keras.Model:
  """Returns a model of the same weights whose networks compute in float32.

  For what is to run where half precision is unknown or slow: servers refuse
  bfloat16, and CPUs emulate it.

  Args:
    model: a `GraphVAE` or a `VAE`; its weights are float32 in any case.

  Returns:
    The model itself if nothing in it has a mixed dtype policy, else a new one,
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
