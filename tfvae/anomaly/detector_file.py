"""The file of a detector: arrays, and a description as JSON in one of them."""

from collections.abc import Mapping, Sequence
import json
import os
from typing import Any, NamedTuple

import numpy as np

from tfvae import files
from tfvae.anomaly import row_values
from tfvae.anomaly.combination import Combination
from tfvae.anomaly.conformal import FalseAlarms
from tfvae.anomaly.digests import weights_digest
from tfvae.anomaly.drift import Reference
from tfvae.anomaly.scores.score import SCORES
from tfvae.layers.columns.independent_columns import columns_of
from tfvae.models import LatentVariableModel
from tfvae.tables import Column

_VERSION = 2


class Calibration(NamedTuple):
  """The calibration rows of a detector, as a file has them.

  Attributes:
    calibration: Statistic of the calibration rows, ascending, `[n]`.
    false_alarms: Distribution of the false-alarm rate.
    reference: Sample of the calibration rows.
    seed: Seed of the draws.
  """

  calibration: np.ndarray
  false_alarms: FalseAlarms
  reference: Reference
  seed: int


def write(path: str | os.PathLike[str], detector: Any):
  """Writes a detector atomically; see `Detector.save`."""
  reference = detector.reference
  description = {
      'version': _VERSION,
      'scores': {name: score.settings
                 for name, score in detector.scores.items()},
      'combination': detector.combination.name,
      'false_alarm_rate': detector.false_alarm_rate, 'seed': detector.seed,
      'weights': detector.weights, 'overlap': detector.overlap}
  arrays = {
      'description': np.array(json.dumps(description)),
      'combination': detector.combination.reference,
      'calibration': detector.calibration,
      'reference_scores': np.stack(list(reference.scores.values())),
      'reference_latents': reference.latents}
  if reference.codes is not None:
    arrays['reference_codes'] = reference.codes
  with files.replacing(path) as temporary, open(temporary, 'wb') as file:
    np.savez_compressed(file, **arrays)


def read(path: str | os.PathLike[str],
         model: LatentVariableModel) -> dict[str, Any]:
  """Returns the attributes of a detector but its model; see `Detector.load`."""
  arrays, description = _content(path)
  check_weights(model, description['weights'])
  return {
      'scores': {name: SCORES[name](**settings)
                 for name, settings in description['scores'].items()},
      'combination': Combination(
          description['combination'], arrays['combination']),
      'calibration': arrays['calibration'],
      'reference': _reference(
          arrays, description, row_values.latent_names(model),
          columns_of(model.likelihood_layer()))
  } | {name: description[name] for name in (
      'false_alarm_rate', 'seed', 'weights', 'overlap')}


def read_calibration(path: str | os.PathLike[str], latents: Mapping[str, int],
                     columns: Sequence[Column] = ()) -> Calibration:
  """Returns what a detector was calibrated on, without its model.

  Args:
    path: Path of a file that `Detector.save` wrote.
    latents: Size of each latent of the model, by name.
    columns: Columns of a table.

  Raises:
    ValueError: If the file is no detector.
  """
  arrays, description = _content(path)
  return Calibration(
      arrays['calibration'], FalseAlarms(
          len(arrays['calibration']), description['false_alarm_rate']),
      _reference(arrays, description, tuple(
          f'{name}[{d}]' for name, size in latents.items()
          for d in range(size)), columns), description['seed'])


def _reference(arrays: Mapping[str, np.ndarray],
               description: Mapping[str, Any], latent_names: Sequence[str],
               columns: Sequence[Column]) -> Reference:
  return Reference(
      dict(zip(description['scores'], arrays['reference_scores'],
               strict=True)),
      arrays['reference_latents'], latent_names, arrays.get('reference_codes'),
      columns)


def _content(path):
  """Returns the arrays of a file by name, and its description."""
  try:
    with np.load(path) as archive:
      arrays = {name: archive[name] for name in archive.files}
    description = json.loads(str(arrays.pop('description')))
    version = description['version']
  except FileNotFoundError:
    raise
  except Exception as error:  # Of zip, of NumPy and of JSON.
    raise ValueError(
        'This is not the file of a detector, which Detector.save writes. '
        f'Received: path={os.fspath(path)!r} ({error})') from error
  unknown = sorted(set(description['scores']) - set(SCORES))
  if version > _VERSION or unknown:
    raise ValueError(
        'The detector was written by a newer version, or has scores that are '
        'not registered; import their module first. Received: '
        f'path={os.fspath(path)!r}, version={version}, scores={unknown}')
  if version < 2 and 'complexity' in description['scores']:
    description['scores']['complexity']['shapes'] = 1
  return arrays, description


def check_weights(model: LatentVariableModel, digest: str):
  """Raises unless the weights of a model have a digest.

  Args:
    model: Model that is built.
    digest: Digest of the weights that a detector was calibrated with.

  Raises:
    ValueError: If they have another one.
  """
  if (found := weights_digest(model)) != digest:
    raise ValueError(
        'The detector was calibrated with other weights, so that its p-values '
        'would be wrong; take the model of that time, or calibrate again. '
        f'Received: a model with the digest {found} in place of {digest}')
