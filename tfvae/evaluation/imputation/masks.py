"""Masks: which known values a measure hides from a model.

A mask is a function that registers itself; each measure of imputations then
uses it:

```python
@MASKS.register('first_column')
def first_column(x, fraction, seed):
  del fraction, seed
  if x.ndim != 2:
    return None  # Other data than tables and vectors.
  return np.arange(x.shape[1]) == 0
```

The masks of this file are missing completely at random or missing at random,
as a model that ignores the mechanism assumes: Little and Rubin, Statistical
Analysis with Missing Data, 2019. Values that are missing because of their own
value are not tested.
"""

from collections.abc import Iterator

import numpy as np
from scipy import special

from tfvae.lazy import LazyModule
from tfvae.registry import Registry

optimize = LazyModule('scipy.optimize')

MASKS = Registry('mask')

# Share of the columns that a mask at random depends on.
_CONDITIONING = 0.3
# Interval of the intercepts of logits, whose linear part has variance 1.
_INTERCEPTS = (-50.0, 50.0)


def hidden(x: np.ndarray, fraction: float,
           seed: int) -> Iterator[tuple[str, np.ndarray]]:
  """Yields the name of each mask that fits the data, and what it hides.

  Args:
    x: Data `[n, *event_shape]`, NaN where a value is missing.
    fraction: Fraction of the observed values to hide, between 0 and 1.
    seed: Seed of the masks.

  Yields:
    The name, and booleans of the shape of x, true for a hidden value; only an
    observed one is hidden. A mask may broadcast to the shape.
  """
  for name in MASKS:
    mask = MASKS.make(name, x, fraction, seed)
    if mask is not None:
      yield name, np.broadcast_to(mask, x.shape) & ~np.isnan(x)


@MASKS.register('mcar')
def mcar(x: np.ndarray, fraction: float, seed: int) -> np.ndarray:
  """Hides each value with the same probability, completely at random.

  Of images, whole pixels are hidden, with all their channels.

  Args:
    x: Data `[n, *event_shape]`.
    fraction: The probability.
    seed: Seed of the mask.

  Returns:
    Booleans of the shape of x, or of one channel.
  """
  shape = (*x.shape[:-1], 1) if x.ndim == 4 else x.shape
  return np.random.default_rng(seed).random(shape) < fraction


@MASKS.register('mar')
def mar(x: np.ndarray, fraction: float, seed: int) -> np.ndarray | None:
  """Hides values of some columns at random, given those of the others.

    P(x_d is hidden) = sigmoid(a_dᵀ u + b_d),

  with u the standardized columns of a random 30 % (at least one), which stay
  observed. The a_d are random with Var(a_dᵀ u) = 1, and b_d is such that the
  mean probability over the observed values of column d is the fraction. B.
  Muzellec, J. Josse, C. Boyer and M. Cuturi, Missing Data Imputation Using
  Optimal Transport, ICML 2020, section 4. A category counts with its code, and
  a missing value with the mean.

  Args:
    x: Data `[n, *event_shape]`.
    fraction: Fraction of the values of the other columns to hide.
    seed: Seed of the mask.

  Returns:
    Booleans `[n, d]`; None for other data than vectors of two numbers or more.
  """
  if x.ndim != 2 or x.shape[1] < 2:
    return None
  rng = np.random.default_rng(seed)
  order = rng.permutation(x.shape[1])
  split = max(1, round(_CONDITIONING * x.shape[1]))
  given, others = order[:split], np.sort(order[split:])
  logits = _standardized(
      _standardized(x[:, given]) @ rng.normal(size=[split, len(others)]))
  mask, uniform = np.zeros(x.shape, bool), rng.random(x.shape)
  for d, logit in zip(others, logits.T, strict=True):
    known = ~np.isnan(x[:, d])
    if known.any():
      mask[:, d] = uniform[:, d] < special.expit(
          logit + _intercept(logit[known], fraction))
  return mask


@MASKS.register('lower_half')
def lower_half(x: np.ndarray, fraction: float, seed: int) -> np.ndarray | None:
  """Hides the rows of an image from half of its height downward.

  Args:
    x: Data `[n, *event_shape]`.
    fraction: Not used.
    seed: Not used.

  Returns:
    Booleans `[1, h, 1, 1]`; None for other data than images.
  """
  del fraction, seed
  if x.ndim != 4:
    return None
  height = x.shape[1]
  return (np.arange(height) >= height // 2)[np.newaxis, :, np.newaxis,
                                            np.newaxis]


def _standardized(columns: np.ndarray) -> np.ndarray:
  """Returns columns of mean 0 and variance 1, 0 where a value is missing."""
  known = ~np.isnan(columns)
  counts = np.maximum(known.sum(axis=0), 1)
  columns = np.where(known, np.float64(columns), 0)
  centered = np.where(known, columns - columns.sum(axis=0) / counts, 0)
  scale = np.sqrt(np.sum(centered**2, axis=0) / counts)
  return centered / np.where(scale > 0, scale, 1)


def _intercept(logits: np.ndarray, fraction: float) -> float:
  """Returns b with mean(sigmoid(logits + b)) = fraction."""
  return optimize.brentq(
      lambda b: special.expit(logits + b).mean() - fraction, *_INTERCEPTS)
