"""Figures of a detection: alarms, their rate, and what was found."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfvae.anomaly.conformal import FalseAlarms
from tfvae.lazy import LazyModule

metrics = LazyModule('sklearn.metrics')

_BINS = 40
_ROC_POINTS = 200
_LEVEL = 0.95
# Shares of the scores that histograms leave out at either end.
_TAIL = 0.002


def summarize(calibration: np.ndarray, false_alarms: FalseAlarms,
              score: np.ndarray, is_anomaly: np.ndarray,
              known: np.ndarray | None = None) -> dict[str, Any]:
  """Returns figures of the alarms among rows, as plain data.

  Args:
    calibration: Statistic of the calibration rows, ascending, `[n]`.
    false_alarms: Distribution of the false-alarm rate.
    score: Statistic of the rows, `[m]`.
    is_anomaly: Whether there is an alarm, `[m]`.
    known: Whether each row is known to be an anomaly, `[m]`; None if this is
      not known.

  Returns:
    'rows', 'alarms' and their share; 'calibration_rows', 'false_alarm_rate' and
    'expected_false_alarms', and the 95 % intervals of the rate that the
    calibration rows cause and of the share among as many normal rows;
    'threshold', the smallest score with an alarm; 'histogram', densities of the
    scores; and with known anomalies, 'known', the share of normal rows and of
    anomalies with an alarm, the area under the ROC curve, and its points.
  """
  share = float(np.mean(is_anomaly))
  facts = {
      'rows': len(score), 'alarms': int(np.sum(is_anomaly)),
      'share_of_alarms': share, 'calibration_rows': len(calibration),
      'false_alarm_rate': false_alarms.false_alarm_rate,
      'expected_false_alarms': false_alarms.expected,
      'interval': list(false_alarms.interval(_LEVEL)),
      'observed_interval': list(
          false_alarms.observed_interval(len(score), _LEVEL)),
      # Alarms have a score above the l-th largest of the calibration rows.
      'threshold': float(calibration[-false_alarms.rank])}
  groups = {'calibration': calibration, 'rows': score}
  if known is not None and 0 < np.sum(known) < len(known):
    groups = {'calibration': calibration, 'normal': score[~known],
              'anomalies': score[known]}
    facts['known'] = _known(score, is_anomaly, known)
  return facts | {'histogram': _histogram(groups)}


def _known(score: np.ndarray, is_anomaly: np.ndarray,
           known: np.ndarray) -> dict[str, Any]:
  finite = np.nan_to_num(score, nan=np.inf, posinf=np.finfo(np.float32).max)
  false, true, _ = metrics.roc_curve(known, finite)
  chosen = np.unique(np.linspace(
      0, len(false) - 1, min(len(false), _ROC_POINTS)).astype(int))
  return {
      'anomalies': int(known.sum()),
      'detected': float(is_anomaly[known].mean()),
      'false_alarms': float(is_anomaly[~known].mean()),
      'area_under_curve': float(metrics.roc_auc_score(known, finite)),
      'roc': {'false_alarms': false[chosen].tolist(),
              'detected': true[chosen].tolist()}}


def _histogram(groups: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """Returns the centers of bins, and the share of each group in each bin."""
  groups = {name: values[np.isfinite(values)]
            for name, values in groups.items()}
  groups = {name: values for name, values in groups.items() if len(values)}
  low, high = (
      side([np.quantile(values, quantile) for values in groups.values()])
      for side, quantile in ((min, _TAIL), (max, 1 - _TAIL)))
  edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
  shares = {}
  for name, values in groups.items():
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    shares[name] = (counts / len(values)).tolist()
  return {'scores': ((edges[1:] + edges[:-1]) / 2).tolist(), 'shares': shares}
