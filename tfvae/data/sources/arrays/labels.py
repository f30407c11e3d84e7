"""Labels of arrays: their kinds, and classes as numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tfvae.data.sources.source import LabelSpec

# Labels with more values than this are probably not classes.
_MAX_CLASSES = 10_000


def checked_labels(name: str, key: str, y: np.ndarray,
                   may_be_missing: bool = False) -> np.ndarray:
  """Returns labels as integers or strings, `[n]`.

  Labels that may be missing are then −1 or '' where they are: −1, None, NaN,
  an empty string, or a row of zeros or NaN.

  Args:
    name: Name of the data set, for messages.
    key: Name of the array, for messages.
    y: Integers, whole floats, booleans or strings, `[n]` or `[n, 1]`, or
      one-hot rows `[n, classes]`.
    may_be_missing: Whether labels may be missing.

  Raises:
    ValueError: If they are of another kind.
  """
  y = np.asarray(y)
  if y.ndim == 2 and y.shape[1] == 1:
    y = y[:, 0]
  if may_be_missing:
    y = _with_missing(y)
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
        'Set `label_key` to such an array, or to None for no labels. Missing '
        'ones are possible where y has a factor in q and in p. '
        f'Received: {key!r} of {name!r}, {y.dtype} of shape {y.shape}')
  return y.astype(str) if y.dtype.kind == 'S' else y


def _with_missing(y: np.ndarray) -> np.ndarray:
  """Returns labels with −1, or '' among strings, for the missing ones."""
  if y.ndim == 2 and y.dtype.kind in 'buif':
    y = np.nan_to_num(y)
    is_missing = ~y.any(axis=1)
    # The first column stands for a missing label, number −1 below.
    rows = np.column_stack([is_missing, y])
    is_one_hot = ((rows == 0) | (rows == 1)).all() and (
        rows.sum(axis=1) == 1).all()
    return np.argmax(rows, axis=1) - 1 if is_one_hot else y
  if y.ndim == 1 and y.dtype.kind in 'Of':
    is_missing = pd.isna(y)
    known = np.asarray(y[~is_missing].tolist())  # Of numbers or of strings.
    filled = np.full(
        len(y), '' if known.dtype.kind in 'US' else -1,
        known.dtype if known.dtype.kind in 'US' else np.float64)
    filled[~is_missing] = known
    return filled
  return y


def merged_classes(
    key: str, chunks: Sequence[tuple[np.ndarray, np.ndarray]],
    may_be_missing: bool = False) -> tuple[LabelSpec, np.ndarray]:
  """Returns the same as `numbered_classes`, of labels in chunks.

  Args:
    key: Name of the labels.
    chunks: Different labels of each chunk, as `checked_labels` returns them,
      and the place of the label of each row among them.
    may_be_missing: Whether −1 and '' are missing labels.

  Raises:
    ValueError: If there are too many different labels, or none.
  """
  values = np.unique(np.concatenate([values for values, _ in chunks]))
  label, numbers = numbered_classes(key, [values], may_be_missing)
  ends = np.cumsum([0, *(len(places) for _, places in chunks)])
  labels = np.empty(ends[-1], np.int64)
  for start, (found, places) in zip(ends[:-1], chunks, strict=True):
    labels[start:start + len(places)] = numbers[
        np.searchsorted(values, found)][places]
  return label, labels


def label_values(column: pd.Series,
                 may_be_missing: bool = False) -> np.ndarray:
  """Returns the labels of a column as numbers or strings, `[n]`.

  Args:
    column: Column of a table.
    may_be_missing: Whether missing values become NaN or None.
  """
  is_missing = column.isna().to_numpy()
  if may_be_missing and is_missing.any():
    values = np.full(len(column), None, object)
    values[~is_missing] = label_values(column[~is_missing])
    return values
  if pd.api.types.is_numeric_dtype(column):
    return column.to_numpy()
  return column.astype(str).to_numpy('U')


def numbered_classes(key: str, ys: Sequence[np.ndarray],
                     may_be_missing: bool = False
                     ) -> tuple[LabelSpec, np.ndarray]:
  """Returns the description of the labels, and the class of each row.

  Integers from 0 are the classes themselves; other labels are numbered in
  sorted order.

  Args:
    key: Name of the arrays.
    ys: Labels of each part, as `checked_labels` returns them.
    may_be_missing: Whether −1 and '' are missing labels, whose class is −1.

  Raises:
    ValueError: If there are too many different labels, or none.
  """
  if may_be_missing:
    y = np.concatenate(ys)
    is_missing = (y == '') if y.dtype.kind == 'U' else (
        y.astype(np.int64) == -1)
    if is_missing.all():
      raise ValueError(
          'All labels are missing; at least one must be known. Set `label_key` '
          f'to another array. Received: label_key={key!r}, {len(y):,} missing')
    spec, classes = numbered_classes(key, [y[~is_missing]])
    labels = np.full(len(y), -1, np.int64)
    labels[~is_missing] = classes
    return spec, labels
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
