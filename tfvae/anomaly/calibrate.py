"""Calibration of a detector on rows without anomalies."""

from collections.abc import Mapping, Sequence
import logging
from typing import Any

import numpy as np

from tfvae.anomaly import row_values
from tfvae.anomaly.combination import Combination
from tfvae.anomaly.conformal import check_rows
from tfvae.anomaly.conformal import checked_calibration
from tfvae.anomaly.conformal import required_rows
from tfvae.anomaly.detector import Detector
from tfvae.anomaly.detector import values_of_rows
from tfvae.anomaly.digests import count_overlap
from tfvae.anomaly.digests import row_digests
from tfvae.anomaly.digests import warn_of_overlap
from tfvae.anomaly.digests import weights_digest
from tfvae.anomaly.drift import Reference
from tfvae.anomaly.drift import sample_rows
from tfvae.anomaly.scores.score import Score
from tfvae.anomaly.scores.score import SCORES
from tfvae.inference import observed
from tfvae.layers.columns.independent_columns import columns_of
from tfvae.models import LatentVariableModel
from tfvae.models.networks.precision import in_float32

_LOGGER = logging.getLogger(__name__)

# A bit of the seed, without which the noise of a calibration row would be that
# of a new row with the same id.
_OWN_NOISE = 2**30


def calibrate(model: LatentVariableModel, x: Any,
              scores: Sequence[str | Score] = ('elbo',),
              combination: str = 'fisher', false_alarm_rate: float = 0.01,
              seed: int = 0, training: Any = None,
              settings: Mapping[str, Any] | None = None,
              num_rows: int | None = None, verbose: bool = False) -> Detector:
  """Returns a detector whose false-alarm rate is at most α.

  The rate holds for new rows that are exchangeable with those of x, which the
  model must not have been trained on: scores of training rows are lower than
  those of new ones. Of a single score all rows are calibration rows. Several
  scores, and those that are fitted, such as 'typicality', need reference rows,
  a random half of x.

  Args:
    model: Trained model. One in mixed precision is calibrated with float32
      networks, as it is exported.
    x: Calibration rows without anomalies: batches as `fit` takes them, or
      arrays.
    scores: Names in `SCORES`, or scores of different names.
    combination: Name in `COMBINATIONS`, for several scores.
    false_alarm_rate: Rate α, above 0 and below 1.
    seed: Seed of the draws and of the choice of reference rows.
    training: Training data of the model, batches or arrays. Calibration rows
      that are among them are counted, and logged as a warning.
    settings: Settings of scores that are given by name, such as
      'anomaly_samples'; see `SCORES.settings()`.
    num_rows: Number of rows of x, where it is known, so that too few are an
      error before anything is computed.
    verbose: Whether to show progress.

  Raises:
    ValueError: If there are too few rows for the rate, a score is unknown or
      does not suit the model, or the data do not fit it.
  """
  model = in_float32(model)  # As in an export.
  fitted = _scores(model, scores, settings)
  required_rows(false_alarm_rate)  # Raises if it is no rate.
  Combination(combination, np.zeros([len(fitted), 0]))  # If it is unknown.
  if num_rows is not None:
    _num_reference_rows(num_rows, fitted, false_alarm_rate)
  visitor = _Visitor(model, training is not None)
  values = values_of_rows(model, tuple(fitted.values()), x, seed ^ _OWN_NOISE,
                          visit=visitor, verbose=verbose)
  is_reference = _reference_rows(
      len(values['scores']), fitted, false_alarm_rate, seed)
  fitted = {name: score.fitted(values['scores'][is_reference, j])
            for j, (name, score) in enumerate(fitted.items())}
  if any(score.needs_reference for score in fitted.values()):
    values = values_of_rows(model, tuple(fitted.values()), x,
                            seed ^ _OWN_NOISE, verbose=verbose)
  combined = Combination.of(combination, values['scores'][is_reference])
  return Detector(
      model, fitted, combined,
      checked_calibration(combined(values['scores'][~is_reference])),
      false_alarm_rate, seed, visitor.reference(model, fitted, values, seed),
      weights_digest(model), visitor.overlap(training))


class _Visitor:
  """Collects what is kept of the inputs of each batch."""

  def __init__(self, model: LatentVariableModel, keeps_digests: bool):
    self._columns = columns_of(model.likelihood_layer())
    self._keeps_digests = keeps_digests
    self._codes, self._digests = [], []

  def __call__(self, inputs: Any):
    x = observed(inputs)['x']
    if self._columns:
      self._codes.append(np.asarray(x, np.float32))
    if self._keeps_digests:
      self._digests += row_digests(x)

  def reference(self, model: LatentVariableModel, scores: Mapping[str, Score],
                values: Mapping[str, np.ndarray], seed: int) -> Reference:
    """Returns at most 2,000 rows, the same ones of all arrays."""
    return Reference(
        dict(zip(scores, sample_rows(values['scores'], seed).T, strict=True)),
        sample_rows(values['latents'], seed), row_values.latent_names(model),
        sample_rows(np.concatenate(self._codes), seed) if self._codes else None,
        self._columns)

  def overlap(self, training: Any) -> int | None:
    """Returns how many rows are among the training rows, None without these."""
    if training is None:
      return None
    count = count_overlap(self._digests, training)
    warn_of_overlap(count, len(self._digests))
    return count


def _scores(model: LatentVariableModel, scores: Sequence[str | Score],
            settings: Mapping[str, Any] | None) -> dict[str, Score]:
  """Returns scores by their names, or raises a ValueError."""
  if isinstance(scores, str | Score):
    scores = (scores,)
  made = [SCORES.make(score, settings=settings) if isinstance(score, str)
          else score for score in scores]
  names = [next((name for name, kind in SCORES.items() if kind is type(score)),
                None) for score in made]
  if not made or None in names or len(set(names)) < len(names):
    raise ValueError(
        '`scores` must be one or more of the registered scores, each once: '
        f'{", ".join(SCORES)}. Received: scores={list(scores)}')
  for name, score in zip(names, made, strict=True):
    if reason := score.why_not(model):
      raise ValueError(f'Leave out the score {name!r}: {reason}. Received: '
                       f'scores={names}, x of shape {model.event_shape}')
  return dict(zip(names, made, strict=True))


def _reference_rows(rows: int, scores: Mapping[str, Score],
                    false_alarm_rate: float, seed: int) -> np.ndarray:
  """Returns which rows are reference rows, bool `[n]`."""
  is_reference = np.zeros([rows], bool)
  is_reference[np.random.default_rng(seed).choice(
      rows, _num_reference_rows(rows, scores, false_alarm_rate),
      replace=False)] = True
  return is_reference


def _num_reference_rows(rows: int, scores: Mapping[str, Score],
                        false_alarm_rate: float) -> int:
  """Returns how many rows are reference rows, or raises a ValueError."""
  count = 0
  if len(scores) > 1 or any(
      score.needs_reference for score in scores.values()):
    required = 2 * required_rows(false_alarm_rate)
    if rows < required:
      raise ValueError(
          f'A false-alarm rate of {false_alarm_rate} with the scores '
          f'{", ".join(scores)} needs {required} or more rows, as half of them '
          f'are reference rows. Received: {rows} rows')
    count = rows // 2
  check_rows(rows - count, false_alarm_rate)
  return count
