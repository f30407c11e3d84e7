"""Settings of anomaly detection."""

import dataclasses

from tfvae.anomaly import COMBINATIONS
from tfvae.anomaly import SCORES
from tfvae.settings import check_settings
from tfvae.settings import extended_by
from tfvae.settings import setting


@dataclasses.dataclass(frozen=True)
@extended_by(changes_result=False, scores=SCORES)
class AnomalyConfig:
  """Scores, rates and known anomalies of a detector.

  Raises:
    ValueError: If a value is out of range or has no effect; the message names
      the setting, the value and a remedy.
  """

  scores: tuple[str, ...] = setting(
      ('elbo',), 'anomaly scores of `mode=calibrate`, separated by commas; '
      'several are combined', SCORES, changes_result=False)
  combination: str = setting(
      'fisher', 'combination of several scores: fisher, high where several are '
      'high, or harmonic, high where one is very high', COMBINATIONS,
      changes_result=False)
  false_alarm_rate: float = setting(
      0.01, 'rate of false alarms that `mode=calibrate` guarantees, the mean '
      'over calibration data', changes_result=False, above=0, below=1)
  false_discovery_rate: float | None = setting(
      None, 'expected share of false alarms among the rows that `mode=detect` '
      'reports of `input` as a whole; by default none are', above=0, below=1,
      changes_result=False)
  anomaly_labels: tuple[str, ...] | None = setting(
      None, 'classes of `label_key` that are known anomalies, separated by '
      'commas, with which `mode=detect` measures how many are found',
      changes_result=False)

  def __post_init__(self):
    """Validates each value, and values that depend on each other."""
    check_settings(self)
