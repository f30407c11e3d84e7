"""Conversion between a `tfd.Distribution` of constants and plain data."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def distribution_to_config(distribution: tfd.Distribution) -> dict[str, Any]:
  """Returns a description of a distribution that JSON can hold.

  Args:
    distribution: Instance of a class in `tfp.distributions`, with parameters
      that are constant tensors, numbers, or such distributions.

  Returns:
    `{'class_name': …, 'parameters': {name: value}}`.

  Raises:
    ValueError: If the class is another, or a parameter is a variable, a
      bijector or a function.
  """
  class_name = type(distribution).__name__
  if getattr(tfd, class_name, None) is not type(distribution):
    raise ValueError(
        'Only distributions of tfp.distributions can be saved; for any other, '
        'define a subclass of tfvae.priors.Prior. Received: '
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
  """Returns the distribution that `distribution_to_config` described."""
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
        'A saved distribution can hold only constants; for variables, '
        'bijectors or functions, define a subclass of tfvae.priors.Prior. '
        'Received: '
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
