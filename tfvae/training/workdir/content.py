"""Files of a run, except its settings."""

import csv
import os
from typing import Any

from tfvae.files import replacing
from tfvae.training.results.json_files import write_json

METRICS_FILE = 'metrics.json'
HISTORY_FILE = 'history.csv'
MODEL_FILE = 'model.keras'
TRAINING_FILE = 'training.json'


def is_trained(workdir: str) -> bool:
  """Returns whether the model is trained, exported and saved.

  `model.keras` is written last. Versions without `training.json` wrote
  `model.keras` before the export and not atomically, so both files are needed.

  Args:
    workdir: Directory of the run.
  """
  return all(os.path.exists(os.path.join(workdir, name))
             for name in (TRAINING_FILE, MODEL_FILE))


def is_finished(workdir: str) -> bool:
  """Returns whether the evaluations are finished too."""
  return os.path.exists(os.path.join(workdir, METRICS_FILE))


def write_metrics(workdir: str, metrics: dict[str, Any]) -> dict[str, Any]:
  """Writes `metrics.json`, which marks the run as finished.

  Args:
    workdir: Directory of the run.
    metrics: Nested metrics; NaN and infinities become null.

  Returns:
    The metrics as the file has them.
  """
  return write_json(os.path.join(workdir, METRICS_FILE), metrics)


def write_training(workdir: str, figures: dict[str, Any]) -> dict[str, Any]:
  """Writes `training.json`, the metrics known before the evaluations."""
  return write_json(os.path.join(workdir, TRAINING_FILE), figures)


def read_history(workdir: str,
                 epochs: int | None = None) -> list[dict[str, Any]]:
  """Returns the rows of the first `epochs` epochs of `history.csv`, or all."""
  path = os.path.join(workdir, HISTORY_FILE)
  if epochs == 0 or not os.path.exists(path):
    return []
  with open(path, newline='', encoding='utf-8') as file:
    return list(csv.DictReader(file))[:epochs]


def write_history(workdir: str, rows: list[dict[str, Any]]):
  """Writes `history.csv`, a row per epoch."""
  path = os.path.join(workdir, HISTORY_FILE)
  with (replacing(path) as temporary,
        open(temporary, 'w', newline='', encoding='utf-8') as file):
    writer = csv.DictWriter(file, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
