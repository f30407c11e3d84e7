"""Recognition of the kind of each column of a table."""

import collections
import re
from typing import Any

import numpy as np
import pandas as pd

from tfvae.tables.column import Column
from tfvae.tables.column import DATE
from tfvae.tables.schema import Schema

# A column of strings with more different values than this, and this share of
# the rows, names the rows; so does one with more than `_MAX_VALUES`, which
# bounds the memory.
_IDENTIFIER_VALUES, _IDENTIFIER_SHARE = 50, 0.5
_MAX_VALUES = 100_000
# Categories that are kept are the most frequent, each of this many rows and
# this share of the rows.
_MAX_CATEGORIES, _MIN_ROWS, _MIN_SHARE = 100, 3, 0.001
_MAX_ORDINAL = 10  # Different whole numbers of an ordinal column.
_MAX_SMALLEST_COUNT, _MAX_COUNT = 4, 100_000


def recognized(frame: pd.DataFrame) -> Schema:
  """Returns a description of each column; see `Recognition`.

  Raises:
    ValueError: If a column has no value.
  """
  recognition = Recognition()
  recognition.update(frame)
  return recognition.schema()


class Recognition:
  """Recognition of the columns of a table that is read in chunks.

  - Booleans, and columns of two different values, are binary.
  - Times are dates, and so are strings if all are such as '2024-05-01' or
    '2024-05-01 17:30:00'.
  - Strings are categories, of which rare ones are pooled; they are left out as
    identifiers if more than half of more than 50, or more than 100,000, are
    different.
  - Whole numbers are identifiers if each row has a larger one than the row
    before it; ordinal if at most 10 are different; counts if the smallest is
    from 0 to 4 and none is above 100,000.
  - Other numbers are positive if all are above 0 and their logarithm is less
    skewed than they are, with a skewness above 1; else real.
  - A column of one value is left out.

  The chunks do not matter, up to the rounding of the skewness.
  """

  def __init__(self):
    """Starts without rows."""
    self._columns: dict[str, _Values] = {}

  def update(self, frame: pd.DataFrame) -> None:
    """Adds the rows of a frame."""
    for name in frame:
      self._columns.setdefault(str(name), _Values()).update(frame[name])

  def schema(self) -> Schema:
    """Returns a description of each column.

    Raises:
      ValueError: If a column has no value.
    """
    return Schema(tuple(
        values.column(name) for name, values in self._columns.items()))


class _Values:
  """Statistics of the values of a column that is read in chunks."""

  def __init__(self):
    self._count, self._types = 0, set()
    self._categories: dict[str, None] | None = {}  # Those in order.
    # Rows of each string, or None if they are too many.
    self._strings: collections.Counter | None = collections.Counter()
    self._are_dates = True
    self._numbers: set[Any] | None = set()  # The same of numbers.
    self._are_whole, self._are_ascending = True, True
    self._least, self._largest, self._last = np.inf, -np.inf, -np.inf
    self._moments, self._moments_of_log = _Moments(), _Moments()

  def update(self, values: pd.Series) -> None:
    """Adds values, of which some may be missing."""
    values = values.dropna()
    kind = _type(values)
    self._types.add(kind)
    self._count += len(values)
    ordered = kind == 'string' and isinstance(
        values.dtype, pd.CategoricalDtype) and values.cat.ordered
    if not ordered:
      self._categories = None
    elif self._categories is not None:
      self._categories |= dict.fromkeys(map(str, values.cat.categories))
    if kind == 'number':
      self._update_numbers(values)
    elif kind != 'date' and len(values):
      self._update_strings(values.astype(str))

  def column(self, name: str) -> Column:
    """Returns the description of the column."""
    if not self._count:
      raise ValueError('Each column must have a value; remove the column. '
                       f'Received: {name!r} without any value')
    # Booleans with holes are objects.
    kind = self._types.pop() if len(self._types) == 1 else 'string'
    if kind == 'date':
      return Column(name, 'date', 'string')
    if self._categories is not None:
      return Column(name, 'ordinal', 'string', tuple(self._categories))
    values = self._numbers if kind == 'number' else self._strings
    if values is not None and len(values) == 1:
      return Column(name, 'constant', kind)
    if values is not None and len(values) == 2:
      return Column(name, 'binary', kind, _plain(sorted(values), kind))
    return (self._column_of_strings(name) if kind == 'string'
            else self._column_of_numbers(name))

  def _update_strings(self, values: pd.Series) -> None:
    counts = values.value_counts()
    if self._strings is not None:
      self._strings.update(counts.to_dict())
      if len(self._strings) > _MAX_VALUES:
        self._strings = None
    self._are_dates = self._are_dates and all(
        re.fullmatch(DATE, text) for text in counts.index)

  def _update_numbers(self, values: pd.Series) -> None:
    if self._numbers is not None:
      self._numbers |= set(values.unique().tolist())
      if len(self._numbers) > _MAX_ORDINAL:
        self._numbers = None
    x = values.to_numpy(np.float64)
    if not len(x):
      return
    self._are_whole = self._are_whole and bool((x % 1 == 0).all())
    self._are_ascending = self._are_ascending and bool(
        (np.diff(x, prepend=self._last) > 0).all())
    self._last = x[-1]
    self._least = min(self._least, x.min())
    self._largest = max(self._largest, x.max())
    self._moments.update(x)
    if self._least > 0:
      self._moments_of_log.update(np.log(x))

  def _column_of_strings(self, name: str) -> Column:
    if self._are_dates:
      return Column(name, 'date', 'string')
    if self._strings is None or len(self._strings) > max(
        _IDENTIFIER_VALUES, _IDENTIFIER_SHARE * self._count):
      return Column(name, 'identifier', 'string')
    least = max(_MIN_ROWS, _MIN_SHARE * self._count)
    frequent = sorted((-count, text) for text, count in self._strings.items()
                      if count >= least)[:_MAX_CATEGORIES]
    if not frequent:
      return Column(name, 'identifier', 'string')
    return Column(name, 'categorical', 'string',
                  tuple(sorted(text for _, text in frequent)))

  def _column_of_numbers(self, name: str) -> Column:
    if self._are_whole:
      if self._are_ascending and self._count > _MAX_ORDINAL:
        return Column(name, 'identifier')
      if self._numbers is not None:
        return Column(name, 'ordinal', 'number',
                      _plain(sorted(self._numbers), 'number'))
      if 0 <= self._least <= _MAX_SMALLEST_COUNT and (
          self._largest <= _MAX_COUNT):
        return Column(name, 'count')
    if self._least > 0 and self._moments.skewness() > max(
        1, abs(self._moments_of_log.skewness())):
      return Column(name, 'positive')
    return Column(name, 'real')


class _Moments:
  """Mean and central sums of numbers, up to the third power.

  Chunks are merged as by Pébay, Formulas for Robust, One-Pass Parallel
  Computation of Covariances and Arbitrary-Order Statistical Moments, 2008.
  """

  def __init__(self):
    self._count, self._mean, self._second, self._third = 0, 0.0, 0.0, 0.0

  def update(self, x: np.ndarray) -> None:
    """Adds numbers, float64 `[n]`."""
    a, b = self._count, len(x)
    mean = x.mean()
    deviation = x - mean
    squares = deviation * deviation  # Faster than powers.
    second, third = squares.sum(), (squares * deviation).sum()
    delta, n = mean - self._mean, a + b
    # S3 = S3a + S3b + δ³ ab(a − b)/n² + 3δ (a S2b − b S2a)/n
    self._third += third + delta**3 * a * b * (a - b) / n**2 + (
        3 * delta * (a * second - b * self._second) / n)
    self._second += second + delta**2 * a * b / n
    self._mean += delta * b / n
    self._count = n

  def skewness(self) -> float:
    """Returns m3 / m2^1.5 of the central moments."""
    return float(self._third / self._count / (
        self._second / self._count)**1.5)


def _type(values: pd.Series) -> str:
  """Returns 'date', or the type of the values as of `Column`."""
  if pd.api.types.is_datetime64_any_dtype(values):
    return 'date'
  return ('boolean' if pd.api.types.is_bool_dtype(values) else
          'number' if pd.api.types.is_numeric_dtype(values) else 'string')


def _plain(values: list, kind: str) -> tuple:
  """Returns values as Python's own types, for a JSON file."""
  if kind == 'number':
    return tuple(int(v) if float(v).is_integer() else float(v) for v in values)
  return tuple(v == 'True' if kind == 'boolean' else str(v) for v in values)
