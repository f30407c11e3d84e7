"""Checks of the batches of `fit` and `evaluate`.

Values are checked on the first batch alone; see `tfvae.inference.batches` for
the shapes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.inference.batches import check_observed
from tfvae.inference.batches import describe
from tfvae.inference.batches import expected
from tfvae.inference.batches import sample_weights
from tfvae.inference.batches import Shapes
from tfvae.inference.batches import text_of
from tfvae.inference.batches import unpack_batch
from tfvae.layers.likelihoods.likelihood import Likelihood


def check_batch(data: Any, shapes: Shapes,
                event_shape: tuple[int, ...] | None, needs_target: bool = True,
                infers_label: bool = False, allow_missing: bool = False):
  """Raises unless a batch has the structure and shapes of a model's data.

  Args:
    data: Batch as `fit` takes it, of tensors, arrays or `tf.TensorSpec`s.
    shapes: Shape of one example of 'x' and, for a conditional model, 'y'; None
      where it is unknown.
    event_shape: Shape of one example of p(x|z); None where it is unknown.
    needs_target: Whether p(x|z) is evaluated at the target.
    infers_label: Whether 'y' may be left out.
    allow_missing: Whether elements of x may be missing, so that a dictionary
      may have a 'mask'.

  Raises:
    ValueError: If it has others; the message states what is expected, what was
      received and a remedy.
  """
  x, target, weights = tf_keras.utils.unpack_x_y_sample_weight(data)
  received = describe(data)
  if weights is not None and not tf.TensorShape(
      getattr(weights, 'shape', None)).is_compatible_with([None]):
    raise ValueError('`sample_weight` must have a number for each example, '
                     f'shape [b]. Received: {received}')
  if infers_label and (not isinstance(x, dict) or 'y' not in x):
    shapes = {'x': shapes['x']}
  if 'y' in shapes and not isinstance(x, dict):
    raise ValueError(
        f'A conditional model takes {expected(shapes)}: pass labels as '
        "{'x': x, 'y': tf.one_hot(labels, "
        f'{shapes["y"][0]})}}. Received: {received}')
  values = dict(x) if isinstance(x, dict) else {'x': x}
  if 'mask' in values:
    _check_mask(values.pop('mask'), values.get('x'), allow_missing, received)
  if set(values) != set(shapes):
    remedy = (
        "as by dataset.map(lambda row: {'x': row['image'], 'y': tf.one_hot("
        f"row['label'], {shapes['y'][0]})}})" if 'y' in shapes else
        "x alone or {'x': x}, as by dataset.map(lambda row: row['image'])")
    raise ValueError(f'The model takes {expected(shapes)}: pass {remedy}. '
                     f'Received: {received}')
  check_observed(values, shapes, received)
  if needs_target and event_shape is not None:
    _check_target(target, values['x'], shapes, event_shape, received)


def check_values(data: Any, likelihood: Any, infers_label: bool = False):
  """Raises unless a batch is finite and in the support of the likelihood.

  Where the likelihood allows missing values, a NaN is one.

  Args:
    data: Batch as `fit` takes it, of tensors or arrays.
    likelihood: Last layer of the decoder.
    infers_label: Whether rows of 'y' may be NaN.

  Raises:
    ValueError: If it is not; the message shows the first wrong value.
  """
  inputs, target = unpack_batch(data)
  allow_missing = getattr(likelihood, 'allow_missing', False)
  try:
    if isinstance(likelihood, Likelihood):
      likelihood.check_data(np.asarray(target), allow_missing=allow_missing)
    for name, value in _named({'target': target, 'inputs': inputs}):
      if not (infers_label and name == 'y'):
        _check_finite(name, np.asarray(value), allow_missing and name != 'y')
    _check_weights(sample_weights(data))
  except ValueError as error:
    raise ValueError(
        f'{error} (Found in the first batch; compile(check_data=False) '
        'switches this check off.)') from None


def _check_target(target, x, shapes, event_shape, received):
  """Raises unless p(x|z) can be evaluated at the target, or at x if None."""
  wanted = tf.TensorShape([None, *event_shape])
  if target is None:
    if not tf.TensorShape(x.shape).is_compatible_with(wanted):
      raise ValueError(
          f'The decoder explains data of shape {text_of(wanted)}: pass pairs '
          f'(x, target) with targets of that shape. Received: {received}')
    return
  if not hasattr(target, 'shape') or not tf.TensorShape(
      target.shape).is_compatible_with(wanted):
    remedy = ('pass labels in the dictionary' if 'y' in shapes else
              'drop labels, as by dataset.map(lambda x, label: x)')
    raise ValueError(
        'The second part of a pair is the target that p(x|z) explains, '
        f'of shape {text_of(wanted)}; {remedy}. Received: {received}')


def _named(parts: Mapping[str, Any]) -> list[tuple[str, Any]]:
  """Returns pairs of name and tensor; a dictionary's keys are its names."""
  found = []
  for name, part in parts.items():
    found += part.items() if isinstance(part, Mapping) else [(name, part)]
  return found


def _check_weights(weights: Any):
  if weights is None:
    return
  values = np.asarray(weights)
  bad = ~(np.isfinite(values) & (values >= 0))
  if bad.any():
    raise ValueError(
        'Sample weights must be finite and at least 0; 0 leaves an example '
        f'out. Received: sample_weight={values[bad][0]}')


def _check_mask(mask: Any, x: Any, allow_missing: bool, received: str):
  """Raises unless a model takes missing values, and the mask fits x."""
  if not allow_missing:
    raise ValueError(
        'A mask marks observed values for a model that takes missing ones; '
        'build the model with `missing=True`, or leave the mask out. '
        f'Received: {received}')
  if x is None or not tf.TensorShape(mask.shape).is_compatible_with(x.shape):
    raise ValueError('The mask must have the shape of x, true where a value is '
                     f'observed. Received: {received}')


def _check_finite(name: str, values: np.ndarray, allow_missing: bool):
  if not np.issubdtype(values.dtype, np.floating):
    return
  bad = np.isinf(values) if allow_missing else ~np.isfinite(values)
  if bad.any():
    index = tuple(map(int, np.argwhere(bad)[0]))
    raise ValueError(
        'The data must be finite: repair the example or leave it out. '
        f'Received: {name}[{", ".join(map(str, index))}] = {values[index]}')
