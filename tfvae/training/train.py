"""Training, evaluation, report and export of a run."""

from collections.abc import Sequence
import importlib.metadata
import logging
import os
import time
from typing import Any

from tfvae import data
from tfvae.files import replacing
from tfvae.models import LatentVariableModel
from tfvae.training import callbacks
from tfvae.training import strategies
from tfvae.training import workdir as workdir_lib
from tfvae.training.config import Config
from tfvae.training.fit import fitting
from tfvae.training.fit.batches import TrainingInput
from tfvae.training.fit.images import load_images
from tfvae.training.flag_names import texts_as_flags
from tfvae.training.results import evaluations
from tfvae.training.results import use
from tfvae.training.results.export import export_model
from tfvae.training.results.imputation import check_files
from tfvae.training.results.imputation import write_imputation
from tfvae.training.results.json_files import plain
from tfvae.training.results.run_report import write_report
from tfvae.training.results.samples import write_samples
from tfvae.training.results.subject import Run

_LOGGER = logging.getLogger(__name__)

_PACKAGES = ('tensorflow', 'tf-keras', 'tensorflow-probability',
             'tensorflow-datasets', 'numpy')


def train_and_evaluate(config: Config, workdir: str) -> dict[str, Any]:
  """Trains, exports and evaluates a VAE, and writes the results.

  The same call again resumes an interrupted run, and does nothing if the run is
  finished. The model is exported and saved before it is evaluated. Evaluations
  that cannot be computed are reported before training, and do not end the run.
  The metrics are those of the epoch that `select_by` selects.

  Args:
    config: Settings of the run.
    workdir: Directory that receives `flags.txt`, `metrics.json`,
      `history.csv`, `checkpoints/`, `tensorboard/`, `report/`, `training.json`,
      `model.keras` and `export/`.

  Returns:
    The content of `metrics.json`, with likelihoods in nats; an empty dictionary
    in a worker that is not the chief.

  Raises:
    ValueError: Before training, if the data or the directory are unsuitable.
    TrainingInterruptedError: If a signal ended the training; the same call
      resumes it.
    FloatingPointError: After `max_skipped_steps` consecutive training steps
      with a NaN or an infinity; the saved files stay.
  """
  if strategies.serve_if_server(config.training):
    return {}
  config = workdir_lib.settled(config, workdir)
  strategy = strategies.make_strategy(config.training)
  images = load_images(config)
  # Before the directory is created, so that invalid settings leave no files.
  train_input = TrainingInput(images, config, strategy)
  with strategy.scope():
    model = fitting.build(config, images, train_input.batch_fn)
  is_chief = strategies.is_chief(strategy)
  with workdir_lib.prepared(workdir, config, is_chief) as finished:
    workdir_lib.settle_data(workdir, images, is_chief and finished is None)
    if finished is not None:
      _LOGGER.info('The run in %s is finished; nothing to do.', workdir)
      return finished
    evaluations.warn(Run(model, config, images))
    if workdir_lib.is_trained(workdir):
      _LOGGER.info('The training in %s is finished; evaluating.', workdir)
      model = use.load_model(workdir) if is_chief else None
    else:
      checkpoint, history = fitting.fit(
          model, config, images, train_input, workdir)
      if is_chief:
        model = fitting.best(model, checkpoint, config, images)
        _save(model, checkpoint, history, config, workdir,
              images.label_names)
    if not is_chief:
      return {}
    return _evaluate(model, config, images, workdir)


def evaluate_run(config: Config, workdir: str) -> dict[str, Any]:
  """Evaluates a trained model of a run, and rewrites the report.

  Args:
    config: Settings of the run; those of the evaluation may differ, except
      `eval_seed`.
    workdir: Directory of the run. `metrics.json` and `report/` are replaced;
      metrics that are not computed again are kept.

  Returns:
    The new content of `metrics.json`.

  Raises:
    ValueError: If no training is finished there, or its settings differ.
  """
  with workdir_lib.held(workdir):
    run, metrics = _trained(config, workdir)
    metrics = evaluations.evaluate(run, metrics)
    workdir_lib.write_metrics(workdir, metrics)
    return _report(run, metrics, workdir)


def report_run(config: Config, workdir: str) -> dict[str, Any]:
  """Rewrites the report of a run from its metrics; see `evaluate_run`."""
  with workdir_lib.held(workdir):
    run, metrics = _trained(config, workdir)
    failed = metrics.pop('report', None)
    write_report(run, metrics, workdir)
    if failed is not None:
      metrics = workdir_lib.write_metrics(workdir, metrics)
  return metrics


def export_run(config: Config, workdir: str) -> dict[str, Any]:
  """Exports the trained model of a run as the next version.

  Args:
    config: Settings of the run; those of serving may differ.
    workdir: Directory of the run.

  Returns:
    The content of `metrics.json`, or the metrics of the training before it is
    written.

  Raises:
    ValueError: If no training is finished there, or its settings differ.
  """
  model, config, metrics = use.finished(config, workdir)
  export_model(model, config, workdir, use.label_names(config))
  return metrics


def sample_run(config: Config, workdir: str) -> dict[str, Any]:
  """Writes samples of the trained model of a run.

  Args:
    config: Settings of the run; those of serving may differ.
    workdir: Directory of the run; see `write_samples`.

  Returns:
    An empty dictionary: there are no new metrics.

  Raises:
    ValueError: If no training is finished there, or its settings differ.
  """
  model, config, _ = use.finished(config, workdir)
  write_samples(model, config, workdir)
  return {}


def impute_run(config: Config, workdir: str) -> dict[str, Any]:
  """Fills the missing values of a file with the trained model of a run.

  Args:
    config: Settings of the run; those of serving may differ.
    workdir: Directory of the run; see `write_imputation`.

  Returns:
    An empty dictionary: there are no new metrics.

  Raises:
    ValueError: If no training is finished there, its settings differ, or the
      file does not fit the model.
  """
  check_files(config)
  write_imputation(*use.finished(config, workdir)[:2])
  return {}


def _trained(config: Config,
             workdir: str) -> tuple[Run, dict[str, Any]]:
  """Returns the trained model of a run with its data, and its metrics."""
  config = workdir_lib.settled(config, workdir)
  metrics = workdir_lib.trained_metrics(workdir, config)
  images = load_images(config)
  workdir_lib.settle_data(workdir, images, writes=False)
  return Run(use.load_model(workdir), config, images), metrics


def _save(model: LatentVariableModel, checkpoint: callbacks.Checkpoint,
          history: callbacks.History, config: Config, workdir: str,
          label_names: Sequence[str] | None):
  """Exports and saves a trained model.

  `model.keras` is written last; without it the next run repeats both.
  """
  if config.serving.export:
    export_model(model, config, workdir, label_names)
  workdir_lib.write_training(workdir, {
      'best_epoch': int(checkpoint.best_epoch),
      'select_by': config.training.select_by,
      'parameters': model.count_params(),
      'seconds': {'train': round(history.total('seconds'), 1)},
      'versions': {name: importlib.metadata.version(name)
                   for name in _PACKAGES}})
  with replacing(os.path.join(workdir, workdir_lib.MODEL_FILE)) as temporary:
    model.save(temporary)


def _evaluate(model: LatentVariableModel, config: Config,
              images: data.ImageData, workdir: str) -> dict[str, Any]:
  """Evaluates a saved model, and writes the report and the metrics."""
  start = time.monotonic()
  run = Run(model, config, images)
  metrics = evaluations.evaluate(run, {}) | (
      workdir_lib.trained_metrics(workdir, config))
  metrics['seconds'] = metrics['seconds'] | {
      'evaluate': round(time.monotonic() - start, 1)}
  return _report(run, metrics, workdir)


def _report(run: Run, metrics: dict[str, Any],
            workdir: str) -> dict[str, Any]:
  """Writes the report, then the metrics, even if the report fails."""
  metrics = texts_as_flags(plain(metrics))
  metrics.pop('report', None)

  def write():
    write_report(run, metrics, workdir)
    return {}

  failed = evaluations.attempt('report', write)
  if failed:
    metrics['report'] = texts_as_flags(failed)
  return workdir_lib.write_metrics(workdir, metrics)
