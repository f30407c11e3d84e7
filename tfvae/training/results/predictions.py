"""Codes and scores of any data set by the model of a run or an export."""

from collections.abc import Sequence
import logging
from typing import Any, NamedTuple

from tfvae import data
from tfvae import files
from tfvae import prediction
from tfvae.training.config import Config
from tfvae.training.results import use

_LOGGER = logging.getLogger(__name__)

# Settings that the outputs depend on.
_SETTINGS = ('eval_importance_samples', 'num_draws', 'refine_steps',
             'anomaly_labels', 'id_key', 'label_key', 'missing', 'binarization')
# Outputs of a mode by default.
_AUTO = {'encode': ('posterior',), 'score': ('elbo',), 'detect': ('detection',)}


class Job(NamedTuple):
  """A job that is finished.

  Attributes:
    rows: Data that were read.
    predictor: Model that was used.
    output: Folder of the results.
  """

  rows: data.OrderedRows
  predictor: prediction.Predictor
  output: str


def encode_run(config: Config, model: str) -> dict[str, Any]:
  """Writes the posteriors of the examples of a data set; see `score_run`."""
  run_job(config, model, 'encode')
  return {}


def score_run(config: Config, model: str) -> dict[str, Any]:
  """Writes the scores of the examples of a data set as Parquet files.

  Each example has a line, in order; see `prediction.predict`. Pixels are
  binarized as in the evaluation of the split.

  Args:
    config: Settings of the run; those of the prediction may differ.
    model: Directory of a finished run, or of an exported version.

  Returns:
    An empty dictionary: there are no new metrics.

  Raises:
    ValueError: If there is no such model, or the data do not fit it, or the
      output has other results.
  """
  run_job(config, model, 'score')
  return {}


def run_job(config: Config, path: str, mode: str,
            more: Sequence[str] = ()) -> Job:
  """Writes the outputs of a mode for the data of `input`.

  Args:
    config: Settings of the run; those of the prediction may differ.
    path: Directory of a finished run, or of an exported version.
    mode: 'encode', 'score' or 'detect'.
    more: Names of signatures that the predictor has besides those it needs.

  Raises:
    ValueError: See `score_run`.
  """
  settings = config.prediction
  use.check_input(config)
  names = settings.outputs
  if names == ('auto',):
    names = _AUTO[mode]
    if mode == 'encode' and config.serving.refine_steps:
      names = ('refined',)
  if mode == 'detect' and 'detection' not in names:
    names = ('detection', *names)
  outputs = [prediction.OUTPUTS.make(name, settings=config.flat())
             for name in names if name != 'auto']
  signatures = sorted({*more, *(name for output in outputs
                                for name in output.signatures)})
  detector = use.detector_file(path) if 'detect' in signatures else None
  use.check_refinement(config, path, signatures)
  predictors = use.load_predictors(config, path, signatures, detector)
  description = predictors[0].description
  rows = use.open_input(config, description)
  keeps_labels = config.anomaly.anomaly_labels is not None
  if keeps_labels and not rows.has_labels:
    raise ValueError(
        '`anomaly_labels` are classes, and the data have none; name them by '
        '`label_key`, or leave it out. Received: '
        f'anomaly_labels={",".join(config.anomaly.anomaly_labels)}, '
        f'label_key={config.data.label_key}')
  facts = {'model': use.model_digest(path), 'outputs': list(names)} | {
      name: config.flat()[name] for name in _SETTINGS}
  if detector is not None:
    facts['detector'] = files.digest(detector)
  wrote = prediction.predict(
      rows, predictors, outputs, settings.output, facts,
      use.one_hot_labels(rows, description), config.evaluation.eval_seed,
      settings.rows_per_file,
      keeps_labels=keeps_labels, verbose=True)
  _LOGGER.info('%s rows are in %s.' if wrote else
               'All %s rows are in %s already; nothing to do.',
               f'{len(rows):,}', settings.output)
  return Job(rows, predictors[0], settings.output)
