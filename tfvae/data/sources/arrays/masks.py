"""Masks of arrays: which values are observed."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfvae.data.sources.arrays.rows import as_rows
from tfvae.data.sources.arrays.rows import Rows

_PIECE_VALUES = 2**22  # Values that are read at once.


class MaskedRows:
  """Rows as floating numbers, with NaN where no value is observed; see `Rows`.

  Pixels, uint8, become x / 255 if one of them is above 1.
  """

  def __init__(self, rows: Rows, observed: np.ndarray | None,
               divisor: float = 1):
    """Initializes the rows.

    Args:
      rows: Rows of numbers, `[n, ...]`.
      observed: True where a value is observed, bool of the same shape up to
        axes of size 1; None if all are.
      divisor: Number that each value is divided by.
    """
    self._rows, self._observed, self._divisor = rows, observed, divisor
    self.shape = rows.shape
    self.dtype = (np.dtype(rows.dtype) if rows.dtype.kind == 'f'
                  else np.dtype(np.float32))

  def __len__(self) -> int:
    return self.shape[0]

  def __getitem__(self, key: slice | np.ndarray) -> np.ndarray:
    values = np.asarray(self._rows[key]).astype(self.dtype)
    if self._divisor != 1:
      values /= self.dtype.type(self._divisor)
    return values if self._observed is None else np.where(
        self._observed[key], values, self.dtype.type(np.nan))


def checked_mask(name: str, key: str, mask: Any, x: Rows) -> np.ndarray:
  """Returns a mask as booleans that broadcast to x.

  Args:
    name: Name of the data set, for messages.
    key: Name of the mask, for messages.
    mask: Booleans, or 0 and 1, true where x is observed: of the shape of x, or
      `[n, height, width]` of images `[n, height, width, channels]`.
    x: Rows of x.

  Raises:
    ValueError: If the mask has another shape, or other values.
  """
  mask = as_rows(mask)[:]
  received = (f'Received: {key!r} of {name!r}, {mask.dtype} of shape '
              f'{mask.shape}, for x of shape {tuple(x.shape)}')
  shapes = [tuple(x.shape)]
  if len(x.shape) == 4:
    shapes += [tuple(x.shape[:3]), (*x.shape[:3], 1)]
  if mask.shape not in shapes:
    raise ValueError(
        'A mask must have the shape of x, or [n, height, width] for images [n, '
        f'height, width, channels], and be true where x is observed. {received}'
    )
  if mask.dtype.kind not in 'buif' or not ((mask == 0) | (mask == 1)).all():
    raise ValueError(
        'A mask must be boolean, or 0 and 1, where true or 1 means that x is '
        f'observed. {received}, with other values')
  mask = mask.astype(bool)
  return mask[..., np.newaxis] if mask.ndim < len(x.shape) else mask


def observed_values(x: Any) -> np.ndarray | None:
  """Returns where a masked array of NumPy has values; None if everywhere."""
  if not np.ma.is_masked(x):
    return None
  return ~np.ma.getmaskarray(x)


def with_holes(xs: Mapping[str, Rows],
               observed: Mapping[str, np.ndarray]) -> dict[str, Rows]:
  """Returns the rows of each part with NaN where a mask is false.

  Where no value is masked in any part, they are the rows as they are.

  Args:
    xs: Rows of each part, of one dtype.
    observed: Mask of some of the parts; see `checked_mask`.
  """
  if all(mask.all() for mask in observed.values()):
    return dict(xs)
  is_gray = any(
      (piece > 1).any() for part, x in xs.items() if x.dtype == np.uint8
      for piece in _observed_pieces(x, observed.get(part)))
  return {part: MaskedRows(x, observed.get(part), 255 if is_gray else 1)
          for part, x in xs.items()}


def _observed_pieces(x: Rows, observed: np.ndarray | None
                     ) -> Iterator[np.ndarray]:
  """Yields the observed values of successive rows; others are 0."""
  step = max(1, _PIECE_VALUES // max(1, x[:1].size))
  for start in range(0, len(x), step):
    rows = slice(start, start + step)
    yield x[rows] if observed is None else np.where(observed[rows], x[rows], 0)
