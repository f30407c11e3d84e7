"""The seam between the command line and the library."""

import importlib.metadata
import logging
import os
import time
from typing import Any

import numpy as np
import tf_keras

from tfvae import data
from tfvae.layers.support import check_support
from tfvae.models import LatentVariableModel
from tfvae.models.choices import SUPPORT
from tfvae.serving import export_saved_model
from tfvae.training import callbacks
from tfvae.training import evaluations
from tfvae.training import fitting
from tfvae.training import strategies
from tfvae.training import workdir as workdir_lib
from tfvae.training.batches import TrainingInput
from tfvae.training.config import Config
from tfvae.training.run_report import write_report

_LOGGER = logging.getLogger(__name__)

MODEL_FILE = 'model.keras'
EXPORT_DIRECTORY = 'export'

_PACKAGES = ('tensorflow', 'tf-keras', 'tensorflow-probability',
             'tensorflow-datasets', 'numpy')


def train_and_evaluate(config: Config, workdir: str) -> dict[str, Any]:
  """Trains a VAE, evaluates it and leaves all of it in a directory.

  Called again with the same arguments it goes on after the last epoch that was
  finished, and does nothing where the run is finished. The numbers of the test
  set are those of the weights that had the best ELBO on the validation set.

  Args:
    config: the settings.
    workdir: gets `flags.txt`, `metrics.json`, `history.csv`, `checkpoints/`,
      `tensorboard/`, `report/`, `model.keras` and `export/`.

  Returns:
    What `metrics.json` holds; likelihoods in nats. Nothing where another of
    several workers, the chief, has the results.

  Raises:
    ValueError: before training, if the data or the directory will not do.
    TrainingInterruptedError: if a signal ended the training; the same call goes
      on.
    FloatingPointError: after --max_skipped_steps training steps in a row with
      a NaN or an infinity; what was saved stays.
  """
  if strategies.serve_if_server(config):
    return {}
  strategy = strategies.make_strategy(config)
  images = _load(config)
  # Before the directory is written, so that a mistake leaves no trace there.
  train_input = TrainingInput(images, config, strategy)
  with strategy.scope():
    model = fitting.build(config, images, train_input.batch_fn)
  is_chief = strategies.is_chief(strategy)
  with workdir_lib.prepared(workdir, config, is_chief) as finished:
    if finished:
      _LOGGER.info('The run in %s is finished; nothing to do.', workdir)
      return finished
    checkpoint, history = fitting.fit(
        model, config, images, train_input, workdir)
    if not is_chief:
      return {}
    return _evaluate(
        fitting.best(model, checkpoint, config, images), checkpoint, history,
        config, images, workdir)


def evaluate_run(config: Config, workdir: str) -> dict[str, Any]:
  """Runs the evaluations of a finished run, and reports on it anew.

  Args:
    config: the run's settings; those of evaluation may be others.
    workdir: of the run; `metrics.json` and `report/` are replaced there, with
      whatever they held and is not computed anew.

  Returns:
    What `metrics.json` holds then.

  Raises:
    ValueError: if the run is not finished, or its settings are others.
  """
  with workdir_lib.held(workdir):
    subject, metrics = _finished(config, workdir)
    metrics = evaluations.evaluate(subject, metrics)
    workdir_lib.write_metrics(workdir, metrics)
    write_report(subject, metrics, workdir)
  return metrics


def report_run(config: Config, workdir: str) -> dict[str, Any]:
  """Reports on a finished run anew; see `evaluate_run`."""
  with workdir_lib.held(workdir):
    subject, metrics = _finished(config, workdir)
    write_report(subject, metrics, workdir)
  return metrics


def export_run(config: Config, workdir: str) -> dict[str, Any]:
  """Exports a finished run's model anew, as the next version.

  Args:
    config: the run's settings; those of serving may be others.
    workdir: of the run.

  Returns:
    What `metrics.json` holds.

  Raises:
    ValueError: if the run is not finished, or its settings are others.
  """
  metrics = workdir_lib.finished_metrics(workdir, config)
  model = tf_keras.models.load_model(os.path.join(workdir, MODEL_FILE))
  _export(model, config, workdir)
  return metrics


def _export(model: LatentVariableModel, config: Config, workdir: str):
  path = export_saved_model(
      model, config.export_dir or os.path.join(workdir, EXPORT_DIRECTORY),
      keep=config.export_keep)
  _LOGGER.info('Exported to %s.', path)


def _load(config: Config) -> data.ImageData:
  """Returns the run's data, which its model can take."""
  images = data.load_images(
      config.dataset, data_dir=config.data_dir,
      train_split=config.train_split,
      validation_split=config.validation_split, test_split=config.test_split,
      validation_fraction=config.validation_fraction,
      image_key=config.image_key, label_key=config.label_key,
      seed=config.eval_seed, cache=config.cache, cache_dir=config.cache_dir)
  _check_support(config, images)
  if config.graph().is_conditional:
    _check_labels(config, images)
  return images


def _finished(config: Config,
              workdir: str) -> tuple[evaluations.Subject, dict[str, Any]]:
  """Returns a finished run's model with its data, and its metrics."""
  metrics = workdir_lib.finished_metrics(workdir, config)
  model = tf_keras.models.load_model(os.path.join(workdir, MODEL_FILE))
  return evaluations.Subject(model, config, _load(config)), metrics


def _check_support(config: Config, images: data.ImageData):
  """Refuses data that the likelihood is not defined on."""
  support = SUPPORT[config.likelihood]
  for split in (images.train, images.validation, images.test):
    if support == 'binary':
      data.check_support(split.images, config.data_binarization())
    # k/255 has every support but that of counts.
    elif support == 'counts' or split.images.dtype != np.uint8:
      first = 0
      for chunk in data.chunks(split.images):
        check_support(chunk, support, config.likelihood, first)
        first += len(chunk)


def _check_labels(config: Config, images: data.ImageData):
  """Raises a ValueError unless every image has a class."""
  if not images.num_classes:
    raise ValueError(
        "The graphical model has the label 'y', and the data set has no "
        'classes; remove it, or name their feature by --label_key. Received: '
        f'dataset={config.dataset!r}, label_key={config.label_key!r}')
  for part in ('train', 'validation', 'test'):
    is_carved = part == 'validation' and config.validation_split is None
    flag = 'train_split' if is_carved else f'{part}_split'
    getattr(images, part).check_labels(
        images.num_classes,
        f'the {part} images (--{flag}={getattr(config, flag)!r})')


def _evaluate(model: LatentVariableModel, checkpoint: callbacks.Checkpoint,
              history: callbacks.History, config: Config,
              images: data.ImageData, workdir: str) -> dict[str, Any]:
  """Evaluates a trained model and leaves the results."""
  start = time.monotonic()
  subject = evaluations.Subject(model, config, images)
  metrics = evaluations.evaluate(subject, evaluations.elbo_means(subject)) | {
      'best_epoch': int(checkpoint.best_epoch),
      'parameters': model.count_params(),
      'seconds': {'train': round(history.total('seconds'), 1),
                  'evaluate': round(time.monotonic() - start, 1)},
      'versions': {name: importlib.metadata.version(name)
                   for name in _PACKAGES}}
  model.save(os.path.join(workdir, MODEL_FILE))
  if config.export:
    _export(model, config, workdir)
  write_report(subject, metrics, workdir)
  workdir_lib.write_metrics(workdir, metrics)
  return metrics
