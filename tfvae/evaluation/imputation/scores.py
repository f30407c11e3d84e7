"""Scores of imputations of values that are known."""

from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.inference import PosteriorPredictive

# Probabilities of the central intervals.
LEVELS = (0.5, 0.8, 0.95)


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
  """Scores of c hidden values, in the unit of their element of x.

  Attributes:
    rows: Row of each value, int `[c]`.
    elements: Its position in the flattened x, int `[c]`.
    errors: Imputed minus true value, `[c]`.
    is_correct: Whether the imputed category is the true one, bool `[c]`.
    log_density: Values of log p(x_d|x_obs) in nats, `[c]`; None of point
      estimates.
    crps: Continuous ranked probability score, `[c]`; None if it was not
      computed. That of a point estimate is its absolute error.
    covered: Whether the central interval of each of `LEVELS` has the true
      value, bool `[c, 3]`; None like `crps`.
  """

  rows: np.ndarray
  elements: np.ndarray
  errors: np.ndarray
  is_correct: np.ndarray
  log_density: np.ndarray | None = None
  crps: np.ndarray | None = None
  covered: np.ndarray | None = None

  def where(self, chosen: np.ndarray) -> 'Scores':
    """Returns the scores of some values.

    Args:
      chosen: Booleans `[c]`.
    """
    return type(self)(*(
        None if part is None else part[chosen] for part in self._parts()))

  @classmethod
  def concatenated(cls, parts: Sequence['Scores']) -> 'Scores':
    """Returns the scores of several batches, which have the same arrays."""
    return cls(*(
        None if arrays[0] is None else np.concatenate(arrays)
        for arrays in zip(*(part._parts() for part in parts), strict=True)))

  def _parts(self):
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def point_scores(values: np.ndarray, x: np.ndarray,
                 mask: np.ndarray) -> Scores:
  """Returns the scores of point estimates.

  Args:
    values: Imputed values `[n, *event_shape]`.
    x: True values.
    mask: Which of them were hidden, booleans of the same shape.
  """
  rows, elements = np.nonzero(mask.reshape(len(mask), -1))
  true, imputed = np.float64(x[mask]), np.float64(values[mask])
  return Scores(rows, elements, imputed - true,
                np.round(imputed) == np.round(true),
                crps=np.abs(imputed - true))


def crps(draws: np.ndarray, weights: np.ndarray,
         values: np.ndarray) -> np.ndarray:
  """Returns the continuous ranked probability score of weighted draws.

    CRPS(F, y) = Σ_k w_k |x_k − y| − ½ Σ_k Σ_l w_k w_l |x_k − x_l|
               = ∫ (F(t) − 1[t ≥ y])² dt,

  with F the distribution function of the draws; T. Gneiting and A. E. Raftery,
  Strictly Proper Scoring Rules, Prediction, and Estimation, JASA 2007. With the
  draws in order, the double sum is Σ_k w_k x_k (W_k + W_{k−1} − 1) for
  cumulative weights W, which takes O(K log K) time.

  Args:
    draws: K draws of each of c values, `[c, K]`.
    weights: Their weights, which add up to 1 over K, `[c, K]`.
    values: True values y, `[c]`.

  Returns:
    An array `[c]` in the unit of the values, 0 at best; that of a single draw
    is its absolute error.
  """
  # Relative to y, so that large numbers such as dates lose no digits.
  distances = np.float64(draws) - np.float64(values)[:, np.newaxis]
  order = np.argsort(distances, axis=1)
  x = np.take_along_axis(distances, order, axis=1)
  w = np.take_along_axis(np.float64(weights), order, axis=1)
  spread = np.sum(w * x * (2 * np.cumsum(w, axis=1) - w - 1), axis=1)
  return np.sum(w * np.abs(x), axis=1) - spread


def hidden_values(found: PosteriorPredictive, draws: tf.Tensor | None,
                  x: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns what p(x|x_obs) says of the hidden values of a batch, in order.

  Args:
    found: Posterior predictive, given the values that are not hidden.
    draws: Draws `[b, K, *event_shape]` from it; None to leave out intervals.
    x: True values, `[b, *event_shape]`.
    mask: Which of them were hidden, booleans of the same shape.

  Returns:
    'mean' and 'log_density', `[c]`, and, if there are draws, 'draws' and
    'weights', `[c, K]`, and the ends of the intervals, 'lower' and 'upper',
    `[3, c]`. The values are in the order of the flattened mask.
  """
  def chosen(values):
    return tf.boolean_mask(values, mask)

  parts = {'mean': chosen(found.mean()),
           'log_density': chosen(found.log_prob_of_elements(x))}
  if draws is None:
    return parts
  # [b, K, …] to [b, …, K]
  rank = draws.shape.rank
  of_values = chosen(tf.transpose(draws, [0, *range(2, rank), 1]))
  weights = tf.gather(found.weights, tf.where(mask)[:, 0])
  # Each hidden value as an x of one element.
  cells = PosteriorPredictive(
      tf.fill([tf.shape(weights)[0], 1], np.float32(np.nan)), weights, None)
  ends = cells.quantiles(of_values[..., tf.newaxis], [
      0.5 + sign * level / 2 for sign in (-1, 1) for level in LEVELS])
  lower, upper = tf.split(ends[..., 0], 2)
  return parts | {'draws': of_values, 'weights': weights,
                  'lower': lower, 'upper': upper}


def scores(parts: dict[str, Any], x: np.ndarray, mask: np.ndarray,
           first: int = 0) -> Scores:
  """Returns the scores of the hidden values of a batch.

  Args:
    parts: Result of `hidden_values`, as arrays.
    x: True values, `[b, *event_shape]`.
    mask: Which of them were hidden.
    first: Number of the first row.
  """
  true = x[mask]
  rows, elements = np.nonzero(mask.reshape(len(mask), -1))
  mean = np.float64(parts['mean'])
  found = Scores(
      rows + first, elements, mean - true, np.round(mean) == np.round(true),
      np.float64(parts['log_density']))
  if 'draws' not in parts:
    return found
  return dataclasses.replace(
      found, crps=crps(parts['draws'], parts['weights'], true),
      covered=((parts['lower'] <= true) & (true <= parts['upper'])).T)
