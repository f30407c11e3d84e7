"""Drift of new data from those that a detector was calibrated on."""

from typing import Any

import numpy as np

from tfvae import anomaly
from tfvae.report import write_page
from tfvae.training.config import Config
from tfvae.training.results import use
from tfvae.training.results.detection import calibration_of
from tfvae.training.results.json_files import write_json

_BATCH = 1000
_MOST = 20_000  # Rows that are compared, chosen at random.


def monitor_run(config: Config, path: str) -> dict[str, Any]:
  """Compares a data set with the calibration of a detector; see `drift`.

  Scores, posterior means and the columns of a table are compared, those of at
  most 20,000 rows. `output.json` gets all tests, and `output.html` a page.

  Args:
    config: Settings of the run; those of the detection may differ.
    path: Directory of a calibrated run, or of an export of one.

  Returns:
    An empty dictionary: there are no new metrics.

  Raises:
    ValueError: If the model is not calibrated, or the data do not fit it.
  """
  use.check_input(config)
  predictor = use.load_predictors(
      config, path, ['detect', 'encode'], use.detector_file(path))[0]
  known = calibration_of(path, predictor.description)
  scores, latents, x = _values(config, predictor, known)
  found = anomaly.drift(
      known.reference, scores, latents,
      x if predictor.description['columns'] else None,
      seed=config.evaluation.eval_seed)
  output = config.prediction.output
  write_json(f'{output}.json', found)
  write_page(f'{output}.html', f'Drift of {config.prediction.input}', {
      'drift': anomaly.drift_section(found)})
  moved = found['moved_most']
  print('drift: ' + (', '.join(moved[:5]) + (
      f' and {len(moved) - 5} more' if len(moved) > 5 else '')
                     if moved else 'none found'))
  print(f'The page is {output}.html.')
  return {}


def _values(config, predictor, known):
  """Returns scores by name, posterior means and x of the compared rows."""
  description = predictor.description
  rows = use.open_input(config, description)
  one_hot = use.one_hot_labels(rows, description)
  chosen = np.zeros(len(rows), bool)
  chosen[np.random.default_rng(config.evaluation.eval_seed).choice(
      len(rows), min(_MOST, len(rows)), replace=False)] = True
  names, latents = list(known.reference.scores), list(description['latents'])
  prefixes = [f'{name}_' if len(latents) > 1 else '' for name in latents]
  parts, start = [], 0
  for batch in rows.batches(0, len(rows), _BATCH):
    few = chosen[start:start + len(batch['x'])]
    start += len(few)
    if not few.any():
      continue
    batch = {name: values[few] for name, values in batch.items()}
    call = predictor.caller(
        batch['ids'], batch['x'], None if one_hot is None else one_hot(batch),
        known.seed)
    found, code = call('detect'), call('encode')
    parts.append((
        np.stack([found[f'score_{name}' if len(names) > 1 else 'score']
                  for name in names], axis=1),
        np.concatenate([code[f'{prefix}loc'] for prefix in prefixes], axis=1),
        batch['x']))
  scores, means, x = (np.concatenate(part) for part in zip(
      *parts, strict=True))
  return dict(zip(names, scores.T, strict=True)), means, x
