"""Random parts of a split that are held out for validation or test."""

import numpy as np


def carved(size: int, fraction: float, seed: int) -> np.ndarray:
  """Returns a mask of held-out rows: `round(fraction * size)`, at least one.

  Args:
    size: Number of rows, at least 2.
    fraction: Fraction that is held out, between 0 and 1.
    seed: Seed of the permutation whose first rows are held out.

  Returns:
    Mask, bool `[size]`; at least one row is not held out.
  """
  mask = np.zeros(size, bool)
  order = np.random.default_rng(seed).permutation(size)
  mask[order[:_count(size, fraction)]] = True
  return mask


def stratified(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
  """Returns a mask of held-out rows with the same share of every class.

  Of n rows, m = max(1, round(fraction · n)) are held out. Class c with n_c rows
  gives floor(m n_c / n) of them, or one more where the remainder of m n_c / n
  is among the largest. A class keeps at least one row.

  Args:
    labels: Class of each row, int `[n]`.
    fraction: Fraction that is held out, between 0 and 1.
    seed: Seed of the permutation of the rows.

  Returns:
    Mask, bool `[n]`.
  """
  size = len(labels)
  rng = np.random.default_rng(seed)
  _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
  total = _count(size, fraction)
  # The quota of class c is m n_c / n.
  quota, remainder = np.divmod(total * sizes, size)
  order = np.lexsort((rng.random(len(sizes)), -remainder))
  quota[order[:total - quota.sum()]] += 1
  quota = np.minimum(quota, sizes - 1)
  mask = np.zeros(size, bool)
  order = rng.permutation(size)
  for number, count in enumerate(quota):
    mask[order[classes[order] == number][:count]] = True
  if not mask.any():  # Every class has one row.
    mask[order[0]] = True
  return mask


def _count(size: int, fraction: float) -> int:
  return min(max(1, round(fraction * size)), size - 1)
