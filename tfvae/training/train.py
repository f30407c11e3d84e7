"""The seam between the command line and the library."""

import importlib.metadata
import logging
import os
import time
from typing import Any

import numpy as np
import tf_keras

from tfvae import data
from tfvae.files import replacing
from tfvae.layers.likelihoods.support import check_support
from tfvae.models import LatentVariableModel
from tfvae.models.choices import SUPPORT
from tfvae.serving import export_saved_model
from tfvae.training import strategies
from tfvae.training import workdir as workdir_lib
from tfvae.training.callbacks import checkpoint as callbacks
from tfvae.training.config import Config
from tfvae.training.config import ServingConfig
from tfvae.training.fit import fitting
from tfvae.training.fit.batches import TrainingInput
from tfvae.training.results import evaluation_checks
from tfvae.training.results import evaluations
from tfvae.training.results.json_files import plain
from tfvae.training.results.run_report import write_report
from tfvae.training.results.subject import Subject

_LOGGER = logging.getLogger(__name__)

EXPORT_DIRECTORY = 'export'

_PACKAGES = ('tensorflow', 'tf-keras', 'tensorflow-probability',
             'tensorflow-datasets', 'numpy')


def train_and_evaluate(config: Config, workdir: str) -> dict[str, Any]:
  """Trains a VAE, exports and evaluates it, and writes all to a directory.

  Called again with the same arguments it resumes where it was stopped, and does
  nothing if the run is finished. The model is exported and saved before it is
  evaluated; evaluations that cannot be computed are named before training, and
  do not end the run. The metrics are those of the weights of the epoch that is
  kept by --select_by.

  Args:
    config: Settings of the run.
    workdir: Directory that receives `flags.txt`, `metrics.json`,
      `history.csv`, `checkpoints/`, `tensorboard/`, `report/`, `training.json`,
      `model.keras` and `export/`.

  Returns:
    The content of `metrics.json`; likelihoods in nats. An empty dictionary in a
    worker that is not the chief, which has the results.

  Raises:
    ValueError: Before training, if the data or the directory are unsuitable.
    TrainingInterruptedError: If a signal ended the training; the same call
      resumes it.
    FloatingPointError: After --max_skipped_steps training steps in a row with
      a NaN or an infinity; what was saved stays.
  """
  if strategies.serve_if_server(config.training):
    return {}
  config = workdir_lib.settled(config, workdir)
  strategy = strategies.make_strategy(config.training)
  images = _load(config)
  # Before the directory is written, so that a mistake leaves no trace there.
  train_input = TrainingInput(images, config, strategy)
  with strategy.scope():
    model = fitting.build(config, images, train_input.batch_fn)
  is_chief = strategies.is_chief(strategy)
  with workdir_lib.prepared(workdir, config, is_chief) as finished:
    if finished is not None:
      _LOGGER.info('The run in %s is finished; nothing to do.', workdir)
      return finished
    evaluation_checks.warn(config, images)
    if workdir_lib.is_trained(workdir):
      _LOGGER.info('The training in %s is finished; evaluating.', workdir)
      model = _load_model(workdir) if is_chief else None
    else:
      checkpoint, history = fitting.fit(
          model, config, images, train_input, workdir)
      if is_chief:
        model = fitting.best(model, checkpoint, config, images)
        _save(model, checkpoint, history, config, workdir)
    if not is_chief:
      return {}
    return _evaluate(model, config, images, workdir)


def evaluate_run(config: Config, workdir: str) -> dict[str, Any]:
  """Evaluates a trained model of a run, and rewrites the report.

  Args:
    config: Settings of the run; those of the evaluation may differ, except
      `eval_seed`.
    workdir: Directory of the run. `metrics.json` and `report/` are replaced;
      figures that are not computed again are kept.

  Returns:
    The new content of `metrics.json`.

  Raises:
    ValueError: If no training is finished there, or its settings are others.
  """
  with workdir_lib.held(workdir):
    subject, metrics = _trained(config, workdir)
    metrics = evaluations.evaluate(subject, metrics)
    workdir_lib.write_metrics(workdir, metrics)
    return _report(subject, metrics, workdir)


def report_run(config: Config, workdir: str) -> dict[str, Any]:
  """Rewrites the report of a run from its metrics; see `evaluate_run`."""
  with workdir_lib.held(workdir):
    subject, metrics = _trained(config, workdir)
    failed = metrics.pop('report', None)
    write_report(subject, metrics, workdir)
    if failed is not None:
      metrics = workdir_lib.write_metrics(workdir, metrics)
  return metrics


def export_run(config: Config, workdir: str) -> dict[str, Any]:
  """Exports the trained model of a run as the next version.

  Args:
    config: Settings of the run; those of serving may differ.
    workdir: Directory of the run.

  Returns:
    The content of `metrics.json`, or the figures of the training before there
    is one.

  Raises:
    ValueError: If no training is finished there, or its settings are others.
  """
  config = workdir_lib.settled(config, workdir)
  metrics = workdir_lib.trained_metrics(workdir, config)
  _export(_load_model(workdir), config.serving, workdir)
  return metrics


def _export(model: LatentVariableModel, config: ServingConfig, workdir: str):
  path = export_saved_model(
      model, config.export_dir or os.path.join(workdir, EXPORT_DIRECTORY),
      keep=config.export_keep)
  _LOGGER.info('Exported to %s.', path)


def _load(config: Config) -> data.ImageData:
  """Returns the data of a run after checking that its model takes them."""
  source = config.data
  images = data.load_images(
      source.dataset, data_dir=source.data_dir,
      train_split=source.train_split,
      validation_split=source.validation_split, test_split=source.test_split,
      validation_fraction=source.validation_fraction,
      image_key=source.image_key, label_key=source.label_key,
      seed=config.evaluation.eval_seed, cache=source.cache,
      cache_dir=source.cache_dir)
  _check_support(config, images)
  if config.model.graph().is_conditional:
    _check_labels(config, images)
  return images


def _trained(config: Config,
             workdir: str) -> tuple[Subject, dict[str, Any]]:
  """Returns a run's trained model with its data, and the metrics so far."""
  config = workdir_lib.settled(config, workdir)
  metrics = workdir_lib.trained_metrics(workdir, config)
  return Subject(
      _load_model(workdir), config, _load(config)), metrics


def _load_model(workdir: str) -> LatentVariableModel:
  return tf_keras.models.load_model(
      os.path.join(workdir, workdir_lib.MODEL_FILE))


def _check_labels(config: Config, images: data.ImageData):
  """Raises a ValueError unless every image has a class."""
  if not images.num_classes:
    raise ValueError(
        "The graphical model has the label 'y', and the data set has no "
        'classes; remove it, or name their feature by --label_key. Received: '
        f'dataset={config.data.dataset!r}, label_key={config.data.label_key!r}')
  for part in evaluations.SPLITS:
    is_carved = part == 'validation' and config.data.validation_split is None
    flag = 'train_split' if is_carved else f'{part}_split'
    getattr(images, part).check_labels(
        images.num_classes,
        f'the {part} images (--{flag}={getattr(config.data, flag)!r})')


def _check_support(config: Config, images: data.ImageData):
  """Raises if the likelihood is not defined on the data."""
  support = SUPPORT[config.model.likelihood]
  for split in (images.train, images.validation, images.test):
    if support == 'binary':
      data.check_support(split.images, config.data_binarization())
    # k/255 has every support but that of counts.
    elif support == 'counts' or split.images.dtype != np.uint8:
      first = 0
      for chunk in data.chunks(split.images):
        check_support(chunk, support, config.model.likelihood, first)
        first += len(chunk)


def _save(model: LatentVariableModel, checkpoint: callbacks.Checkpoint,
          history: callbacks.History, config: Config, workdir: str):
  """Exports and saves a trained model; `model.keras` says that both are done.

  A kill before that has the next run do it again.
  """
  if config.serving.export:
    _export(model, config.serving, workdir)
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
  subject = Subject(model, config, images)
  metrics = evaluations.evaluate(subject, {}) | (
      workdir_lib.trained_metrics(workdir, config))
  metrics['seconds'] = metrics['seconds'] | {
      'evaluate': round(time.monotonic() - start, 1)}
  return _report(subject, metrics, workdir)


def _report(subject: Subject, metrics: dict[str, Any],
            workdir: str) -> dict[str, Any]:
  """Writes the report, then the metrics, also where the report fails."""
  metrics = plain(metrics)
  metrics.pop('report', None)

  def write():
    write_report(subject, metrics, workdir)
    return {}

  failed = evaluations.attempt('report', write)
  return workdir_lib.write_metrics(
      workdir, metrics | ({'report': failed} if failed else {}))
