"""Pictures of x: images as they are, other data as profiles."""

import math

import numpy as np

_HEIGHT, _WIDTH = 36, 48  # Pixels of a profile.
_INK = 0.35  # Gray level of the area below a profile.
_GRAY = 0.5  # Gray level of a missing pixel,
_LIGHT = 0.85  # and of the column of a missing number in a profile.
# Spread of the dimensions above which each gets a scale of its own.
_ONE_SCALE = 10.0


class Display:
  """Function from x to pictures, with a scale that is fixed by some data.

  An image `[h, w, c]` is shown from the lowest to the highest number of the
  data, where 0 and 1 are included. Any other x is shown as a profile: the area
  below its numbers, from left to right. All numbers have one scale if their
  standard deviations differ by a factor of at most 10; otherwise each has its
  own, from its lowest to its highest value. Missing pixels, NaN, are gray, and
  so is the column of a missing number.
  """

  def __init__(self, data: np.ndarray):
    """Initializes the scale.

    Args:
      data: Examples of x, `[n, ...]`.
    """
    data = np.asarray(data, np.float64)
    self.is_image = data.ndim == 4
    self.shape = data.shape[1:]
    if self.is_image:
      known = ~np.isnan(data)
      self._low = float(np.min(data, initial=0.0, where=known))
      self._high = float(np.max(data, initial=1.0, where=known))
      return
    rows = _without_missing(data.reshape(len(data), -1))
    spread = rows.std(axis=0)
    varying = spread[spread > 0]
    axis = 0 if varying.size and (
        varying.max() > _ONE_SCALE * varying.min()) else None
    self._low = rows.min(axis=axis)
    self._high = np.maximum(rows.max(axis=axis), self._low + 1e-12)

  def __call__(self, x: np.ndarray) -> np.ndarray:
    """Returns pictures in [0, 1] with 1 or 3 channels, `[n, h, w, c]`.

    Args:
      x: Data of the shape of the examples, `[n, ...]`; values outside their
        range are clipped.
    """
    x = np.asarray(x)
    if self.is_image:
      shown = np.clip((x - self._low) / (self._high - self._low), 0, 1)
      shown = np.where(np.isnan(shown), _GRAY, shown)
      return shown if shown.shape[-1] in (1, 3) else shown[..., :1]
    rows = x.reshape(len(x), math.prod(self.shape))
    levels = np.clip((rows - self._low) / (self._high - self._low), 0, 1)
    size = levels.shape[1]
    # Each number has at least one column; of more numbers, every k-th is shown.
    columns = (np.arange(_WIDTH) * size // _WIDTH if size < _WIDTH
               else np.linspace(0, size - 1, min(size, 2 * _WIDTH)).astype(int))
    levels = levels[:, np.newaxis, columns]
    tops = np.round(levels * (_HEIGHT - 2)) + 1  # In pixels.
    heights = np.arange(_HEIGHT, 0, -1)[:, np.newaxis]
    drawn = np.where(heights <= tops, _INK, 1.0)
    return np.where(np.isnan(levels), _LIGHT, drawn)[..., np.newaxis]


def _without_missing(rows: np.ndarray) -> np.ndarray:
  """Returns rows with the mean of the column, or 0, in place of each NaN."""
  known = ~np.isnan(rows)
  if known.all():
    return rows
  means = np.sum(rows, axis=0, where=known) / np.maximum(known.sum(axis=0), 1)
  return np.where(known, rows, means)
