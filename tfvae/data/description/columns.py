"""Values of the columns of a table, from their codes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from tfvae.data.description.numbers import Distinct
from tfvae.data.description.numbers import Extent
from tfvae.data.moments import moments
from tfvae.tables import Column
from tfvae.tables import decoded


@dataclasses.dataclass(frozen=True)
class ColumnValues:
  """Observed values of a column.

  Attributes:
    name: Name of the column.
    kind: Kind of the column, a key of `tfvae.tables.KINDS`.
    minimum: Smallest number or date; None for categories, and if no value is
      observed, as the following.
    maximum: Largest number or date.
    mean: Mean.
    standard_deviation: Standard deviation, in days for dates.
    distinct: Number of different values; None if it is above 10,000.
    zeros: Fraction of numbers that are 0.
    counts: Number of rows of each category, by its text.
  """

  name: str
  kind: str
  minimum: float | str | None = None
  maximum: float | str | None = None
  mean: float | str | None = None
  standard_deviation: float | None = None
  distinct: int | None = None
  zeros: float | None = None
  counts: Mapping[str, int] = dataclasses.field(default_factory=dict)


def column_values(columns: Sequence[Column],
                  chunks: Iterable[np.ndarray]) -> tuple[ColumnValues, ...]:
  """Returns the values of each column.

  Args:
    columns: Modeled columns, in the order of x.
    chunks: Codes of rows, `[n, d]`, at least one row in all; they are read
      once.
  """
  extent, distinct = Extent(), [Distinct() for _ in columns]
  counts = [np.zeros(column.num_codes, np.int64) for column in columns]
  zeros = np.zeros(len(columns), np.int64)

  def passed() -> Iterator[np.ndarray]:
    for x in chunks:
      extent.add(x)
      zeros[:] += (x == 0).sum(axis=0)
      for column, codes, found, count in zip(
          columns, x.T, distinct, counts, strict=True):
        if column.categories:
          observed = codes[~np.isnan(codes)].astype(int)
          count += np.bincount(observed, minlength=len(count))
        else:
          found.add(codes)
      yield x

  mean, scale = moments(passed())
  scale = np.where(extent.maximum > extent.minimum, scale, 0.0)
  return tuple(
      _of_categories(column, counts[i]) if column.categories else
      ColumnValues(column.name, column.kind, distinct=0)
      if not extent.count[i] else ColumnValues(
          column.name, column.kind,
          *(plain_value(column, values[i])
            for values in (extent.minimum, extent.maximum, mean)),
          float(scale[i]), distinct[i].count,
          None if column.kind == 'date' else float(
              zeros[i] / extent.count[i]))
      for i, column in enumerate(columns))


def plain_value(column: Column, code: float) -> Any:
  """Returns the value of a code as a number or a text of JSON; None of NaN."""
  if np.isnan(code):
    return None
  if column.kind == 'date':
    text = str(decoded(column, np.array([code]))[0]).replace('T', ' ')
    return text.removesuffix(' 00:00:00')
  if column.categories:
    value = column.values[int(code)]
    return value if value == value else None  # NaN of other numbers.
  # The shortest number with this float32, such as 0.1.
  return float(str(code)) if isinstance(code, np.float32) else float(code)


def _of_categories(column: Column, counts: np.ndarray) -> ColumnValues:
  return ColumnValues(
      column.name, column.kind, distinct=int(np.count_nonzero(counts)),
      counts={str(value): int(count) for value, count in zip(
          column.values, counts, strict=True)})
