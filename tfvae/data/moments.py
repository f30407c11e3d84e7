"""Mean and standard deviation of each element of x."""

from collections.abc import Iterable

import numpy as np


def moments(chunks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
  """Returns mean and standard deviation of each element of x, in float64.

  The chunks are merged as by Chan, Golub and LeVeque, Updating Formulae and a
  Pairwise Algorithm for Computing Sample Variances, 1979.

  Args:
    chunks: Parts of the data, `[n, *event_shape]` each.

  Returns:
    Two arrays of the event shape; the standard deviation of a constant element
    is 1.
  """
  count, mean, squares = 0, 0.0, 0.0
  for chunk in chunks:
    if not len(chunk):
      continue
    x = np.asarray(chunk, np.float64)
    part, total = x.mean(axis=0), count + len(x)
    # S = S_a + S_b + (m_b − m_a)² n_a n_b / n
    squares = squares + np.square(x - part).sum(axis=0) + np.square(
        part - mean) * (count * len(x) / total)
    mean = mean + (part - mean) * (len(x) / total)
    count = total
  scale = np.sqrt(squares / max(1, count))
  # Rounding leaves a spread of 1e-16 of a constant.
  is_constant = scale <= 1e-12 * np.maximum(1e-12, np.abs(mean))
  return np.asarray(mean), np.where(is_constant, 1.0, scale)
