"""Checks of the batches that a model is given: structure, shapes and values.

Shapes are checked of tensors and of their specs alike, so that a check costs
nothing per step: it runs where a function is traced, or once on the first
batch. Values are checked on the first batch alone.
"""

from collections.abc import Mapping
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.likelihoods.likelihood import Likelihood

Shapes = Mapping[str, tuple[int, ...] | None]


def unpack_batch(data: Any) -> tuple[Any, Any]:
  """Returns the inputs of inference and the target of p(x|z).

  Args:
    data: A batch of x; a dictionary of 'x' and 'y'; or a pair of one of them
      and a target.

  Raises:
    ValueError: If there are sample weights.
  """
  x, target, sample_weight = tf_keras.utils.unpack_x_y_sample_weight(data)
  if sample_weight is not None:
    refuse_weights(sample_weight=sample_weight)
  if target is None:
    target = x.get('x') if isinstance(x, dict) else x
  return x, target


def refuse_weights(**weights: Any):
  """Raises a ValueError if one of the weights is given."""
  for name, value in weights.items():
    if value is not None:
      raise ValueError(
          f'tfvae does not support {name}: it would weigh the reconstruction '
          'and not the KL divergence. Leave it out, or repeat examples '
          f'instead. Received: {name} of type {type(value).__name__}')


def check_batch(data: Any, observed: Shapes,
                event_shape: tuple[int, ...] | None, needs_target: bool = True):
  """Raises unless a batch has the structure and shapes of a model's data.

  Args:
    data: Batch as `fit` takes it, of tensors, arrays or `tf.TensorSpec`s.
    observed: Shape of one example of 'x' and, for a conditional model, 'y';
      None where it is not known yet.
    event_shape: Shape of one example of p(x|z); None where it is not known.
    needs_target: Whether p(x|z) is evaluated at the target.

  Raises:
    ValueError: If it has not; the message states what is expected, what was
      received and what to do.
  """
  x, target, weights = tf_keras.utils.unpack_x_y_sample_weight(data)
  refuse_weights(sample_weight=weights)
  received = describe(data)
  if 'y' in observed and not isinstance(x, dict):
    raise ValueError(
        f'A conditional model takes {_expected(observed)}: pass labels as '
        "{'x': x, 'y': tf.one_hot(labels, "
        f'{observed["y"][0]})}}. Received: {received}')
  values = x if isinstance(x, dict) else {'x': x}
  if set(values) != set(observed):
    remedy = (
        "as by dataset.map(lambda row: {'x': row['image'], 'y': tf.one_hot("
        f"row['label'], {observed['y'][0]})}})" if 'y' in observed else
        "x alone or {'x': x}, as by dataset.map(lambda row: row['image'])")
    raise ValueError(f'The model takes {_expected(observed)}: pass {remedy}. '
                     f'Received: {received}')
  check_observed(values, observed, received)
  if needs_target and event_shape is not None:
    _check_target(target, values['x'], observed, event_shape, received)


def check_observed(values: Mapping[str, Any], observed: Shapes,
                   received: str | None = None):
  """Raises unless x and y have a batch dimension and the shapes of a model.

  Args:
    values: By name, tensors, arrays or specs.
    observed: Shape of one example by name, or None where it is not known.
    received: Description of what was received, for the message.

  Raises:
    ValueError: If one has not.
  """
  for name, value in values.items():
    shape = observed.get(name)
    if shape is None or value is None:
      continue
    actual = tf.TensorShape(getattr(value, 'shape', None))
    if not actual.is_compatible_with([None, *shape]):
      raise ValueError(
          f'The model takes {_expected(observed)}. '
          f'{_remedy(name, actual, shape)} Received: '
          f'{received or describe(values)}')


def check_values(data: Any, likelihood: Any):
  """Raises unless a batch is finite and in the support of the likelihood.

  Args:
    data: Batch as `fit` takes it, of tensors or arrays.
    likelihood: Last layer of the decoder.

  Raises:
    ValueError: If it is not; the message has the first value at fault.
  """
  inputs, target = unpack_batch(data)
  try:
    if isinstance(likelihood, Likelihood):
      likelihood.check_data(np.asarray(target))
    for name, value in _named({'target': target, 'inputs': inputs}):
      _check_finite(name, np.asarray(value))
  except ValueError as error:
    raise ValueError(
        f'{error} (Found on the first batch; compile(check_data=False) '
        'switches this check off.)') from None


def last_layer(network: Any) -> Any:
  """Returns the layer that a network ends in, or None if it does not say."""
  while isinstance(network, tf_keras.Model):
    if not getattr(network, 'layers', None) or not isinstance(
        network, tf_keras.Sequential) and not getattr(
            network, 'outputs', None):
      return None  # A subclass, whose last layer nobody knows.
    network = network.layers[-1]
  return network


def shape_of_input(network: tf_keras.Model) -> tuple[int, ...] | None:
  """Returns the shape of one example of a network's input, if it is known."""
  try:
    shape = network.input_shape
  except AttributeError:  # Never called, and without an Input.
    return None
  if not isinstance(shape, tuple) or None in shape[1:]:
    return None
  return shape[1:]


def check_decoder(decoder: tf_keras.Model, size: int | None,
                  what: str = 'the latents'):
  """Raises unless a decoder takes the latents and ends in a likelihood.

  Args:
    decoder: From z to p(x|z).
    size: Numbers that it is given for each example; None if not known.
    what: What they are.

  Raises:
    ValueError: If it ends in a layer that makes no distribution, or takes
      another size.
  """
  layer = last_layer(decoder)
  if layer is not None and not isinstance(
      layer, tfp.layers.DistributionLambda):
    raise ValueError(
        'The decoder must end in a likelihood layer, such as '
        'tfvae.layers.IndependentBernoulli(event_shape). Received: '
        f'{decoder.name!r} with the last layer {layer}')
  taken = shape_of_input(decoder)
  if None not in (taken, size) and taken != (size,):
    raise ValueError(
        f'The decoder must take {what}, {size} numbers. Received: '
        f'decoder.input_shape={(None, *taken)}')


def describe(data: Any) -> str:
  """Returns the structure of a batch with shapes, for messages."""
  if isinstance(data, Mapping):
    return '{' + ', '.join(
        f'{name!r}: {describe(part)}' for name, part in data.items()) + '}'
  if isinstance(data, tuple | list):
    return '(' + ', '.join(map(describe, data)) + ')'
  if not hasattr(data, 'shape'):
    return repr(data)
  dtype = getattr(data, 'dtype', None)
  name = '' if dtype is None else f'{getattr(dtype, "name", dtype)} '
  return f'{name}{_text(tf.TensorShape(data.shape))}'


def _check_target(target, x, observed, event_shape, received):
  """Raises unless p(x|z) can be evaluated at the target, or x without one."""
  wanted = tf.TensorShape([None, *event_shape])
  if target is None:
    if not tf.TensorShape(x.shape).is_compatible_with(wanted):
      raise ValueError(
          f'The decoder explains data of shape {_text(wanted)}: pass pairs (x, '
          f'target) with targets of that shape. Received: {received}')
    return
  if not hasattr(target, 'shape') or not tf.TensorShape(
      target.shape).is_compatible_with(wanted):
    remedy = ('pass labels in the dictionary' if 'y' in observed else
              'drop labels, as by dataset.map(lambda x, label: x)')
    raise ValueError(
        'The second part of a pair is the target that p(x|z) is to explain, '
        f'of shape {_text(wanted)}; {remedy}. Received: {received}')


def _remedy(name: str, actual: tf.TensorShape, shape: tuple[int, ...]) -> str:
  """Returns what to do with a tensor of another shape than `[b, *shape]`."""
  dims = actual.as_list() if actual.rank is not None else []
  if name == 'y':
    return f'Make labels one-hot: tf.one_hot(labels, {shape[0]}).'
  if dims == list(shape):
    return 'Add the batch dimension: x[tf.newaxis], or dataset.batch(100).'
  if dims[1:] == list(shape[:-1]) and shape[-1] == 1:
    return 'Add the channel axis: x[..., tf.newaxis].'
  if len(shape) == 3 and dims[1:] == [shape[2], *shape[:2]]:
    return 'Move the channels last: tf.transpose(x, [0, 2, 3, 1]).'
  if None not in dims[1:] and math.prod(dims[1:]) == math.prod(shape):
    return f'Reshape the examples: tf.reshape(x, [-1, *{tuple(shape)}]).'
  return 'Resize the data, or build a model of their shape.'


def _expected(observed: Shapes) -> str:
  parts = {name: f'[b, {", ".join(map(str, shape))}]'
           for name, shape in observed.items() if shape is not None}
  if set(observed) == {'x'}:
    return f'batches of shape {parts["x"]}' if parts else 'batches of x'
  return ('a dictionary of ' + ', '.join(
      f'{name!r} {parts.get(name, "")}'.strip() for name in observed)
          + ', y one-hot')


def _text(shape: tf.TensorShape) -> str:
  if shape.rank is None:
    return '<unknown shape>'
  return '[' + ', '.join(
      'b' if size is None and index == 0 else str(size)
      for index, size in enumerate(shape.as_list())) + ']'


def _named(parts: Mapping[str, Any]) -> list[tuple[str, Any]]:
  """Returns tensors with their names, those of a dictionary by its keys."""
  found = []
  for name, part in parts.items():
    found += part.items() if isinstance(part, Mapping) else [(name, part)]
  return found


def _check_finite(name: str, values: np.ndarray):
  if not np.issubdtype(values.dtype, np.floating):
    return
  bad = ~np.isfinite(values)
  if bad.any():
    index = tuple(map(int, np.argwhere(bad)[0]))
    raise ValueError(
        'The data must be finite: repair the example or leave it out. '
        f'Received: {name}[{", ".join(map(str, index))}] = {values[index]}')
