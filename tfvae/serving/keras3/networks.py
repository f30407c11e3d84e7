"""Conversion of a `tf_keras` model to Keras 3, layer by layer."""

from collections.abc import Callable, Sequence
import functools
import inspect
from typing import Any

import keras
import tensorflow as tf
import tf_keras

from tfvae.layers.base.missing_inputs import MissingInputs
from tfvae.layers.columns.column_features import ColumnFeatures
from tfvae.models.export.moments import LikelihoodMean
from tfvae.models.export.moments import PosteriorMoments
from tfvae.serving.keras3.likelihoods import likelihood_mean
from tfvae.serving.keras3.likelihoods import Tensor
from tfvae.serving.keras3.posteriors import posterior_moments


def convert_network(network: tf_keras.Model) -> keras.Model:
  """Returns a Keras 3 model of the same layers and weights, in float32.

  Layers that are called more than once stay shared, except layers shared by a
  model and a model inside it: Keras 3 does not load such files.

  Args:
    network: Functional or Sequential model of layers that Keras 3 also has, of
      such models, and of the layers of `tfvae.models.export.moments`.

  Raises:
    ValueError: If Keras 3 lacks a layer, or does not support its settings.
  """
  if not getattr(network, 'inputs', None) or type(network).__name__ not in (
      'Functional', 'Sequential'):
    raise ValueError(
        f'Keras 3 needs {network.name!r} to be a functional or Sequential '
        'model with a known input shape; begin it with an Input. Received: '
        f'{type(network).__name__}')
  inputs = tf.nest.map_structure(_input, network.input)
  # Tensors of Keras 3 by the id of their counterparts in tf_keras.
  tensors = {id(old): new for old, new in zip(
      tf.nest.flatten(network.input), tf.nest.flatten(inputs), strict=True)}
  layers = {}  # Layers of Keras 3 by the id of their counterparts in tf_keras.
  unknown = tf.nest.flatten(network.output)
  while unknown:  # Depth first; recursion has a limit of about 1,000 layers.
    node = unknown[-1].node
    missing = [tensor for tensor in node.keras_inputs
               if id(tensor) not in tensors]
    if missing:
      unknown.extend(missing)
    elif id(unknown.pop()) not in tensors:
      tensors |= _repeat(node, tensors, layers)
  outputs = tf.nest.map_structure(lambda t: tensors[id(t)], network.output)
  return keras.Model(inputs, outputs, name=_name(network))


def _input(tensor: Any) -> Tensor:
  layer = tensor.node.layer
  return keras.Input(
      tensor.shape[1:], dtype=tensor.dtype.name, name=_name(layer))


def _repeat(node: Any, tensors: dict[int, Tensor],
            layers: dict[int, keras.layers.Layer]) -> dict[int, Tensor]:
  """Repeats a call of a layer; returns new outputs by the ids of the old."""
  args, kwargs = tf.nest.map_structure(
      lambda value: tensors.get(id(value), value),
      (node.call_args, node.call_kwargs))
  layer = node.layer
  if isinstance(layer, PosteriorMoments):
    outputs = _computed(layer, functools.partial(
        posterior_moments, layer.head), args)
  elif isinstance(layer, LikelihoodMean):
    outputs = _computed(layer, functools.partial(
        likelihood_mean, layer.head), args)
  elif isinstance(layer, ColumnFeatures | MissingInputs):
    outputs = _computed(layer, functools.partial(
        layer.features, ops=keras.ops), args)
  elif isinstance(layer, tf_keras.Model):
    if id(layer) not in layers:
      layers[id(layer)] = convert_network(layer)
    outputs = layers[id(layer)](*args, **kwargs)
  else:
    outputs = _call(layer, args, kwargs, layers)
  return {id(old): new for old, new in zip(
      tf.nest.flatten(node.outputs), tf.nest.flatten(outputs), strict=True)}


def _computed(layer: tf_keras.layers.Layer, compute: Callable[..., Any],
              args: Sequence[Tensor]) -> Any:
  """Returns the outputs of operations of Keras 3, as a model of their own.

  Keras numbers their names, which within one model might be those of layers
  that were copied with their names.
  """
  inputs = [keras.Input(arg.shape[1:], dtype=arg.dtype) for arg in args]
  model = keras.Model(inputs, compute(*inputs), name=_name(layer))
  return model(list(args))


def _call(layer: tf_keras.layers.Layer, args: Any, kwargs: Any,
          layers: dict[int, keras.layers.Layer]) -> Any:
  """Returns the outputs of the counterpart of a layer, with its weights."""
  kind = type(layer).__name__
  if (type(layer) is not getattr(tf_keras.layers, kind, None)
      or not hasattr(keras.layers, kind) or kind == 'Lambda'):
    raise ValueError(f'Keras 3 has no layer like {layer.name!r}; build the '
                     'network from layers that are in both tf_keras.layers and '
                     f'keras.layers. Received: {layer}')
  try:
    if id(layer) not in layers:
      layers[id(layer)] = _counterpart(layer)
    outputs = layers[id(layer)](*args, **kwargs)
    layers[id(layer)].set_weights(layer.get_weights())
  except (TypeError, ValueError) as error:
    raise ValueError(
        f'The {kind} of Keras 3 does not support the settings of '
        f'{layer.name!r}; change them, or use another layer. Received: {error}'
    ) from error
  return outputs


def _counterpart(layer: tf_keras.layers.Layer) -> keras.layers.Layer:
  """Returns the layer of Keras 3 of the same class and settings."""
  kind = getattr(keras.layers, type(layer).__name__)
  # Settings that Keras 3 no longer has are left out (`to_keras3` compares the
  # outputs), and initializers too, since the weights are copied.
  config = {name: value for name, value in layer.get_config().items()
            if name in _settings(kind) and not name.endswith('_initializer')}
  if isinstance(layer, tf_keras.layers.BatchNormalization):
    config['axis'], = layer.axis
  if 'dtype' in config:
    config['dtype'] = 'float32'
  return kind.from_config(config | {'name': _name(layer)})


def _settings(kind: type) -> set[str]:
  """Returns the names of the constructor arguments of a layer."""
  names = set()
  for base in kind.__mro__:
    if '__init__' in vars(base):
      parameters = inspect.signature(base.__init__).parameters
      names |= set(parameters)
      if not any(p.kind == p.VAR_KEYWORD for p in parameters.values()):
        break
  return names


def _name(layer: tf_keras.layers.Layer) -> str:
  return layer.name.replace('/', '_')  # Keras 3 does not allow slashes.
