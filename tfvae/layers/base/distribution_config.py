"""A `tfd.Distribution` with constant parameters as plain data, and back."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def distribution_to_config(distribution: tfd.Distribution) -> dict[str, Any]:
  """Returns a JSON-ready description of a distribution.

  Args:
    distribution: of a class in `tfp.distributions`, its parameters constant
      tensors, numbers, or distributions of that kind.

  Returns:
    `{'class_name': …, 'parameters': {name: value}}`.

  Raises:
    ValueError: if the class is another or a parameter cannot be written down:
      a variable, a bijector, a function.
  """
  class_name = type(distribution).__name__
  if getattr(tfd, class_name, None) is not type(distribution):
    raise ValueError(
        'Only distributions of tfp.distributions can be saved; make any other '
        'a prior of tfvae.priors. Received: '
        f'distribution={type(distribution)}')
  return {
      'class_name': class_name,
      'parameters': {
          name: _encode(value, f'{class_name}.{name}')
          for name, value in distribution.parameters.items()
          if value is not None
      },
  }


def distribution_from_config(config: dict[str, Any]) -> tfd.Distribution:
  """Makes the distribution that `distribution_to_config` described."""
  return getattr(tfd, config['class_name'])(**{
      name: _decode(value) for name, value in config['parameters'].items()})


def _encode(value: Any, name: str) -> Any:
  if isinstance(value, tfd.Distribution):
    return distribution_to_config(value)
  if isinstance(value, tf.DType):
    return {'dtype': value.name}
  if isinstance(value, bool | int | float | str):
    return value
  if isinstance(value, list | tuple):
    return [_encode(item, name) for item in value]
  if isinstance(value, tf.Variable) or not (
      tf.is_tensor(value) or isinstance(value, np.ndarray | np.generic)):
    raise ValueError(
        'A saved distribution can hold constants only; a prior with variables, '
        'bijectors or functions belongs in a layer of tfvae.priors. Received: '
        f'{name}={value!r}')
  array = np.asarray(value)
  return {'values': array.tolist(), 'dtype': array.dtype.name}


def _decode(value: Any) -> Any:
  if isinstance(value, list):
    return [_decode(item) for item in value]
  if not isinstance(value, dict):
    return value
  if 'class_name' in value:
    return distribution_from_config(value)
  if 'values' in value:
    return tf.constant(value['values'], dtype=value['dtype'])
  return tf.as_dtype(value['dtype'])
