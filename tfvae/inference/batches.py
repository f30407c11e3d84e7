"""Batches of data: their observed variables, and checks of their shapes.

The checks take tensors, arrays and `tf.TensorSpec`s, so they run where a
function is traced, or once on the first batch, and cost nothing per step.
"""

from collections.abc import Mapping
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

Shapes = Mapping[str, tuple[int, ...] | None]


def observed(inputs: Any) -> dict[str, Any]:
  """Returns the observed variables of a batch by name.

  Args:
    inputs: Batch of x; a dictionary of 'x' and the one-hot label 'y', or of one
      of them, and perhaps a 'mask', true or 1 where x is observed; or None.

  Returns:
    'x' and 'y', those of them that are given; x is NaN where the mask is false.
  """
  given = inputs if isinstance(inputs, Mapping) else {'x': inputs}
  found = {name: value for name, value in given.items() if value is not None}
  mask = found.pop('mask', None)
  if mask is not None:
    found['x'] = tf.where(
        tf.cast(mask, tf.bool), tf.cast(found['x'], tf.float32), np.nan)
  return found


def num_observed(x: Any) -> tf.Tensor:
  """Returns the number of elements of each x that are not NaN, float32 `[b]`.

  Args:
    x: Batch of x, `[b, ...]`.
  """
  known = tf.logical_not(tf.math.is_nan(tf.cast(x, tf.float32)))
  return tf.reduce_sum(tf.cast(known, tf.float32),
                       axis=list(range(1, known.shape.rank)))


def without_masked_arrays(data: Any) -> Any:
  """Returns nested data in which NaN marks the masked values of arrays.

  Args:
    data: Nested arrays and tensors; a `np.ma.MaskedArray` becomes float32.
  """
  def filled(part):
    return np.ma.filled(part.astype(np.float32), np.nan) if isinstance(
        part, np.ma.MaskedArray) else part

  return tf.nest.map_structure(filled, data)


def unpack_batch(data: Any) -> tuple[Any, Any]:
  """Returns the inputs of inference and the target of p(x|z).

  Args:
    data: Batch of x; a dictionary of 'x' and 'y'; or a tuple of one of them,
      a target or None, and perhaps sample weights.
  """
  x, target, _ = tf_keras.utils.unpack_x_y_sample_weight(data)
  if target is None:
    target = observed(x).get('x')
  return x, target


def sample_weights(data: Any) -> Any:
  """Returns the sample weights of a batch, `[b]`, or None.

  Args:
    data: Batch as `unpack_batch` takes it.
  """
  return tf_keras.utils.unpack_x_y_sample_weight(data)[2]


def check_observed(values: Mapping[str, Any], shapes: Shapes,
                   received: str | None = None):
  """Raises unless x and y have a batch dimension and the shapes of a model.

  Args:
    values: Tensors, arrays or specs by name.
    shapes: Shape of one example by name, or None where it is unknown.
    received: Description of what was received, for the message.

  Raises:
    ValueError: If one of them has another shape.
  """
  for name, value in values.items():
    shape = shapes.get(name)
    if shape is None or value is None:
      continue
    actual = tf.TensorShape(getattr(value, 'shape', None))
    if not actual.is_compatible_with([None, *shape]):
      raise ValueError(
          f'The model takes {expected(shapes)}. '
          f'{_remedy(name, actual, shape)} Received: '
          f'{received or describe(values)}')


def check_sample(n: Any, inputs: Any, shapes: Shapes):
  """Raises unless these are arguments of `LatentVariableModel.sample`.

  Args:
    n: Number of samples.
    inputs: Dictionary of labels, or None.
    shapes: Shape of one example by name, or None where it is unknown.

  Raises:
    ValueError: If one of them is not.
  """
  if not tf.is_tensor(n) and (not isinstance(n, int | np.integer) or n < 1):
    raise ValueError('`n` must be a positive integer, the number of samples. '
                     f'Received: n={n!r}')
  labels = {'y': shapes['y']} if 'y' in shapes else {}
  given = dict(inputs) if isinstance(inputs, Mapping) else {}
  if inputs is not None and (
      not isinstance(inputs, Mapping) or set(given) - {'x'} - set(labels)):
    raise ValueError(
        '`inputs` is a dictionary of the one-hot labels y of a conditional '
        "model, {'y': tf.one_hot(labels, classes)}, and None for other "
        f'models. Received: inputs={describe(inputs)}')
  check_observed(given, labels)


def describe(data: Any) -> str:
  """Returns the structure of a batch with its shapes, for messages."""
  if isinstance(data, Mapping):
    return '{' + ', '.join(
        f'{name!r}: {describe(part)}' for name, part in data.items()) + '}'
  if isinstance(data, tuple | list):
    return '(' + ', '.join(map(describe, data)) + ')'
  if not hasattr(data, 'shape'):
    return repr(data)
  dtype = getattr(data, 'dtype', None)
  name = '' if dtype is None else f'{getattr(dtype, "name", dtype)} '
  return f'{name}{text_of(tf.TensorShape(data.shape))}'


def expected(shapes: Shapes) -> str:
  """Returns what a model of these shapes takes, for messages."""
  parts = {name: f'[b, {", ".join(map(str, shape))}]'
           for name, shape in shapes.items() if shape is not None}
  if set(shapes) == {'x'}:
    return f'batches of shape {parts["x"]}' if parts else 'batches of x'
  return ('a dictionary of ' + ', '.join(
      f'{name!r} {parts.get(name, "")}'.strip() for name in shapes)
          + ', y one-hot')


def text_of(shape: tf.TensorShape) -> str:
  """Returns a shape such as '[b, 28, 28, 1]', for messages."""
  if shape.rank is None:
    return '<unknown shape>'
  return '[' + ', '.join(
      'b' if size is None and index == 0 else str(size)
      for index, size in enumerate(shape.as_list())) + ']'


def _remedy(name: str, actual: tf.TensorShape, shape: tuple[int, ...]) -> str:
  """Returns how to turn a tensor into one of shape `[b, *shape]`."""
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
