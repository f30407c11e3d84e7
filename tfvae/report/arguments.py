"""Checks of the arguments of `write_report`, and conversion of labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.inference import observed
from tfvae.inference.batches import describe
from tfvae.models import LatentVariableModel

# Number of images whose values are checked, as `fit` checks its first batch.
_CHECKED_IMAGES = 200

UNLABELED = -1  # As TensorFlow Datasets marks it.


def check_inputs(model: LatentVariableModel, inputs: Any):
  """Checks the shapes of images and one-hot labels, and the first values.

  Args:
    model: Model of the report.
    inputs: Examples x, `[n, ...]`, or a dictionary of 'x' and one-hot 'y'.

  Raises:
    ValueError: If they do not fit the model.
  """
  rows = observed(inputs)
  shape = np.shape(rows.get('x'))
  if 'x' in rows and (len(shape) < 2 or not shape[0]):
    raise ValueError('The report needs at least one x: `[n, height, width, '
                     'channels]` of images, `[n, ...]` of other data. '
                     f'Received: x.shape={shape}')
  model.check_batch(inputs)
  if any(len(part) != shape[0] for part in rows.values()):
    raise ValueError(
        'y must have a row for each image. Received: '
        f'{describe(dict(rows))}')
  model.check_values(tf.nest.map_structure(
      lambda part: part[:_CHECKED_IMAGES], inputs))


def check_by_latent(argument: str, values: Mapping[str, Any],
                    sizes: Mapping[str, int], rank: int = 1):
  """Checks an argument with an array for each latent.

  Args:
    argument: Name of the argument.
    values: Arrays by latent, whose first dimension has the size of the latent.
    sizes: Sizes of the model's latents by name.
    rank: Number of dimensions of each array.

  Raises:
    ValueError: If a latent is unknown, or an array of another shape.
  """
  for name, array in values.items():
    shape = np.shape(array)
    if name not in sizes or len(shape) != rank or shape[0] != sizes[name]:
      raise ValueError(
          f'`{argument}` must have arrays of {rank} dimensions, the first of '
          f'the size of the latent: {dict(sizes)}. Received: '
          f'{argument}[{name!r}] of shape {shape}')


def label_numbers(labels: Any, count: int, class_names: Sequence[str] = (),
                  ) -> tuple[np.ndarray, list[str]]:
  """Returns labels of any kind as numbers, and the names of the numbers.

  Args:
    labels: Integers, −1 for an unlabeled image; whole floats; booleans;
      strings; or one-hot rows. `[n]`, `[n, 1]` or, one-hot, `[n, classes]`.
    count: n, the number of images.
    class_names: Names of the labels 0, 1, …; further labels are named by their
      number.

  Returns:
    The labels, int64 `[n]`, and the names of 0, 1, … up to the largest label.

  Raises:
    ValueError: If they are of another kind, or their number is not n.
  """
  values = _in_one_dimension(np.asarray(labels))
  if values.shape != (count,):
    raise _unusable(labels, f'there are {count} images')
  if values.dtype.kind in 'USO':
    return _numbers_of_strings(labels, values, class_names)
  if values.dtype.kind not in 'biuf':
    raise _unusable(labels, f'their dtype is {values.dtype}')
  if values.dtype == bool and not class_names:
    class_names = ('false', 'true')
  with np.errstate(invalid='ignore'):  # A NaN is caught below.
    numbers = values.astype(np.int64)
  if (numbers != values).any() or numbers.min() < UNLABELED:
    bad = values[(numbers != values) | (numbers < UNLABELED)][0]
    raise _unusable(labels, f'one label is {bad}')
  return numbers, [*class_names, *map(
      str, range(len(class_names), int(numbers.max()) + 1))]


def _in_one_dimension(values: np.ndarray) -> np.ndarray:
  """Returns `[n, 1]` and one-hot rows as `[n]`, anything else unchanged."""
  if values.ndim != 2:
    return values
  if values.shape[1] == 1:
    return values[:, 0]
  if values.dtype.kind in 'biuf' and np.isin(values, (0, 1)).all() and (
      values.sum(axis=1) == 1).all():
    return values.argmax(axis=1)
  return values


def _numbers_of_strings(labels, values, class_names):
  words = [v.decode() if isinstance(v, bytes) else v for v in values.tolist()]
  if not all(isinstance(word, str) for word in words):
    raise _unusable(labels, 'some are neither strings nor numbers')
  names = list(class_names) or sorted(set(words))
  if not set(words) <= set(names):
    unknown = sorted(set(words) - set(names))
    raise _unusable(labels, f'class_names lacks {unknown[0]!r}')
  return np.array([names.index(word) for word in words]), names


def _unusable(labels, reason):
  return ValueError(
      '`labels` must have one for each image: integers from −1, which marks '
      'an unlabeled image, whole floats, booleans, strings or one-hot rows. '
      f'Received: labels of shape {np.shape(labels)}; {reason}')
