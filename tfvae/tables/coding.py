"""Columns as numbers, and back."""

from typing import Any

import numpy as np
import pandas as pd

from tfvae.tables.column import Column
from tfvae.tables.column import DATE


def coded(column: Column, values: Any) -> np.ndarray:
  """Returns the codes of values, float32 `[n]`; NaN where one is missing.

  Args:
    column: Description of the column.
    values: Array or series `[n]` of numbers, booleans, strings, or times or ISO
      strings of a date. None, NaN and NaT are missing. Messages name a row by
      the index of the series.

  Raises:
    ValueError: If a value does not fit the column.
  """
  values = pd.Series(values)
  if column.kind == 'date':
    return _days(column, values)
  if not column.categories:
    return _numbers(column, values)
  place = {_key(column, value): code
           for code, value in enumerate(column.values)}
  unknown = 0 if column.kind == 'categorical' else -1
  index, unique = pd.factorize(values)  # −1 for a missing value.
  codes = np.array([place.get(_key(column, value), unknown)
                    for value in unique] + [np.nan], np.float32)
  if (codes < 0).any():
    raise ValueError(
        f'The column {column.name!r} has a value that is not among its '
        f'categories {list(column.categories)}. Repair the value, or make the '
        'column categorical in the schema, which has a place for others. '
        f'Received: {_key(column, unique[int(np.nanargmin(codes))])!r}')
  return codes[index]


def decoded(column: Column, codes: np.ndarray) -> np.ndarray:
  """Returns the values of codes, `[n]`, in the type of the column.

  Where a code is NaN, the value is missing: NaN of numbers, NaT of dates, None
  of categories. Counts are then float32.

  Args:
    column: Description of the column.
    codes: Codes, float `[n]`.
  """
  codes = np.asarray(codes)
  holes = np.isnan(codes)
  if holes.any():
    return _with_holes(column, codes, holes)
  if column.kind == 'date':
    seconds = np.round(np.float64(codes) * 86400).astype('timedelta64[s]')
    return np.datetime64('1970-01-01', 's') + seconds
  if not column.categories:
    return codes.astype(np.int64 if column.kind == 'count' else np.float32)
  return np.array(column.values, object)[codes.astype(int)]


def _with_holes(column: Column, codes: np.ndarray,
                holes: np.ndarray) -> np.ndarray:
  """Returns the values of codes of which some are missing."""
  if column.kind != 'date' and not column.categories:
    return codes.astype(np.float32)
  values = decoded(column, np.where(holes, 0, codes))
  values[holes] = np.datetime64('NaT') if column.kind == 'date' else None
  return values


def _key(column: Column, value: Any) -> str:
  """Returns a text that is equal for equal values of a column."""
  if column.type == 'number':
    return repr(float(value))
  return repr(bool(value)) if column.type == 'boolean' else str(value)


def _numbers(column: Column, values: pd.Series) -> np.ndarray:
  try:
    numbers = pd.to_numeric(values).to_numpy(np.float64, na_value=np.nan)
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
        f'{values.index[np.argmax(np.isinf(numbers))]}')
  wrong = ~column.admits(numbers) & ~np.isnan(numbers)
  if wrong.any():
    least = 'above 0' if column.kind == 'positive' else 'whole and at least 0'
    raise ValueError(
        f'The column {column.name!r} is {column.kind}, and its numbers must be '
        f'{least}. Repair it, or set another kind, such as real, in the '
        f'schema. Received: {numbers[np.argmax(wrong)]:g} in row '
        f'{values.index[np.argmax(wrong)]}')
  return numbers


def _days(column: Column, values: pd.Series) -> np.ndarray:
  if not pd.api.types.is_datetime64_any_dtype(values):
    text = values.dropna().astype(str)
    wrong = text[~text.str.fullmatch(DATE)]
    if len(wrong):
      raise ValueError(
          f'The column {column.name!r} is a date, such as 2024-05-01 or '
          '2024-05-01 17:30:00. Repair the value, or set another kind in the '
          f'schema. Received: {wrong.iloc[0]!r}')
  try:
    times = pd.to_datetime(values, format='ISO8601', utc=True)
  except ValueError as error:  # The thirtieth of February.
    raise ValueError(
        f'The column {column.name!r} has a date that does not exist. Repair '
        f'it. Received: {error}') from error
  days = (times - pd.Timestamp(0, tz='UTC')) / pd.Timedelta(days=1)
  return days.to_numpy(np.float32)
