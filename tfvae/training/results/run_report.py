"""The report of a run: its pictures, its page and TensorBoard's projector."""

from collections.abc import Sequence
import os
import shlex
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import report
from tfvae.inference import observed
from tfvae.inference import sample_weights
from tfvae.inference import unpack_batch
from tfvae.layers.columns.independent_columns import columns_of
from tfvae.settings import flag_text
from tfvae.tables import Column
from tfvae.training import workdir as workdir_lib
from tfvae.training.callbacks.projector import write_projector
from tfvae.training.config import Config
from tfvae.training.config import FIELDS
from tfvae.training.results.anomalous_examples import section_of_run
from tfvae.training.results.data_page import data_facts
from tfvae.training.results.subject import Run

# Number of test images in the report; the map shows each as a point.
_IMAGES = 2000
# Number of them shown with their reconstructions in `overview.png`.
_FEW_IMAGES = 50


def write_report(run: Run, metrics: dict[str, Any], workdir: str):
  """Writes `report/` and TensorBoard's projector.

  `report/` contains `index.html`, `graph.png` and `overview.png`.

  Args:
    run: Trained model and data.
    metrics: Content of `metrics.json`; the file need not exist yet.
    workdir: Directory of the run.
  """
  directory = os.path.join(workdir, 'report')
  os.makedirs(directory, exist_ok=True)
  test = run.subject.test
  batch = _first(test.first())
  inputs, _ = unpack_batch(batch)
  report.save_figure(
      os.path.join(directory, 'graph.png'),
      report.draw_graph(run.config.model.graph()))
  columns = columns_of(run.model.likelihood_layer())
  if columns:
    _draw_columns(run, columns, batch, directory)
  else:
    _draw_pictures(run, inputs, directory)
  labels = run.images.test.labels
  labels = None if labels is None else labels[:_IMAGES]
  write_projector(
      workdir, run.model, inputs, labels, run.images.label_names)
  report.write_report(
      os.path.join(directory, 'index.html'), run.model, inputs, labels,
      history=workdir_lib.read_history(workdir),
      metrics=metrics,
      title=run.images.name,
      command=command(run.config, workdir),
      class_names=run.images.label_names or (),
      seed=run.config.evaluation.eval_seed,
      more=section_of_run(run, workdir),
      known=unpack_batch(_first(test.first_known()))[0]
      if test.known_batches else None,
      **data_facts(run.config, run.images))


def _first(batches: tf.data.Dataset) -> Any:
  """Returns a batch of the examples of the report."""
  return next(iter(batches.unbatch().batch(_IMAGES)))


def command(config: Config, workdir: str) -> str:
  """Returns the command line that repeats a run in another directory."""
  flags = [f'--{name}={flag_text(value)}'
           for name, value in config.flat().items()
           if FIELDS[name].metadata['changes_result']
           and value != FIELDS[name].default]
  return shlex.join(['python', 'train_main.py', f'--workdir={workdir}', *flags])


def _draw_pictures(run: Run, inputs: Any, directory: str):
  """Draws reconstructions and samples."""
  labels, title = None, 'samples: E[x|z], z ~ p(z)'
  few = tf.nest.map_structure(lambda rows: rows[:_FEW_IMAGES], inputs)
  if 'y' in observed(inputs):  # A column of samples for each class in turn.
    classes = run.images.num_classes
    labels = {'y': np.eye(classes)[np.arange(100) % classes]}
    title = 'samples: E[x|z,y], z ~ p(z|y)'
  samples = run.model.sample(100, run.config.evaluation.eval_seed, mean=True,
                             inputs=labels).numpy()
  display = report.Display(observed(inputs)['x'])
  report.save_panels(os.path.join(directory, 'overview.png'), [
      ('data, each row above its reconstruction',
       report.reconstruction_grid(run.model, few)),
      (title, report.image_grid(display(samples), columns=10))])


def _draw_columns(run: Run, columns: Sequence[Column], batch: Any,
                  directory: str):
  """Draws the distribution of each column, and of samples."""
  inputs, _ = unpack_batch(batch)
  labels = None
  if 'y' in observed(inputs):  # In the proportions of the data.
    y = np.asarray(observed(inputs)['y'])
    labels = {'y': np.resize(y, [_IMAGES, y.shape[1]])}
  samples = run.model.sample(
      _IMAGES, run.config.evaluation.eval_seed, inputs=labels).numpy()
  weights = sample_weights(batch)
  report.save_figure(os.path.join(directory, 'overview.png'),
                     report.draw_marginals(
                         columns, np.asarray(observed(inputs)['x']), samples,
                         None if weights is None else np.asarray(weights)))
