"""The report of a run: its pictures, its page and TensorBoard's projector."""

import os
import shlex
from typing import Any

import numpy as np

from tfvae import report
from tfvae.settings import flag_text
from tfvae.training import workdir as workdir_lib
from tfvae.training.callbacks.tensorboard import write_projector
from tfvae.training.config import Config
from tfvae.training.config import FIELDS
from tfvae.training.fit.batches import as_counts
from tfvae.training.results.subject import Subject

# Test images of the report; the map shows each as a point.
_IMAGES = 2000
# Of these, images shown with their reconstructions in `overview.png`.
_FEW_IMAGES = 50


def write_report(subject: Subject, metrics: dict[str, Any], workdir: str):
  """Writes `report/` and TensorBoard's projector.

  In `report/` are `index.html`, `graph.png` and `overview.png`.

  Args:
    subject: Model and data.
    metrics: Content of `metrics.json`, which may be still to be written.
    workdir: Directory of the run.
  """
  directory = os.path.join(workdir, 'report')
  os.makedirs(directory, exist_ok=True)
  inputs = next(iter(subject.test_batches().unbatch().batch(_IMAGES)))
  _draw(subject, inputs, directory)
  labels = subject.images.test.labels
  labels = None if labels is None else labels[:_IMAGES]
  write_projector(
      workdir, subject.model, inputs, labels, subject.images.label_names)
  report.write_report(
      os.path.join(directory, 'index.html'), subject.model, inputs, labels,
      history=workdir_lib.read_history(workdir),
      metrics=metrics,
      title=subject.images.name,
      command=command(subject.config, workdir),
      warnings=_warnings(metrics),
      rank_histograms={
          name: np.asarray(histogram) for name, histogram in metrics.get(
              'calibration', {}).get('rank_histograms', {}).items()},
      class_names=subject.images.label_names or (),
      seed=subject.config.evaluation.eval_seed)


def command(config: Config, workdir: str) -> str:
  """Returns the command line that repeats a run in another directory."""
  flags = [f'--{name}={flag_text(value)}'
           for name, value in config.flat().items()
           if FIELDS[name].metadata['changes_result']
           and value != FIELDS[name].default]
  return shlex.join(['python', 'train_main.py', f'--workdir={workdir}', *flags])


def _warnings(metrics: dict[str, Any]) -> list[str]:
  """Returns sentences for the top of the report."""
  calibration = metrics.get('calibration', {})
  return [*metrics.get('latent_space', {}).get('collapse', []),
          *([] if calibration.get('is_calibrated', True)
            else calibration['verdict'])]


def _draw(subject: Subject, inputs: Any, directory: str):
  """Writes pictures: of the graphs, of reconstructions and of samples."""
  graph, model = subject.config.model.graph(), subject.model
  report.save_figure(
      os.path.join(directory, 'graph.png'), report.draw_graph(graph))
  labels, title = None, 'samples: E[x|z], z ~ p(z)'
  few = inputs[:_FEW_IMAGES] if not graph.is_conditional else {
      name: rows[:_FEW_IMAGES] for name, rows in inputs.items()}
  if graph.is_conditional:  # A column of samples for each class in turn.
    classes = subject.images.num_classes
    labels = {'y': np.eye(classes)[np.arange(100) % classes]}
    title = 'samples: E[x|z,y], z ~ p(z|y)'
  samples = model.sample(100, subject.config.evaluation.eval_seed, mean=True,
                         inputs=labels).numpy()
  samples /= max(1, samples.max()) if as_counts(subject.config) else 1
  report.save_panels(os.path.join(directory, 'overview.png'), [
      ('data, each row over its reconstruction',
       report.reconstruction_grid(model, few)),
      (title, report.image_grid(samples, columns=10))])
