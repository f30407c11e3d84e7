"""The report of a run: its pictures, its page and TensorBoard's projector."""

import os
import shlex
from typing import Any

import numpy as np

from tfvae import report
from tfvae.inference import observed
from tfvae.inference import unpack_batch
from tfvae.settings import flag_text
from tfvae.training import workdir as workdir_lib
from tfvae.training.callbacks.projector import write_projector
from tfvae.training.config import Config
from tfvae.training.config import FIELDS
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
  batches = run.subject.test.first().unbatch().batch(_IMAGES)
  inputs, _ = unpack_batch(next(iter(batches)))
  _draw(run, inputs, directory)
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
      **data_facts(run.config, run.images))


def command(config: Config, workdir: str) -> str:
  """Returns the command line that repeats a run in another directory."""
  flags = [f'--{name}={flag_text(value)}'
           for name, value in config.flat().items()
           if FIELDS[name].metadata['changes_result']
           and value != FIELDS[name].default]
  return shlex.join(['python', 'train_main.py', f'--workdir={workdir}', *flags])


def _draw(run: Run, inputs: Any, directory: str):
  """Writes pictures: of the graphs, of reconstructions and of samples."""
  graph, model = run.config.model.graph(), run.model
  report.save_figure(
      os.path.join(directory, 'graph.png'), report.draw_graph(graph))
  labels, title = None, 'samples: E[x|z], z ~ p(z)'
  few = inputs[:_FEW_IMAGES] if not graph.is_conditional else {
      name: rows[:_FEW_IMAGES] for name, rows in inputs.items()}
  if graph.is_conditional:  # A column of samples for each class in turn.
    classes = run.images.num_classes
    labels = {'y': np.eye(classes)[np.arange(100) % classes]}
    title = 'samples: E[x|z,y], z ~ p(z|y)'
  samples = model.sample(100, run.config.evaluation.eval_seed, mean=True,
                         inputs=labels).numpy()
  display = report.Display(observed(inputs)['x'])
  report.save_panels(os.path.join(directory, 'overview.png'), [
      ('data, each row above its reconstruction',
       report.reconstruction_grid(model, few)),
      (title, report.image_grid(display(samples), columns=10))])
