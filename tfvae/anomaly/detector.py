"""A calibrated anomaly detector."""

from collections.abc import Mapping, Sequence
import dataclasses
import os
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.anomaly import detector_file
from tfvae.anomaly import row_values
from tfvae.anomaly.combination import Combination
from tfvae.anomaly.conformal import conformal_ranks
from tfvae.anomaly.conformal import conformal_ranks_tensor
from tfvae.anomaly.conformal import FalseAlarms
from tfvae.anomaly.drift import Reference
from tfvae.anomaly.scores.score import Score
from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import examples
from tfvae.inference.rows import row_seeds
from tfvae.models import LatentVariableModel
from tfvae.models.networks.precision import in_float32


@dataclasses.dataclass(frozen=True, eq=False)
class Detection:
  """Result of a detector for n rows.

  Attributes:
    p_values: Conformal p-values, small for anomalies, float64 `[n]`.
    is_anomaly: Whether there is an alarm: p ≤ α, bool `[n]`.
    score: The score or the combined statistic, higher for anomalies, `[n]`.
    scores: Each score by name, in nats, `[n]`.
    latents: Posterior means of all latents, `[n, d]`, for `drift`.
    contributions: Nats of each element of x, or of each column of a table, of
      the first score that is a sum of them, and −log p(x_i|z) where there is
      none, `[n, *event_shape]`.
    reconstruction: E[x|z] at the posterior mean, the nearest normal example,
      `[n, *event_shape]`.
  """

  p_values: np.ndarray
  is_anomaly: np.ndarray
  score: np.ndarray
  scores: Mapping[str, np.ndarray]
  latents: np.ndarray
  contributions: np.ndarray
  reconstruction: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Detector:
  """A model, scores and calibration rows, as `calibrate` makes them.

  Attributes:
    model: Trained model.
    scores: Scores by name, fitted to the reference rows.
    combination: Function from the scores of a row to the statistic.
    calibration: Statistic of the calibration rows, ascending, float64 `[n]`.
    false_alarm_rate: Rate α at which an alarm is raised: p ≤ α.
    seed: Seed of all draws.
    reference: Sample of the calibration rows, for `drift`.
    weights: Digest of the weights of the model.
    overlap: Number of calibration rows that were found among the training rows;
      None if these were not given.
  """

  model: LatentVariableModel
  scores: Mapping[str, Score]
  combination: Combination
  calibration: np.ndarray
  false_alarm_rate: float
  seed: int
  reference: Reference
  weights: str
  overlap: int | None = None

  @property
  def false_alarms(self) -> FalseAlarms:
    """Distribution of the false-alarm rate, given the calibration rows."""
    return FalseAlarms(len(self.calibration), self.false_alarm_rate)

  def detect(self, x: Any, ids: Sequence[Any] | None = None,
             verbose: bool = False) -> Detection:
    """Returns p-values, alarms and what explains them.

    Each row has its own seed, that of its id, so that the result does not
    depend on the other rows or on their order. A row whose score is NaN causes
    an alarm.

    Args:
      x: Batches as `fit` takes them, or arrays.
      ids: Integers or strings that name the rows, `[n]`, 0 to n − 1 by default.
      verbose: Whether to show progress.

    Raises:
      ValueError: If the data do not fit the model, or the number of ids is
        another one than that of rows.
    """
    values = values_of_rows(self.model, tuple(self.scores.values()), x,
                            self.seed, ids, is_explained=True, verbose=verbose)
    scores = values.pop('scores')
    statistic = self.combination(scores)
    ranks = conformal_ranks(self.calibration, statistic)
    return Detection(
        p_values=ranks / (len(self.calibration) + 1),
        is_anomaly=ranks <= self.false_alarms.rank, score=statistic,
        scores=dict(zip(self.scores, scores.T, strict=True)), **values)

  def tensors(self, model: LatentVariableModel, inputs: Any,
              seeds: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the result as tensors, for the graph of a signature.

    Args:
      model: Model with the weights of the detector's.
      inputs: Batch of x, or a dictionary of 'x' and 'y'.
      seeds: Seeds of the rows, int32 `[b, 2]`.

    Returns:
      'p_value' and 'score', float64 `[b]`, 'is_anomaly', bool `[b]`, and
      'contributions', `[b, *event_shape]`; see `Detection`. Each of several
      scores is 'score_elbo' and so on, `[b]`.
    """
    scores, nats = row_values.explained_values(
        model, tuple(self.scores.values()), inputs, seeds)
    statistic = self.combination.tensor(scores)
    ranks = conformal_ranks_tensor(tf.constant(self.calibration), statistic)
    return {
        'p_value': tf.cast(ranks, tf.float64) / (len(self.calibration) + 1),
        'score': statistic, 'is_anomaly': ranks <= self.false_alarms.rank,
        'contributions': nats} | (dict(zip(
            (f'score_{name}' for name in self.scores), scores, strict=True))
                                  if len(self.scores) > 1 else {})

  def check_model(self, model: LatentVariableModel):
    """Raises a ValueError unless a model has the weights of the detector's."""
    detector_file.check_weights(model, self.weights)

  def save(self, path: str | os.PathLike[str]):
    """Writes all but the model as one `.npz` file, which appears atomically.

    Args:
      path: Path of the file in an existing directory.

    Raises:
      OSError: If it cannot be written; an older file stays.
    """
    detector_file.write(path, self)

  @classmethod
  def load(cls, path: str | os.PathLike[str],
           model: LatentVariableModel) -> 'Detector':
    """Returns the detector of a file.

    Args:
      path: Path of a file that `save` wrote.
      model: Model that the detector was calibrated with.

    Raises:
      ValueError: If the model has other weights, or the file is no detector.
    """
    model = in_float32(model)
    return cls(model=model, **detector_file.read(path, model))


def values_of_rows(
    model: LatentVariableModel, scores: Sequence[Score], x: Any, seed: int,
    ids: Sequence[Any] | None = None, is_explained: bool = False,
    visit: Any = None, verbose: bool = False) -> dict[str, np.ndarray]:
  """Returns the arrays of `row_values` of all rows, by name.

  Args:
    model: Trained model.
    scores: Scores.
    x: Batches as `fit` takes them, or arrays.
    seed: Seed of all draws.
    ids: Integers or strings that name the rows, by default their positions.
    is_explained: Whether to return contributions and reconstructions.
    visit: Function that is called with the inputs of each batch; None for none.
    verbose: Whether to show progress.

  Raises:
    ValueError: If the data do not fit the model, there are none, or the number
      of ids is another one.
  """
  function = compiled(model, row_values.row_values, tuple(scores), is_explained,
                      jit_compile=False)
  parts, start = [], 0
  for _, inputs in examples(model, x, 'anomaly scores', verbose):
    rows = len(tf.nest.flatten(inputs)[0])
    names = (np.arange(start, start + rows) if ids is None
             else ids[start:start + rows])
    start += rows
    if len(names) < rows:
      break
    parts.append(tf.nest.map_structure(np.array, function(
        inputs, tf.constant(row_seeds(names, seed)))))
    if visit is not None:
      visit(inputs)
  if not parts or ids is not None and len(ids) != start:
    raise ValueError(
        'Detection needs a row or more, and an id for each one. Received: '
        f'{start} rows' + ('' if ids is None else f' and {len(ids)} ids'))
  return {name: np.concatenate([part[name] for part in parts])
          for name in parts[0]}
