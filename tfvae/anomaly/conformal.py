"""Conformal p-values: false-alarm rates that hold for any model and any score.

If a new row and n calibration rows are exchangeable, such as independent draws
of one distribution, then the rank of the new row's score among all n + 1 is
uniform, whatever the score is:

  p(s) = r / (n + 1),  r = 1 + #{i: s_i ≥ s},  P(p ≤ α) = l / (n + 1) ≤ α,

with l = floor(α (n + 1)) and equality where scores do not tie. Vovk, Gammerman
and Shafer, Algorithmic Learning in a Random World, 2005; Bates, Candès, Lei,
Romano and Sesia, Testing for Outliers with Conformal p-values, Annals of
Statistics 2023. The probability is over both the new row and the calibration
rows. Given the calibration rows, `FalseAlarms` has its distribution.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tfvae.lazy import LazyModule

stats = LazyModule('scipy.stats')


def conformal_ranks(calibration: np.ndarray, scores: np.ndarray) -> np.ndarray:
  """Returns r = 1 + #{i: s_i ≥ s} of each score, from 1 to n + 1.

  Args:
    calibration: Scores s_i of the calibration rows, ascending, `[n]`.
    scores: Scores s, of any shape; NaN counts as +∞.

  Returns:
    Integers of the shape of `scores`.
  """
  scores = np.where(np.isnan(scores), np.inf, scores)
  return 1 + len(calibration) - np.searchsorted(calibration, scores, 'left')


def conformal_ranks_tensor(calibration: tf.Tensor,
                           scores: tf.Tensor) -> tf.Tensor:
  """Returns the result of `conformal_ranks` as a tensor, int32 `[b]`.

  Args:
    calibration: Scores of the calibration rows, ascending, `[n]`.
    scores: Scores `[b]` of the same dtype; NaN counts as +∞.
  """
  infinity = tf.constant(np.inf, scores.dtype)
  scores = tf.where(tf.math.is_nan(scores), infinity, scores)
  return 1 + tf.shape(calibration)[0] - tf.searchsorted(
      calibration, scores, 'left')


def conformal_p_values(calibration: np.ndarray,
                       scores: np.ndarray) -> np.ndarray:
  """Returns the conformal p-value r / (n + 1) of each score, float64.

  Args:
    calibration: Scores of the calibration rows in any order, `[n]`.
    scores: Scores, higher for anomalies, of any shape; NaN counts as +∞.

  Raises:
    ValueError: If there are no calibration scores, or one is NaN.
  """
  calibration = checked_calibration(calibration)
  return conformal_ranks(calibration, scores) / (len(calibration) + 1)


def checked_calibration(scores: np.ndarray) -> np.ndarray:
  """Returns calibration scores in ascending order.

  Args:
    scores: Scores of the calibration rows, `[n]`.

  Raises:
    ValueError: If there are none, or one is NaN.
  """
  scores = np.asarray(scores)
  if scores.ndim != 1 or not len(scores) or np.isnan(scores).any():
    raise ValueError(
        'Calibration needs one score for each row, and at least one row; a '
        'score is NaN where the model or the row is not finite. Received: '
        f'scores.shape={scores.shape}, NaN in {np.isnan(scores).sum()} of them')
  return np.sort(scores)


def largest_rank(num_calibration: int, false_alarm_rate: float) -> int:
  """Returns l = floor(α (n + 1)), the largest rank r with r / (n + 1) ≤ α.

  It compares what `p <= α` compares, as α (n + 1) may be rounded down: 0.29 ·
  100 is 28.999999999999996.

  Args:
    num_calibration: Number n of calibration rows.
    false_alarm_rate: Rate α.
  """
  ranks = num_calibration + 1
  rank = math.floor(false_alarm_rate * ranks)
  return rank + ((rank + 1) / ranks <= false_alarm_rate) - (
      rank / ranks > false_alarm_rate)


def required_rows(false_alarm_rate: float) -> int:
  """Returns the smallest n for which an alarm is possible: l ≥ 1.

  Args:
    false_alarm_rate: Rate α, above 0 and below 1.

  Raises:
    ValueError: If the rate is not between 0 and 1.
  """
  if not 0 < false_alarm_rate < 1:
    raise ValueError('`false_alarm_rate` must be above 0 and below 1, such as '
                     '0.01. Received: '
                     f'false_alarm_rate={false_alarm_rate}')
  rows = max(1, math.ceil(1 / false_alarm_rate) - 2)
  while not largest_rank(rows, false_alarm_rate):
    rows += 1
  return rows


def check_rows(num_calibration: int, false_alarm_rate: float):
  """Raises unless there are enough calibration rows for a false-alarm rate.

  Args:
    num_calibration: Number n of calibration rows.
    false_alarm_rate: Rate α, above 0 and below 1.

  Raises:
    ValueError: If n < 1/α − 1: no score could cause an alarm.
  """
  required = required_rows(false_alarm_rate)
  if num_calibration < required:
    raise ValueError(
        f'A false-alarm rate of {false_alarm_rate} needs {required} or more '
        'calibration rows, as the smallest p-value of n rows is 1 / (n + 1). '
        'Give more rows, or a higher `false_alarm_rate`. Received: '
        f'{num_calibration} calibration rows')


@dataclasses.dataclass(frozen=True)
class FalseAlarms:
  """Distribution of the false-alarm rate, given the calibration rows.

  Another calibration set has another threshold, and so another rate of false
  alarms. Where scores do not tie, the rate has the distribution Beta(l, n + 1 −
  l), and the number of alarms among m rows without anomalies a beta-binomial
  distribution with these parameters. Where scores tie, both are stochastically
  smaller. Vovk, Conditional Validity of Inductive Conformal Predictors, 2012.

  Attributes:
    num_calibration: Number n of calibration rows.
    false_alarm_rate: Rate α at which an alarm is raised: p ≤ α.
  """

  num_calibration: int
  false_alarm_rate: float

  def __post_init__(self):
    """Raises a ValueError if there are too few calibration rows."""
    check_rows(self.num_calibration, self.false_alarm_rate)

  @property
  def rank(self) -> int:
    """The rank l = floor(α (n + 1)) up to which there is an alarm."""
    return largest_rank(self.num_calibration, self.false_alarm_rate)

  @property
  def expected(self) -> float:
    """The mean rate l / (n + 1), at most α."""
    return self.rank / (self.num_calibration + 1)

  def interval(self, level: float = 0.95) -> tuple[float, float]:
    """Returns the central interval of the rate that the calibration rows cause.

    Args:
      level: Probability of the interval.
    """
    low, high = stats.beta(self.rank, self._rest).interval(level)
    return float(low), float(high)

  def observed_interval(self, num_rows: int,
                        level: float = 0.95) -> tuple[float, float]:
    """Returns the central interval of the share of alarms among m rows.

    Args:
      num_rows: Number m of new rows, none of them an anomaly.
      level: Probability of the interval, at least.
    """
    low, high = stats.betabinom(
        num_rows, self.rank, self._rest).interval(level)
    return float(low) / num_rows, float(high) / num_rows

  @property
  def _rest(self) -> int:
    return self.num_calibration + 1 - self.rank


def false_discovery_rate(p_values: np.ndarray, rate: float = 0.1) -> np.ndarray:
  """Returns which rows of a batch to report so that few of them are false.

  Among the reported rows, the expected share of false alarms is at most the
  rate, however many rows the batch has: p_(i) ≤ i rate / m for the largest i,
  Benjamini and Hochberg, Controlling the False Discovery Rate, 1995. It holds
  for conformal p-values, which share the calibration rows: Bates et al. 2023.

  Args:
    p_values: Conformal p-values of the m rows, `[m]`.
    rate: Expected share of false alarms among the reported rows.

  Returns:
    Whether each row is reported, bool `[m]`.
  """
  if not len(p_values):
    return np.zeros([0], bool)
  return stats.false_discovery_control(p_values, method='bh') <= rate
