"""Row numbers as runs of successive rows."""

from collections.abc import Iterable

import numpy as np


class RowNumbers:
  """Distinct row numbers in any order, kept as runs of successive rows.

  A run takes 16 bytes, so the rows of a file of any length take no memory.

  Attributes:
    starts: First row of each run, int64 `[r]`.
    stops: Row after the last one of each run, int64 `[r]`.
  """

  def __init__(self, starts: np.ndarray, stops: np.ndarray):
    """Initializes the numbers; empty runs are left out, adjacent ones joined.

    Args:
      starts: First row of each run, int64 `[r]`.
      stops: Row after the last one of each run, int64 `[r]`.
    """
    full = starts < stops
    starts, stops = starts[full], stops[full]
    apart = starts[1:] != stops[:-1]
    self.starts = starts[np.append(True, apart)[:len(starts)]]
    self.stops = stops[np.append(apart, True)[:len(stops)]]
    # Place of the first row of each run, then the number of rows.
    self._places = _sums(self.stops - self.starts)

  @classmethod
  def run(cls, start: int, stop: int) -> 'RowNumbers':
    """Returns the rows from `start` to `stop`."""
    return cls(np.array([start], np.int64), np.array([stop], np.int64))

  @classmethod
  def of(cls, numbers: np.ndarray) -> 'RowNumbers':
    """Returns given numbers, int `[n]`."""
    numbers = np.asarray(numbers, np.int64)
    return cls(numbers, numbers + 1)

  @classmethod
  def joined(cls, parts: Iterable['RowNumbers']) -> 'RowNumbers':
    """Returns the numbers of all parts, one part after the other."""
    parts = list(parts)
    return cls(np.concatenate([part.starts for part in parts]),
               np.concatenate([part.stops for part in parts]))

  @classmethod
  def by_part(cls, sizes: dict[str, int]) -> dict[str, 'RowNumbers']:
    """Returns the rows of parts that are numbered through, by name."""
    ends = np.cumsum(list(sizes.values())).tolist()
    return {name: cls.run(end - size, end)
            for (name, size), end in zip(sizes.items(), ends, strict=True)}

  def __len__(self) -> int:
    return int(self._places[-1])

  def __array__(self, dtype=None, copy=None) -> np.ndarray:
    """Returns the numbers, int64 `[n]`."""
    return self.at(np.arange(len(self))).astype(dtype or np.int64)

  def __getitem__(self, key: slice) -> 'RowNumbers':
    """Returns the numbers in a slice of step 1."""
    start, stop, _ = key.indices(len(self))
    return RowNumbers(
        self.starts + np.maximum(start - self._places[:-1], 0),
        self.stops - np.maximum(self._places[1:] - stop, 0))

  def at(self, places: np.ndarray) -> np.ndarray:
    """Returns the numbers at places, int64 `[b]`."""
    run = np.searchsorted(self._places, places, 'right') - 1
    return self.starts[run] + places - self._places[run]

  def chosen(self, which: np.ndarray) -> 'RowNumbers':
    """Returns the numbers at places, or where a mask is true.

    Args:
      which: Places, int `[b]`, or a mask, bool `[n]`.
    """
    which = np.asarray(which)
    places = np.flatnonzero(which) if which.dtype == bool else which
    return RowNumbers.of(self.at(places))

  def rows_of(self, values: np.ndarray) -> np.ndarray:
    """Returns these rows of an array: of one run a view, otherwise a copy."""
    if len(self.starts) == 1:
      return values[self.starts[0]:self.stops[0]]
    return values[np.asarray(self)]

  def num_shared(self, other: 'RowNumbers') -> int:
    """Returns the number of rows that are also among others."""
    order = np.argsort(other.starts)
    starts, stops = other.starts[order], other.stops[order]
    before = _sums(stops - starts)

    def below(rows: np.ndarray) -> np.ndarray:
      """Returns how many of the others are below a row."""
      run = np.searchsorted(starts, rows, 'right')
      over = np.concatenate([[0], stops])[run] - rows
      return before[run] - np.maximum(over, 0)

    return int((below(self.stops) - below(self.starts)).sum())

  def by_group(self, sizes: Iterable[int]) -> tuple[np.ndarray, np.ndarray,
                                                    np.ndarray]:
    """Returns the runs within groups of rows that are numbered through.

    Args:
      sizes: Number of rows of each group.

    Returns:
      The group of each run, the number of its first row within the group, and
      the number of its rows, int64 `[r]` each.
    """
    ends = _sums(list(sizes))
    first = np.searchsorted(ends, self.starts, 'right') - 1
    last = np.searchsorted(ends, self.stops - 1, 'right') - 1
    count = last - first + 1
    run = np.repeat(np.arange(len(count)), count)
    group = np.arange(len(run)) + np.repeat(first - np.cumsum(
        count) + count, count)
    start = np.maximum(self.starts[run], ends[group])
    size = np.minimum(self.stops[run], ends[group + 1]) - start
    full = size > 0  # A group between others may be empty.
    return group[full], (start - ends[group])[full], size[full]


def _sums(sizes: np.typing.ArrayLike) -> np.ndarray:
  """Returns the sum of the sizes before each, then of all, int64."""
  return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
