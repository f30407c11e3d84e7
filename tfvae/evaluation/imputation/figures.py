"""Figures of imputations: means of scores, overall and by column."""

from collections.abc import Sequence
import dataclasses
import math
from typing import Any

import numpy as np

from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.bounds import with_errors
from tfvae.evaluation.imputation.baselines import MANY
from tfvae.evaluation.imputation.scores import LEVELS
from tfvae.evaluation.imputation.scores import Scores
from tfvae.layers import IndependentColumns
from tfvae.layers import Likelihood

# Kinds of elements: those with a density, integers, bits and categories.
CONTINUOUS, INTEGER, BIT, CATEGORY = range(4)

_KINDS = {'count': INTEGER, 'binary': CATEGORY, 'categorical': CATEGORY,
          'ordinal': CATEGORY}


@dataclasses.dataclass(frozen=True, eq=False)
class Elements:
  """The elements of x, d of them, in the order of the flattened x.

  Attributes:
    kinds: Kind of each, int `[d]`.
    scale: Standard deviation of its training values, `[d]`.
    names: Name of each, for figures by column; none where only overall figures
      are meant: of images, and of more than 100 numbers.
  """

  kinds: np.ndarray
  scale: np.ndarray
  names: Sequence[str] = ()

  @classmethod
  def of(cls, likelihood: Likelihood, x: np.ndarray) -> 'Elements':
    """Returns the elements of training data.

    Args:
      likelihood: Layer that makes p(x|z).
      x: Training data `[n, *event_shape]`, NaN where a value is missing.
    """
    rows = np.float64(x.reshape(len(x), -1))
    known = ~np.isnan(rows)
    counts = np.maximum(known.sum(axis=0), 1)
    means = np.sum(rows, axis=0, where=known) / counts
    scale = np.sqrt(
        np.sum((rows - means)**2, axis=0, where=known) / counts)
    if isinstance(likelihood, IndependentColumns):
      columns = likelihood.columns
      return cls(np.array([_KINDS.get(c.kind, CONTINUOUS) for c in columns]),
                 scale, [c.name for c in columns])
    size = rows.shape[1]
    kind = (BIT if likelihood.kind_of_data().is_binary else
            INTEGER if likelihood.is_discrete else CONTINUOUS)
    names = [f'x[{d}]' for d in range(size)]
    return cls(np.full(size, kind), scale,
               names if x.ndim == 2 and size <= MANY else ())

  @property
  def have_numbers(self) -> bool:
    """Whether any element has intervals."""
    return bool((self.kinds <= INTEGER).any())


def overall(scores: Scores, elements: Elements,
            weights: np.ndarray | None) -> dict[str, Any]:
  """Returns the figures of all hidden values.

  Args:
    scores: Scores of the values.
    elements: Elements of x.
    weights: Sample weights of all n rows, or None.

  Returns:
    If the elements have names, means over those of which a value is hidden: of
    RMSE and CRPS in standard deviations of the training data, and of the
    accuracy. Else the figures of `of_kind`. Both with the coverage of all
    continuous values, and of all integers.
  """
  figures = {}
  if elements.names:
    columns = [(elements.scale[d], of_kind(part, elements.kinds[d], weights))
               for d, part in _by_element(scores, elements)]
    for key in ('rmse', 'crps'):
      parts = [own[key] / scale for scale, own in columns
               if key in own and scale > 0]
      if parts:
        figures[f'normalized_{key}'] = float(np.mean(parts))
    parts = [own['accuracy'] for _, own in columns if 'accuracy' in own]
    figures |= {'accuracy': float(np.mean(parts))} if parts else {}
  elif len(scores.rows):
    figures |= of_kind(scores, elements.kinds[0], weights)
  kinds = elements.kinds[scores.elements]
  for kind, prefix in ((CONTINUOUS, ''), (INTEGER, 'integer_')):
    figures |= _coverage(scores.where(kinds == kind), weights, prefix)
  return figures


def by_column(scores: Scores, elements: Elements,
              weights: np.ndarray | None) -> dict[str, dict[str, Any]]:
  """Returns the figures of each element that has hidden values, by its name.

  Args:
    scores: Scores of the values.
    elements: Elements of x, with names.
    weights: Sample weights of all n rows, or None.
  """
  return {
      elements.names[d]: of_kind(part, elements.kinds[d], weights)
      | (_coverage(part, weights) if elements.kinds[d] <= INTEGER else {})
      for d, part in _by_element(scores, elements)}


def of_kind(scores: Scores, kind: int,
            weights: np.ndarray | None) -> dict[str, float]:
  """Returns the means of scores that a kind of element has.

  Args:
    scores: Scores of one value or more.
    kind: Kind of their elements.
    weights: Sample weights of all n rows, or None.

  Returns:
    'rmse' of numbers and bits, 'accuracy' of categories and bits, 'crps' of
    numbers and 'log_density' in nats, those that the scores have, with their
    standard errors over rows.
  """
  figures = {}
  if kind != CATEGORY:
    square = _estimate(scores.errors**2, scores.rows, weights)
    rmse = math.sqrt(square.mean)
    # The derivative of the root is 1 / (2 RMSE).
    figures = {'rmse': rmse, 'rmse_standard_error':
               square.standard_error / (2 * rmse) if rmse else math.nan}
  estimates = {}
  if kind >= BIT:
    estimates['accuracy'] = _estimate(
        scores.is_correct, scores.rows, weights)
  elif scores.crps is not None:
    estimates['crps'] = _estimate(scores.crps, scores.rows, weights)
  if scores.log_density is not None:
    estimates['log_density'] = _estimate(
        scores.log_density, scores.rows, weights)
  return figures | with_errors(estimates)


def _coverage(scores: Scores, weights: np.ndarray | None,
              prefix: str = '') -> dict[str, float]:
  """Returns the share of values within each interval, by its key."""
  if scores.covered is None or not len(scores.rows):
    return {}
  return with_errors({
      f'{prefix}coverage_{level:.0%}'.removesuffix('%'): _estimate(
          inside, scores.rows, weights)
      for level, inside in zip(LEVELS, scores.covered.T, strict=True)})


def _by_element(scores, elements):
  """Yields the position and the scores of each element that has any."""
  for d in range(len(elements.kinds)):
    part = scores.where(scores.elements == d)
    if len(part.rows):
      yield d, part


def _estimate(values: np.ndarray, rows: np.ndarray,
              weights: np.ndarray | None) -> Estimate:
  """Returns the mean over values, as one over rows weighted by their counts.

  Its standard error is then right if the values of a row depend on each other.
  """
  counts = np.bincount(rows)
  chosen = counts > 0
  sums = np.bincount(rows, np.float64(values))
  counts, sums = counts[chosen], sums[chosen]
  if weights is not None:
    return Estimate(sums / counts,
                    counts * weights[:len(chosen)][chosen])
  return Estimate(sums / counts, np.float64(counts))
