"""Labels of arrays: their kinds, and classes as numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tfvae.data.sources.source import LabelSpec

# Labels with more values than this are probably not classes.
_MAX_CLASSES = 10_000


def checked_labels(name: str, key: str, y: np.ndarray) -> np.ndarray:
  """Returns labels as integers or strings, `[n]`.

  Args:
    name: Name of the data set, for messages.
    key: Name of the array, for messages.
    y: Integers, whole floats, booleans or strings, `[n]` or `[n, 1]`, or
      one-hot rows `[n, classes]`.

  Raises:
    ValueError: If they are of another kind.
  """
  y = np.asarray(y)
  if y.ndim == 2 and y.shape[1] == 1:
    y = y[:, 0]
  is_one_hot = (y.ndim == 2 and y.dtype.kind in 'buif'
                and bool(((y == 0) | (y == 1)).all() and (
                    y.sum(axis=1) == 1).all()))
  if is_one_hot:
    return np.argmax(y, axis=1)
  if y.ndim == 1 and y.dtype.kind == 'f' and (y == np.round(y)).all():
    return y.astype(np.int64)
  if y.ndim != 1 or y.dtype.kind not in 'buiUS':
    raise ValueError(
        'Labels must be integers or strings `[n]`, or one-hot `[n, classes]`. '
        'Set `label_key` to such an array, or to None for no labels. '
        f'Received: {key!r} of {name!r}, {y.dtype} of shape {y.shape}')
  return y.astype(str) if y.dtype.kind == 'S' else y


def merged_classes(
    key: str, chunks: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[LabelSpec, np.ndarray]:
  """Returns the same as `numbered_classes`, of labels in chunks.

  Args:
    key: Name of the labels.
    chunks: Different labels of each chunk, as `checked_labels` returns them,
      and the place of the label of each row among them.

  Raises:
    ValueError: If there are too many different labels.
  """
  values = np.unique(np.concatenate([values for values, _ in chunks]))
  label, numbers = numbered_classes(key, [values])
  ends = np.cumsum([0, *(len(places) for _, places in chunks)])
  labels = np.empty(ends[-1], np.int64)
  for start, (found, places) in zip(ends[:-1], chunks, strict=True):
    labels[start:start + len(places)] = numbers[
        np.searchsorted(values, found)][places]
  return label, labels


def label_values(column: pd.Series) -> np.ndarray:
  """Returns the labels of a column as numbers or strings, `[n]`."""
  if pd.api.types.is_numeric_dtype(column):
    return column.to_numpy()
  return column.astype(str).to_numpy('U')


def numbered_classes(key: str, ys: Sequence[np.ndarray]
                     ) -> tuple[LabelSpec, np.ndarray]:
  """Returns the description of the labels, and the class of each row.

  Integers from 0 are the classes themselves; other labels are numbered in
  sorted order.

  Args:
    key: Name of the arrays.
    ys: Labels of each part, as `checked_labels` returns them.

  Raises:
    ValueError: If there are too many different labels.
  """
  values, labels = np.unique(np.concatenate(ys), return_inverse=True)
  if values.dtype.kind in 'bui' and 0 <= values[0] and (
      values[-1] < 2 * len(values)):
    values = np.arange(int(values[-1]) + 1)
    labels = np.concatenate(ys)
  if len(values) > _MAX_CLASSES:
    raise ValueError(
        f'Labels must be classes, at most {_MAX_CLASSES:,}. Set `label_key` to '
        'another array, or to None for no labels. Received: '
        f'label_key={key!r} with {len(values):,} different values')
  names = tuple(map(str, values.tolist()))
  return LabelSpec(key, len(names), names), labels.astype(np.int64)
