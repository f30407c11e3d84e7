"""Ranges, moments and different values of numbers that come in chunks."""

from collections.abc import Iterable, Iterator
import dataclasses

import numpy as np
import pandas as pd

from tfvae.data.moments import moments

MAX_DISTINCT = 10_000  # Different values are counted up to here.
_SLICE = 2**20  # Numbers that are counted at a time.


@dataclasses.dataclass(frozen=True)
class Numbers:
  """Distribution of the observed numbers.

  Attributes:
    minimum: Smallest number; None if no number is observed, as the following.
    maximum: Largest number.
    mean: Mean.
    standard_deviation: Standard deviation of all, with n in the denominator.
    distinct: Number of different values; None if it is above 10,000.
    zeros: Fraction that is 0.
  """

  minimum: float | None
  maximum: float | None
  mean: float | None
  standard_deviation: float | None
  distinct: int | None
  zeros: float


class Distinct:
  """Different values of a column or an array, up to a limit."""

  def __init__(self):
    """Initializes the set without values."""
    self._values = np.empty(0)

  def add(self, x: np.ndarray) -> None:
    """Adds numbers, `[n]`, of which NaN are missing."""
    for start in range(0, len(x), _SLICE):
      if self.count is None:
        return
      found = pd.unique(x[start:start + _SLICE])
      self._values = pd.unique(np.concatenate(
          [self._values, found[found == found]]))

  @property
  def count(self) -> int | None:
    """The number of different values; None if it is above the limit."""
    return len(self._values) if len(self._values) <= MAX_DISTINCT else None


class Extent:
  """Smallest and largest observed number of each element of x."""

  def __init__(self):
    """Initializes the extent of no examples."""
    self.count, self.minimum, self.maximum = 0, np.inf, -np.inf

  def add(self, x: np.ndarray) -> None:
    """Adds examples, `[n, ...]`."""
    low, high = x.min(axis=0), x.max(axis=0)
    holes = np.zeros(x.shape[1:], np.int64)
    if np.isnan(low).any():
      # They ignore NaN, if there is another number.
      low, high = np.fmin.reduce(x, axis=0), np.fmax.reduce(x, axis=0)
      holes = np.isnan(x).sum(axis=0)
    self.count = self.count + len(x) - holes
    self.minimum = np.fmin(self.minimum, low)
    self.maximum = np.fmax(self.maximum, high)


def numbers_of(chunks: Iterable[np.ndarray]) -> tuple[Numbers, int]:
  """Returns the distribution of all numbers, and how many elements vary.

  Args:
    chunks: Parts of the data, `[n, ...]`, at least one example in all; they are
      read once.

  Returns:
    Distribution of the numbers of all elements together, and the number of
    elements of x that have more than one value.
  """
  extent, distinct = Extent(), Distinct()
  levels, zeros = np.zeros(256, np.int64), 0

  def floats() -> Iterator[np.ndarray]:
    nonlocal zeros
    for x in chunks:
      extent.add(x)
      x = x.reshape(-1)
      if x.dtype == np.uint8:
        for start in range(0, len(x), _SLICE):
          levels[:] += np.bincount(x[start:start + _SLICE], minlength=256)
        continue
      distinct.add(x)
      zeros += len(x) - np.count_nonzero(x)
      yield x

  mean, scale = moments(floats())
  if levels.any():
    distinct.add(np.flatnonzero(levels))
    zeros = levels[0]
    mean, scale = _of_levels(levels)
  size = int(np.sum(extent.count))
  if not size:
    return Numbers(None, None, None, None, 0, 0.0), 0
  low, high = float(np.min(extent.minimum)), float(np.max(extent.maximum))
  return Numbers(
      low, high, float(mean), float(scale) if high > low else 0.0,
      distinct.count, float(zeros / size)), int(
          np.sum(extent.maximum > extent.minimum))


def _of_levels(counts: np.ndarray) -> tuple[float, float]:
  """Returns mean and standard deviation of the levels 0, …, 255."""
  share, level = counts / counts.sum(), np.arange(256.0)
  mean = (share * level).sum()
  return mean, np.sqrt((share * np.square(level - mean)).sum())
