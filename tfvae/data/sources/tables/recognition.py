"""Recognition of the kind of each column of a table."""

import re

import numpy as np
import pandas as pd

from tfvae.tables.column import Column
from tfvae.tables.column import DATE
from tfvae.tables.schema import Schema

# A column of strings with more different values than this, and this share of
# the rows, names the rows.
_IDENTIFIER_VALUES, _IDENTIFIER_SHARE = 50, 0.5
# Categories that are kept are the most frequent, each of this many rows and
# this share of the rows.
_MAX_CATEGORIES, _MIN_ROWS, _MIN_SHARE = 100, 3, 0.001
_MAX_ORDINAL = 10  # Different whole numbers of an ordinal column.
_MAX_SMALLEST_COUNT, _MAX_COUNT = 4, 100_000


def recognized(frame: pd.DataFrame) -> Schema:
  """Returns a description of each column.

  - Booleans, and columns of two different values, are binary.
  - Times are dates, and so are strings if all are such as '2024-05-01' or
    '2024-05-01 17:30:00'.
  - Strings are categories, of which rare ones are pooled; they are left out as
    identifiers if more than half of more than 50 are different.
  - Whole numbers are identifiers if each row has a larger one than the row
    before it; ordinal if at most 10 are different; counts if the smallest is
    from 0 to 4 and none is above 100,000.
  - Other numbers are positive if all are above 0 and their logarithm is less
    skewed than they are, with a skewness above 1; else real.
  - A column of one value is left out.

  Args:
    frame: Table.

  Raises:
    ValueError: If a column has no value.
  """
  return Schema(tuple(_column(str(name), frame[name]) for name in frame))


def _column(name: str, values: pd.Series) -> Column:
  values = values.dropna()
  if not len(values):
    raise ValueError('Each column must have a value; remove the column. '
                     f'Received: {name!r} without any value')
  if pd.api.types.is_datetime64_any_dtype(values):
    return Column(name, 'date', 'string')
  kind = ('boolean' if pd.api.types.is_bool_dtype(values) else
          'number' if pd.api.types.is_numeric_dtype(values) else 'string')
  if kind == 'string' and isinstance(values.dtype, pd.CategoricalDtype):
    if values.cat.ordered:
      return Column(name, 'ordinal', 'string',
                    tuple(map(str, values.cat.categories)))
  plain = values.astype(str) if kind == 'string' else values
  counts = plain.value_counts()
  if len(counts) == 1:
    return Column(name, 'constant', kind)
  if len(counts) == 2:
    return Column(name, 'binary', kind, _plain(sorted(counts.index), kind))
  return (_of_strings(name, plain, counts) if kind == 'string'
          else _of_numbers(name, plain.to_numpy(), counts))


def _of_strings(name: str, values: pd.Series, counts: pd.Series) -> Column:
  if all(re.fullmatch(DATE, text) for text in counts.index):
    return Column(name, 'date', 'string')
  if len(counts) > max(_IDENTIFIER_VALUES, _IDENTIFIER_SHARE * len(values)):
    return Column(name, 'identifier', 'string')
  least = max(_MIN_ROWS, _MIN_SHARE * len(values))
  frequent = [text for text, count in counts.head(_MAX_CATEGORIES).items()
              if count >= least]
  if not frequent:
    return Column(name, 'identifier', 'string')
  return Column(name, 'categorical', 'string', tuple(sorted(frequent)))


def _of_numbers(name: str, values: np.ndarray, counts: pd.Series) -> Column:
  values = values.astype(np.float64)
  if (values % 1 == 0).all():
    if len(counts) == len(values) and (np.diff(values) > 0).all() and (
        len(values) > _MAX_ORDINAL):
      return Column(name, 'identifier')
    if len(counts) <= _MAX_ORDINAL:
      return Column(name, 'ordinal', 'number',
                    _plain(sorted(counts.index), 'number'))
    if 0 <= values.min() <= _MAX_SMALLEST_COUNT and values.max() <= _MAX_COUNT:
      return Column(name, 'count')
  if values.min() > 0 and _skewness(values) > max(
      1, abs(_skewness(np.log(values)))):
    return Column(name, 'positive')
  return Column(name, 'real')


def _skewness(values: np.ndarray) -> float:
  deviation = values - values.mean()
  return float((deviation**3).mean() / (deviation**2).mean()**1.5)


def _plain(values: list, kind: str) -> tuple:
  """Returns values as Python's own types, for a JSON file."""
  if kind == 'number':
    return tuple(int(v) if float(v).is_integer() else float(v) for v in values)
  return tuple(bool(v) if kind == 'boolean' else str(v) for v in values)
