"""Layers that get the size of their event from the data of a model."""

from collections.abc import Mapping
from typing import Any

import tf_keras


def filled_in(layer: tf_keras.layers.Layer,
              arguments: Mapping[str, Any]) -> tf_keras.layers.Layer:
  """Returns a copy of a layer, with constructor arguments filled in.

  Args:
    layer: Layer to copy. The copy has its settings, and its weights where the
      arguments leave their shapes as they are, but not its name.
    arguments: Constructor arguments by name.

  Raises:
    ValueError: If the layer was made with another value of an argument.
  """
  config = layer.get_config()
  for name, value in arguments.items():
    given = config.get(name)
    given = tuple(given) if isinstance(given, list) else given
    if None not in (given, value) and given != value and name != 'name':
      raise ValueError(
          f'The {type(layer).__name__} must have the {name} of the model, '
          f'{value}; leave {name} out to get it from the data. Received: '
          f'{name}={given}')
  del config['name']
  copy = type(layer).from_config(config | arguments)
  if [w.shape for w in copy.weights] == [w.shape for w in layer.weights]:
    copy.set_weights(layer.get_weights())
  return copy


def missing(layer: tf_keras.layers.Layer, name: str) -> ValueError:
  """Returns the error for the use of a layer without its size.

  Args:
    layer: Layer.
    name: Name of the argument that is missing.
  """
  return ValueError(
      f'This {type(layer).__name__} does not know the size of its event; give '
      f'it {name}, or pass it to tfvae.models.image_vae, which does. Received: '
      f'{name}=None')
