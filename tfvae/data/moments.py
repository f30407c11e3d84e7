"""Mean and standard deviation of each element of x."""

from collections.abc import Iterable

import numpy as np


def moments(chunks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
  """Returns mean and standard deviation of each element of x, in float64.

  They are those of the observed values; NaN is a missing value.

  The chunks are merged as by Chan, Golub and LeVeque, Updating Formulae and a
  Pairwise Algorithm for Computing Sample Variances, 1979.

  Args:
    chunks: Parts of the data, `[n, *event_shape]` each.

  Returns:
    Two arrays of the event shape; the standard deviation of a constant element
    is 1, and so is that of an element that is never observed, with the mean 0.
  """
  count, mean, squares = 0, 0.0, 0.0
  for chunk in chunks:
    if not len(chunk):
      continue
    size, part, spread = _of_chunk(np.asarray(chunk, np.float64))
    total = count + size
    share = size / np.maximum(1, total)
    # S = S_a + S_b + (m_b − m_a)² n_a n_b / n
    squares = squares + spread + np.square(part - mean) * (
        count * size / np.maximum(1, total))
    mean = mean + (part - mean) * share
    count = total
  scale = np.sqrt(squares / np.maximum(1, count))
  # Rounding leaves a spread of 1e-16 of a constant.
  is_constant = scale <= 1e-12 * np.maximum(1e-12, np.abs(mean))
  return np.asarray(mean), np.where(is_constant, 1.0, scale)


def _of_chunk(x: np.ndarray) -> tuple[int | np.ndarray, np.ndarray, np.ndarray]:
  """Returns number, mean and sum of squared deviations of observed values."""
  mean = x.mean(axis=0)
  if not np.isnan(mean).any():
    return len(x), mean, np.square(x - mean).sum(axis=0)
  count = np.sum(~np.isnan(x), axis=0)
  mean = np.nansum(x, axis=0) / np.maximum(1, count)
  return count, mean, np.nansum(np.square(x - mean), axis=0)
