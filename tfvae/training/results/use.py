"""The model of a run or of an export, and the data that it is used on."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import os
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import data
from tfvae import files
from tfvae import prediction
from tfvae.anomaly import Detector
from tfvae.layers.likelihoods.support import SUPPORTS
from tfvae.models import LatentVariableModel
from tfvae.serving.saved_model.description import described_columns
from tfvae.serving.saved_model.description import DETECTOR_FILE as EXPORTED
from tfvae.serving.saved_model.description import is_saved_model
from tfvae.training import strategies
from tfvae.training import workdir as workdir_lib
from tfvae.training.config import Config
from tfvae.training.fit.images import read_data

DETECTOR_FILE = 'detector.npz'


def load_model(workdir: str) -> LatentVariableModel:
  """Returns the model that a run saved."""
  return tf_keras.models.load_model(
      os.path.join(workdir, workdir_lib.MODEL_FILE))


def finished(
    config: Config, workdir: str,
) -> tuple[LatentVariableModel, Config, dict[str, Any]]:
  """Returns the model of a finished training, its settings and metrics.

  Raises:
    ValueError: If no training is finished there, or its settings differ.
  """
  config = workdir_lib.settled(config, workdir)
  metrics = workdir_lib.trained_metrics(workdir, config)
  return load_model(workdir), config, metrics


def check_input(config: Config):
  """Raises a ValueError unless the settings name an input and an output."""
  use = config.prediction
  received = f'Received: input={use.input}, output={use.output}'
  if not use.input or not use.output:
    raise ValueError('`input`, the data set to read, and `output`, the folder '
                     f'to write, are needed. {received}')
  parent = os.path.dirname(os.path.normpath(use.output)) or '.'
  if not os.path.isdir(parent):
    raise ValueError(f'The directory of `output` does not exist; create it: '
                     f'mkdir -p {parent}. {received}')


def load_predictors(config: Config, path: str,
                    signatures: Sequence[str],
                    detector: str | None = None) -> list[prediction.Predictor]:
  """Returns the model on each device of the strategy.

  Args:
    config: Settings of the run: `strategy`.
    path: Directory of a finished run, or of an exported version.
    signatures: Names of the signatures that are needed.
    detector: File of the detector of a run, if they are that of it.

  Raises:
    ValueError: If there is no such model.
  """
  devices = strategies.devices_here(config.training)
  is_export = is_saved_model(path)
  if not is_export:
    config = workdir_lib.settled(config, path)
    workdir_lib.trained_metrics(path, config)
    labels = label_names(config)
  found = []
  for device in devices:
    with tf.device(device):
      if is_export:
        found.append(prediction.Predictor.of_export(path, signatures))
        continue
      model = load_model(path)
      found.append(prediction.Predictor.of_model(
          model, signatures, labels,
          importance_samples=config.evaluation.eval_importance_samples,
          refine_steps=config.serving.refine_steps,
          detector=detector and Detector.load(detector, model)))
  return found


def detector_file(path: str) -> str:
  """Returns the file of the detector of a run or of an export.

  Raises:
    ValueError: If the model is not calibrated.
  """
  is_export = is_saved_model(path)
  found = os.path.join(path, EXPORTED if is_export else DETECTOR_FILE)
  if not os.path.exists(found):
    again = ', which exports the model again' if is_export else ''
    raise ValueError(
        'The model has no calibration, without which a score is no alarm; '
        f'calibrate its run by `mode=calibrate`{again}. Received: {path}')
  return found


def check_refinement(config: Config, path: str, signatures: Sequence[str]):
  """Raises a ValueError if a run is to refine posteriors in no steps.

  Args:
    config: Settings of the run.
    path: Directory of the run, or of an exported version.
    signatures: Names of the signatures that are needed.
  """
  if 'refine' in signatures and not is_saved_model(path) and (
      not config.serving.refine_steps):
    raise ValueError('`outputs=refined` needs the number of steps; set '
                     '`refine_steps`, for example to 10. Received: '
                     f'refine_steps={config.serving.refine_steps}')


def open_input(config: Config,
               description: Mapping[str, Any]) -> data.OrderedRows:
  """Opens the data set of `input`, checked against a model.

  Args:
    config: Settings: those of the prediction, and how the data are read.
    description: Description of the model; see `describe_model`.

  Raises:
    ValueError: If the data cannot be read, or do not fit the model.
  """
  source, use = config.data, config.prediction
  columns = list(described_columns(description).values())
  if bool(columns) != data.names_table(use.input):
    raise ValueError(
        f'The model is {"" if columns else "not "}that of a table; choose data '
        f'of this kind. Received: input={use.input}, and a model of '
        + (', '.join(column.name for column in columns)
           or f'x of shape {tuple(description["shape"])}'))
  missing = source.missing
  if missing == 'refuse' and description['allow_missing'] and (
      columns or data.names_array(use.input)):
    missing = 'allow'
  rows = data.open_rows(
      use.input, use.input_split, source.data_dir, source.image_key,
      source.label_key if description['labels'] or (
          config.anomaly.anomaly_labels) else None,
      _form(config, description['shape']), source.skip_corrupt, columns,
      missing, source.mask_key, description['infers_label'], use.id_key,
      config.data_binarization(), config.evaluation.eval_seed,
      SUPPORTS[description['support']].is_count)
  if tuple(rows.shape) != tuple(description['shape']):
    raise ValueError(
        'The examples have another shape than those of the model; choose other '
        'data, or convert them by `image_size` and `channels`. Received: '
        f'input={use.input} with x of shape {tuple(rows.shape)}, and a model '
        f'of x of shape {tuple(description["shape"])}')
  return rows


def _form(config: Config, shape: Sequence[int]) -> data.ImageFormat:
  """Returns the format of images: that of the run, in the size of the model."""
  source, name = config.data, config.prediction.input
  if data.names_table(name) or data.names_array(name):
    return data.ImageFormat()
  form = data.ImageFormat.of(source.image_size, source.resize, source.channels,
                             source.background)
  if data.names_folder(name) and len(shape) == 3:
    return dataclasses.replace(form, size=tuple(shape[:2]), channels=shape[2])
  return form


def label_names(config: Config) -> Sequence[str] | None:
  """Returns the classes of a conditional model, as the data of its run have."""
  return (read_data(config).label_names
          if config.model.graph().is_conditional else None)


def one_hot_labels(rows: data.OrderedRows, description: Mapping[str, Any]
             ) -> Callable[[Mapping[str, np.ndarray]], np.ndarray] | None:
  """Returns the function from a batch to the labels of a conditional model."""
  names = description['labels']
  if names is None:
    return None
  infers = description['infers_label']
  if not rows.has_labels and not infers:
    raise ValueError(
        'The model is conditional, and needs the label of each example; name '
        'them by `label_key`. Received: data without labels, and a model with '
        f'the classes {", ".join(names)}')
  codes = {name: code for code, name in enumerate(names)}

  def one_hot(batch):
    labels = batch.get('labels', np.full(len(batch['x']), '', object))
    unknown = {label for label in set(labels) if label not in codes
               and not (infers and label == '')}
    if unknown:
      raise ValueError(
          'Labels must be among the classes of the model, '
          f'{", ".join(names)}. Received: '
          f'{", ".join(sorted(unknown)) or "a missing label"}')
    y = np.zeros([len(labels), len(names)], np.float32)
    known = np.flatnonzero(labels != '')
    y[known, [codes[label] for label in labels[known]]] = 1
    return y

  return one_hot


def model_digest(path: str) -> dict[str, str]:
  """Returns a digest of each file that has weights of a model."""
  names = (['saved_model.pb', os.path.join(
      'variables', 'variables.data-00000-of-00001')]
           if is_saved_model(path) else [workdir_lib.MODEL_FILE])
  return {name: files.digest(os.path.join(path, name)) for name in names}
