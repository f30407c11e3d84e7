"""Random parts of a split that are held out for validation or test."""

from collections.abc import Collection, Mapping

import numpy as np

from tfvae.data.sources.source import Source

PARTS = ('train', 'validation', 'test')


def parts_held_out(source: Source, fractions: Mapping[str, float], seed: int,
                   by_class: Collection[str]) -> np.ndarray:
  """Returns the number of the part of each row, an index of `PARTS`.

  The test part is held out from all rows, and the validation part from the
  rest.

  Args:
    source: Source of the rows.
    fractions: Fraction of each part that is held out, by its name.
    seed: Seed of the rows that are held out.
    by_class: Parts that get the same share of every class.

  Returns:
    Integers `[n]`, int8.

  Raises:
    ValueError: If there are too few rows, or `test_fraction` leaves too few.
  """
  size = len(source)
  if size < 1 + len(fractions):
    raise ValueError(
        f'{" and ".join(fractions).capitalize()} cannot be carved from so few '
        'examples. Choose a `train_split` with more of them, or set '
        '`validation_split` and `test_split`. Received: a training split of '
        f'{size}')
  part = np.zeros(size, np.int8)
  for name in ('test', 'validation'):
    if name not in fractions:
      continue
    rows = np.flatnonzero(part == 0)
    if len(rows) < 2:
      raise ValueError(
          '`test_fraction` leaves too few examples for validation and '
          f'training; lower it. Received: test_fraction={fractions["test"]!r} '
          f'of {size} examples')
    labels = _labels(source) if name in by_class else None
    mask = (carved(len(rows), fractions[name], seed) if labels is None
            else stratified(labels[rows], fractions[name], seed))
    part[rows[mask]] = PARTS.index(name)
  return part


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
  values, sizes = np.unique_counts(labels)
  # In small integers, as the labels of a large data set are most of its memory.
  classes = np.searchsorted(values, labels).astype(
      np.min_scalar_type(len(values)))
  total = _count(size, fraction)
  # The quota of class c is m n_c / n.
  quota, remainder = np.divmod(total * sizes, size)
  order = np.lexsort((rng.random(len(sizes)), -remainder))
  quota[order[:total - quota.sum()]] += 1
  quota = np.minimum(quota, sizes - 1)
  mask = np.zeros(size, bool)
  # The rows in random order, class after class.
  order = rng.permutation(size)
  order = order[np.argsort(classes[order], kind='stable')]
  for start, count in zip(np.cumsum(sizes) - sizes, quota, strict=True):
    mask[order[start:start + count]] = True
  if not mask.any():  # Every class has one row.
    mask[order[0]] = True
  return mask


def _labels(source: Source) -> np.ndarray | None:
  """Returns the labels of a source, or None."""
  if source.label is None:
    return None
  if source.integers is not None:
    return source.integers[:, 0]
  return np.concatenate(
      [piece['integers'][:, 0] for piece in source.pieces(image=False)])


def _count(size: int, fraction: float) -> int:
  return min(max(1, round(fraction * size)), size - 1)
