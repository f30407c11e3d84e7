"""Combination of several scores into one statistic that can be calibrated.

A score has a conformal p-value p_j on the first part of the calibration rows,
the reference rows, which puts scores of any unit on one scale. The statistic is
a sum of a decreasing function of p_j, and is calibrated as a score by itself on
the second part.

The p_j of a row depend on each other, as the scores do, so that the usual
distribution of the statistic (χ² for Fisher's) would be wrong. It is not used:
given the reference rows, the statistic is a fixed function of a row, so that
those of the rows of the second part and of a new row are exchangeable, and the
conformal p-value is valid whatever the dependence. On the reference rows
themselves the statistic would not be exchangeable with that of a new row, which
is why the second part has other rows.
"""

from collections.abc import Callable, Sequence
import dataclasses

import numpy as np
import tensorflow as tf

from tfvae.anomaly.conformal import conformal_ranks
from tfvae.anomaly.conformal import conformal_ranks_tensor
from tfvae.registry import Registry

# Summands by name: functions of the p-values of a score and the number of
# scores. The statistic is their sum over the scores.
COMBINATIONS = Registry('combination')

# Summands are multiples of this, so that sums are exact and equal in NumPy and
# TensorFlow: the statistics of many rows tie, and a difference in the last bit
# would reorder them.
_UNIT = 2.0**-20


@COMBINATIONS.register('fisher')
def fisher(p_values: np.ndarray, num_scores: int) -> np.ndarray:
  """Returns −2 log p_j, whose sum is Fisher's statistic.

  It is large where several scores are high. Fisher, Statistical Methods for
  Research Workers, 1925.
  """
  del num_scores
  return -2 * np.log(p_values)


@COMBINATIONS.register('harmonic')
def harmonic(p_values: np.ndarray, num_scores: int) -> np.ndarray:
  """Returns 1 / (J p_j), whose sum is 1 over the harmonic mean of the p-values.

  It is large where a single score is very high. Wilson, The Harmonic Mean
  p-value for Combining Dependent Tests, PNAS 2019.
  """
  return 1 / (num_scores * p_values)


@dataclasses.dataclass(frozen=True, eq=False)
class Combination:
  """Function from the scores of a row to the statistic that is calibrated.

  The statistic of one score is the score itself. That of several has a largest
  value, at which all rows tie that are beyond the reference rows in each score.

  Attributes:
    name: Name in `COMBINATIONS`.
    reference: Scores of the reference rows, each ascending, `[J, n]`; no rows
      of a single score.
  """

  name: str
  reference: np.ndarray

  def __post_init__(self):
    """Raises a ValueError if the name is unknown."""
    _summand(self.name)

  @classmethod
  def of(cls, name: str, scores: np.ndarray) -> 'Combination':
    """Returns the combination with these reference rows.

    Args:
      name: Name in `COMBINATIONS`.
      scores: Scores of the reference rows, `[n, J]`.
    """
    return cls(name, np.sort(np.asarray(scores, np.float32).T, axis=1))

  def __call__(self, scores: np.ndarray) -> np.ndarray:
    """Returns the statistic of each row, float64 `[b]`.

    Args:
      scores: Scores `[b, J]`, float32.
    """
    if len(self.reference) == 1:
      return np.float64(scores[:, 0])
    table = self._table()
    return sum(table[conformal_ranks(reference, scores[:, j]) - 1]
               for j, reference in enumerate(self.reference))

  def tensor(self, scores: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the same for tensors, float64 `[b]`.

    Args:
      scores: Scores, float32 `[b]` each.
    """
    if len(self.reference) == 1:
      return tf.cast(scores[0], tf.float64)
    table = tf.constant(self._table())
    return tf.add_n([
        tf.gather(table, conformal_ranks_tensor(
            tf.constant(reference), values) - 1)
        for reference, values in zip(self.reference, scores, strict=True)])

  def _table(self) -> np.ndarray:
    """Returns the summand of each rank, 1 to n + 1, float64."""
    num_scores, rows = self.reference.shape
    summands = _summand(self.name)(
        np.arange(1, rows + 2) / (rows + 1), num_scores)
    return np.round(summands / _UNIT) * _UNIT


def _summand(name: str) -> Callable[[np.ndarray, int], np.ndarray]:
  """Returns the summand of a name, or raises a ValueError."""
  if name not in COMBINATIONS:
    raise ValueError(
        f'`combination` must be one of {", ".join(COMBINATIONS)}. Received: '
        f'combination={name!r}')
  return COMBINATIONS[name]
