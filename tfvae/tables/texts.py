"""Values of columns as text that a person reads."""

import numpy as np

from tfvae.tables.coding import decoded
from tfvae.tables.column import Column

MISSING = 'missing'  # Text of a missing value.

_FEW_DAYS = 3.0  # Standard deviation below which a date shows its time.


def texts(column: Column, codes: np.ndarray, digits: int = 4) -> list[str]:
  """Returns the values of codes: names of categories, dates, short numbers.

  Args:
    column: Description of the column.
    codes: Codes `[n]`; those of numbers need not be whole. A NaN is missing.
    digits: Significant digits of a number.
  """
  codes = np.asarray(codes)
  is_missing = np.isnan(codes)
  if is_missing.any():
    known = iter(texts(column, codes[~is_missing], digits))
    return [MISSING if missing else next(known) for missing in is_missing]
  if column.kind == 'date':
    unit = 'm' if column.scale < _FEW_DAYS else 'D'
    return [text.replace('T', ' ') for text in np.datetime_as_string(
        decoded(column, codes), unit).tolist()]
  if not column.categories:
    return [_number(code, digits) for code in codes.tolist()]
  names = [str(value) for value in column.values]
  if column.kind == 'categorical':
    names[0] = 'other'  # A NaN in numbers.
  return [names[code] for code in codes.astype(int).tolist()]


def _number(value: float, digits: int) -> str:
  is_long = abs(value) >= 10**digits and np.isfinite(value)
  return f'{value:,.0f}' if is_long else f'{value:.{digits}g}'
