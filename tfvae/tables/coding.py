"""Columns as numbers, and back, in NumPy."""

from typing import Any

import numpy as np

from tfvae.tables.column import Column

OTHER = 'other'  # In samples, of a rare category of strings.


def coded(column: Column, values: Any) -> np.ndarray:
  """Returns the codes of values, float32 `[n]`; NaN where one is missing.

  Args:
    column: Description of the column.
    values: Values `[n]`: numbers, booleans, strings, or `datetime64` or ISO
      strings of a date. None, NaN and NaT are missing.

  Raises:
    ValueError: If a value does not fit the column.
  """
  values = np.asarray(values)
  missing = _is_missing(values)
  if column.kind == 'date':
    return _days(column, values, missing)
  if not column.categories:
    return _numbers(column, values, missing)
  codes = np.full(len(values), np.nan, np.float32)
  first = int(column.kind == 'categorical')
  place = {_key(column, value): first + i
           for i, value in enumerate(column.categories)}
  unique, inverse = np.unique(
      [_key(column, value) for value in values[~missing].tolist()] or
      np.zeros(0, 'U1'), return_inverse=True)
  found = np.array([place.get(value, 0 if first else -1)
                    for value in unique.tolist()], np.float32)
  if (found < 0).any():
    wrong = unique[np.argmin(found)]
    raise ValueError(
        f'The column {column.name!r} has a value that is not among its '
        f'categories {list(column.categories)}. Repair the value, or make the '
        'column categorical in the schema, which has a place for others. '
        f'Received: {wrong!r}')
  codes[~missing] = found[inverse] if len(unique) else []
  return codes


def decoded(column: Column, codes: np.ndarray) -> np.ndarray:
  """Returns the values of codes, `[n]`, in the type of the column.

  Args:
    column: Description of the column.
    codes: Codes, float `[n]`.
  """
  codes = np.asarray(codes)
  if column.kind == 'date':
    seconds = np.round(np.float64(codes) * 86400).astype('timedelta64[s]')
    return np.datetime64('1970-01-01', 's') + seconds
  if not column.categories:
    return codes.astype(np.int64) if column.kind == 'count' else (
        codes.astype(np.float32))
  values = list(column.categories)
  if column.kind == 'categorical':
    values = [OTHER if column.type == 'string' else np.nan, *values]
  return np.array(values, object)[codes.astype(int)]


def _key(column: Column, value: Any) -> str:
  """Returns a text that is equal for equal values of a column."""
  if column.type == 'number':
    return repr(float(value))
  return repr(bool(value)) if column.type == 'boolean' else str(value)


def _is_missing(values: np.ndarray) -> np.ndarray:
  if values.dtype.kind == 'f':
    return np.isnan(values)
  if values.dtype.kind in 'mM':
    return np.isnat(values)
  if values.dtype.kind == 'O':
    # A missing value is None, or differs from itself.
    return np.array([value is None or bool(value != value)
                     for value in values.tolist()], bool)
  return np.zeros(len(values), bool)


def _numbers(column: Column, values: np.ndarray,
             missing: np.ndarray) -> np.ndarray:
  numbers = np.full(len(values), np.nan)
  try:
    numbers[~missing] = values[~missing].astype(np.float64)
  except (TypeError, ValueError) as error:
    raise ValueError(
        f'The column {column.name!r} is {column.kind} and must have numbers. '
        'Repair the value, or set another kind in the schema. '
        f'Received: {error}') from error
  with np.errstate(over='ignore'):
    numbers = numbers.astype(np.float32)
  if np.isinf(numbers).any():
    raise ValueError(
        f'The column {column.name!r} has an infinite number, or one beyond '
        'float32. Repair or rescale it. Received: row '
        f'{int(np.argmax(np.isinf(numbers)))}')
  least = {'positive': 'above 0', 'count': 'whole and at least 0'}
  wrong = {'positive': numbers <= 0,
           'count': (numbers < 0) | (numbers % 1 != 0)}.get(
               column.kind, np.zeros(len(numbers), bool)) & ~missing
  if wrong.any():
    raise ValueError(
        f'The column {column.name!r} is {column.kind}, and its numbers must be '
        f'{least[column.kind]}. Repair it, or set another kind, such as real, '
        f'in the schema. Received: {numbers[np.argmax(wrong)]:g} in row '
        f'{int(np.argmax(wrong))}')
  return numbers


def _days(column: Column, values: np.ndarray,
          missing: np.ndarray) -> np.ndarray:
  if values.dtype.kind != 'M':
    dates = np.full(len(values), 'NaT', 'datetime64[s]')
    try:
      dates[~missing] = [np.datetime64(str(value).removesuffix('Z'), 's')
                         for value in values[~missing].tolist()]
    except ValueError as error:
      raise ValueError(
          f'The column {column.name!r} is a date, such as 2024-05-01 or '
          '2024-05-01 17:30:00. Repair the value, or set another kind in the '
          f'schema. Received: {error}') from error
    values = dates
  days = (values - np.datetime64('1970-01-01')) / np.timedelta64(1, 'D')
  return np.float32(days)
