"""Missing values of rows: their counts, and the treatment of such rows."""

from collections.abc import Sequence
import logging
import math

import numpy as np

_LOGGER = logging.getLogger(__name__)

MISSING = ('refuse', 'drop', 'allow')

_LISTED = 8  # Names in a message.
_KEPT = 100  # Elements of an array whose counts are kept by name.


class MissingValues:
  """Missing values of successive rows of a part of a data set.

  Attributes:
    counts: Number of rows that miss each element of x, int64 of its shape.
    rows: Number of rows.
    empty: Number of rows in which no element is observed.
    num_incomplete: Number of rows in which an element is missing.
  """

  def __init__(self, shape: Sequence[int], names: Sequence[str] = ()):
    """Initializes the counts of no rows.

    Args:
      shape: Shape of one x.
      names: Names of its elements, `[d]`; by default their indices.
    """
    self.counts = np.zeros(tuple(shape), np.int64)
    self.rows, self.empty = 0, 0
    self.num_incomplete = 0
    # Each chunk with incomplete rows: its first row, and a bit for each row.
    self._names, self._chunks = list(names), []

  def add(self, holes: np.ndarray) -> np.ndarray:
    """Adds rows.

    Args:
      holes: True where a value is missing, `[b, *shape]`.

    Returns:
      Whether a value of each row is missing, `[b]`.
    """
    rows = holes.reshape(len(holes), -1)
    incomplete = rows.any(axis=1)
    self.counts += holes.sum(axis=0)
    self.empty += int(rows.all(axis=1).sum())
    if incomplete.any():
      self.num_incomplete += int(incomplete.sum())
      self._chunks.append((self.rows, np.packbits(incomplete)))
    self.rows += len(rows)
    return incomplete

  def add_values(self, x: np.ndarray) -> None:
    """Adds rows of numbers, `[b, *shape]`; NaN is a missing value."""
    # A minimum takes a fraction of the time of the masks.
    if x.dtype.kind == 'f' and x.size and np.isnan(x.min()):
      self.add(np.isnan(x))
      return
    self.rows += len(x)

  @property
  def incomplete(self) -> np.ndarray:
    """Whether a value of each row is missing, bool `[n]`."""
    found = np.zeros(self.rows, bool)
    for start, bits in self._chunks:
      # The bits after the last row of the chunk are 0.
      part = found[start:start + 8 * len(bits)]
      part |= np.unpackbits(bits, count=len(part)).view(bool)
    return found

  def by_name(self) -> dict[str, int]:
    """Returns the number of rows that miss each named element, if there are.

    Of elements without names, such as 'x[:, 3]', the 100 that are missing most
    often are returned.
    """
    return largest_counts(self.counts, self._names, math.inf if self._names
                          else _KEPT)

  def treat(self, missing: str, name: str, part: str,
            remedy: str = '') -> None:
    """Raises an error or logs what becomes of rows with missing values.

    Args:
      missing: One of `MISSING`.
      name: Name of the data set, for messages.
      part: Name of the part, for messages.
      remedy: Remedy besides those of `missing`, for messages.

    Raises:
      ValueError: If values are missing and that is refused, or no row is left.
    """
    count = self.num_incomplete
    if not count:
      return
    if missing == 'refuse' or (missing == 'drop' and count == self.rows):
      raise self._refusal(missing, name, part, remedy)
    listed = self._listed()
    if missing == 'drop':
      _LOGGER.warning('%s, %s: %d of %d rows with missing values are left out '
                      '(%s).', name, part, count, self.rows, listed)
      return
    _LOGGER.info('%s, %s: %d of %d rows have missing values (%s).', name, part,
                 count, self.rows, listed)
    if self.empty:
      _LOGGER.warning(
          '%s, %s: %d of %d rows have no observed value. They are kept; their '
          'log-likelihood is 0, so the model learns nothing from them.', name,
          part, self.empty, self.rows)

  def _refusal(self, missing: str, name: str, part: str,
               remedy: str) -> ValueError:
    count = self.num_incomplete
    received = (f'Received: missing={missing} for {count:,} of {self.rows:,} '
                f'rows of {part!r} of {name!r} with missing values '
                f'({self._listed()})')
    remedy = f'; or {remedy}' if remedy else ''
    learn = "Learn from the incomplete rows with `missing='allow'`"
    if missing == 'refuse':
      return ValueError(
          f'Values are missing. {learn}, or leave them out with '
          f"`missing='drop'`{remedy}. {received}")
    return ValueError('Each row has a missing value, so that none is left. '
                      f'{learn}{remedy}. {received}')

  def _listed(self) -> str:
    found = largest_counts(self.counts, self._names, _LISTED)
    more = np.count_nonzero(self.counts) - len(found)
    listed = ', '.join(
        f'{name!r}: {count:,}' for name, count in found.items())
    return listed + (f' and {more:,} more' if more else '')


def largest_counts(counts: np.ndarray, names: Sequence[str],
                   at_most: float) -> dict[str, int]:
  """Returns the largest counts above 0 by the name of their element, in order.

  Args:
    counts: Count of each element, of the shape of x.
    names: Names of the elements, `[d]`; if empty, such as 'x[:, 3]'.
    at_most: Number of counts.
  """
  found = np.flatnonzero(counts)
  if len(found) > at_most:
    order = np.argsort(-counts.reshape(-1)[found], kind='stable')
    found = np.sort(found[order[:int(at_most)]])
  return {element_name(place, counts.shape, names): int(counts.flat[place])
          for place in found.tolist()}


def element_name(place: int, shape: Sequence[int],
                 names: Sequence[str] = ()) -> str:
  """Returns the name of an element of x, such as 'x[:, 3]' without names."""
  if names:
    return names[place]
  index = np.unravel_index(place, tuple(shape))
  return f'x[:, {", ".join(map(str, map(int, index)))}]'
