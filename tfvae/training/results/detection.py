"""Calibration of the detector of a run, and alarms by it."""

from collections.abc import Callable, Iterator, Mapping
import dataclasses
import os
from typing import Any

import numpy as np
from pyarrow import parquet
import tensorflow as tf

from tfvae import anomaly
from tfvae import data
from tfvae.anomaly import digests
from tfvae.files import replacing
from tfvae.models import LatentVariableModel
from tfvae.report import write_page
from tfvae.serving.saved_model.description import describe_model
from tfvae.serving.saved_model.description import described_columns
from tfvae.training import workdir as workdir_lib
from tfvae.training.config import Config
from tfvae.training.fit.batches import as_counts
from tfvae.training.fit.batches import evaluation_batches
from tfvae.training.fit.images import load_images
from tfvae.training.results import predictions
from tfvae.training.results import use
from tfvae.training.results.anomalous_examples import anomalous_examples
from tfvae.training.results.anomalous_examples import FACTS_FILE
from tfvae.training.results.anomalous_examples import test_facts
from tfvae.training.results.export import export_model
from tfvae.training.results.json_files import write_json
from tfvae.training.results.subject import Run

_BATCH = 1000  # Rows of a batch of the calibration.


def calibrate_run(config: Config, workdir: str) -> dict[str, Any]:
  """Calibrates a detector for the model of a run; see `anomaly.calibrate`.

  The calibration rows are those of `input`, or else the validation split, whose
  influence on the model is small: it selected the epoch. Those that the model
  was trained on are counted, and logged as a warning. The share of alarms is
  then measured on the test split, and the model is exported with the signature
  `detect`.

  Args:
    config: Settings of the run; those of the detection may differ.
    workdir: Directory of the run, which receives `detector.npz` and
      `detection.json`.

  Returns:
    An empty dictionary: there are no new metrics.

  Raises:
    ValueError: If there is no finished run, or there are too few rows.
  """
  with workdir_lib.held(workdir):
    model, config, _ = use.finished(config, workdir)
    images = load_images(config)
    rows, num_rows, names = _calibration_rows(config, images, model)
    detector = anomaly.calibrate(
        model, rows, config.anomaly.scores, config.anomaly.combination,
        config.anomaly.false_alarm_rate, config.evaluation.eval_seed,
        settings=config.flat(), num_rows=num_rows, verbose=True)
    overlap = digests.count_overlap(names, _dataset(
        lambda: _gray(images.train.images, config),
        tf.TensorSpec([None, *images.image_shape])))
    digests.warn_of_overlap(overlap, num_rows)
    detector = dataclasses.replace(detector, overlap=overlap)
    detector.save(os.path.join(workdir, use.DETECTOR_FILE))
    facts = test_facts(detector, Run(model, config, images))
    write_json(os.path.join(workdir, FACTS_FILE), facts)
    if config.serving.export:
      export_model(model, config, workdir, images.label_names)
  low, high = detector.false_alarms.interval()
  print(f'calibration rows: {len(detector.calibration):,}')
  print(f'expected false-alarm rate: {detector.false_alarms.expected:.4f} '
        f'({low:.4f} to {high:.4f} in 95 % of all calibrations)')
  print(f'alarms in the test split: {facts["alarms"]:,} of {facts["rows"]:,}, '
        f'{facts["share_of_alarms"]:.4f}')
  return {}


def detect_run(config: Config, path: str) -> dict[str, Any]:
  """Writes p-values and alarms of the examples of a data set.

  The folder `output` gets the Parquet files of `prediction.predict`.
  `output.json` and `output.html` get a summary: rates, histograms, the ROC
  curve where anomalies are known, and the most anomalous examples.

  Args:
    config: Settings of the run; those of the detection may differ.
    path: Directory of a calibrated run, or of an export of one.

  Returns:
    An empty dictionary: there are no new metrics.

  Raises:
    ValueError: If the model is not calibrated, or the data do not fit it.
  """
  job = predictions.run_job(config, path, 'detect', ['reconstruct'])
  known = calibration_of(path, job.predictor.description)
  settings = config.anomaly
  keys = ['id', 'p_value', 'score', 'is_anomaly'] + (
      ['label'] if settings.anomaly_labels else [])
  table = parquet.read_table(job.output, columns=keys)
  columns = {key: table[key].to_numpy() for key in keys}
  is_known = None
  if settings.anomaly_labels:
    is_known = _known_anomalies(columns['label'], settings.anomaly_labels)
  facts = anomaly.summarize(
      known.calibration, known.false_alarms, np.float64(columns['score']),
      columns['is_anomaly'], is_known)
  if settings.false_discovery_rate is not None:
    facts |= _discoveries(columns, settings.false_discovery_rate, table,
                          job.output)
  write_json(f'{job.output}.json', facts)
  scores = list(known.reference.scores)
  write_page(f'{job.output}.html', f'Anomalies in {config.prediction.input}', {
      'anomalies': anomaly.detection_section(
          facts, scores, anomalous_examples(job, config, columns))})
  print(f'alarms: {facts["alarms"]:,} of {facts["rows"]:,} rows, '
        f'{facts["share_of_alarms"]:.4f}')
  if 'known' in facts:
    found = facts['known']
    print(f'detected: {found["detected"]:.4f} of {found["anomalies"]:,} known '
          f'anomalies, area under the ROC curve '
          f'{found["area_under_curve"]:.4f}')
  print(f'The page is {job.output}.html.')
  return {}


def calibration_of(path: str,
                   description: Mapping[str, Any]) -> anomaly.Calibration:
  """Returns the calibration of a run or of an export.

  Args:
    path: Directory of the run or of the export.
    description: Description of the model.
  """
  return anomaly.read_calibration(
      use.detector_file(path), description['latents'],
      list(described_columns(description).values()))


def _calibration_rows(config: Config, images: data.ImageData,
                      model: LatentVariableModel
                      ) -> tuple[tf.data.Dataset, int, list[bytes]]:
  """Returns the batches of calibration rows, their number and digests."""
  if config.prediction.input is None:
    split = images.validation.images
    names = [name for x in _gray(split, config)
             for name in digests.row_digests(x)]
    return evaluation_batches(images, 'validation', config), len(split), names
  description = describe_model(model, images.label_names)
  rows = use.open_input(config, description)
  one_hot = use.one_hot_labels(rows, description)
  plain = use.open_input(dataclasses.replace(
      config, binarization='none'), description)

  def batches():
    for batch in rows.batches(0, len(rows), _BATCH):
      yield batch['x'] if one_hot is None else {
          'x': batch['x'], 'y': one_hot(batch)}

  x = tf.TensorSpec([None, *rows.shape])
  return _dataset(batches, x if one_hot is None else {
      'x': x, 'y': tf.TensorSpec([None, len(description['labels'])])}), len(
          rows), [
      name for batch in plain.batches(0, len(rows), _BATCH)
      for name in digests.row_digests(batch['x'])]


def _gray(images: data.Images, config: Config) -> Iterator[np.ndarray]:
  """Yields images as a model sees them before they are binarized."""
  counts = as_counts(config)
  stored = data.stored(images)
  for x in (stored if counts else stored.full_range()).chunks():
    yield np.float32(x if counts else data.unit_interval(tf.constant(x)))


def _dataset(batches: Callable[[], Iterator[Any]],
             signature: Any) -> tf.data.Dataset:
  """Returns batches as a data set, which are read in each pass."""
  return tf.data.Dataset.from_generator(batches, output_signature=signature)


def _known_anomalies(labels: np.ndarray,
                     chosen: tuple[str, ...]) -> np.ndarray:
  """Returns whether each row has one of the classes."""
  known = np.isin(labels.astype(str), chosen)
  if not known.any():
    raise ValueError(
        'No row has one of the classes of known anomalies; choose among '
        f'{", ".join(sorted(set(labels.astype(str))))}. Received: '
        f'anomaly_labels={",".join(chosen)}')
  return known


def _discoveries(columns: Mapping[str, np.ndarray], rate: float, table: Any,
                 output: str) -> dict[str, Any]:
  """Writes the rows that are reported at a false discovery rate."""
  reported = anomaly.false_discovery_rate(columns['p_value'], rate)
  path = f'{output}_reported.parquet'
  with replacing(path) as temporary:
    parquet.write_table(table.filter(reported), temporary)
  print(f'reported at a false discovery rate of {rate:g}: '
        f'{int(reported.sum()):,} rows, in {path}')
  return {'false_discovery_rate': rate, 'reported': int(reported.sum())}
