"""A measure of your own: the squared error of reconstructions.

`python docs/extending/measure.py` trains a model and evaluates it by the
measure. `metrics.json` then has the block `reconstruction_error`, the test
block repeats its figure, and the report explains and draws it. The measure is a
value of `evaluations`, with the setting `eval_error_examples`; import the file
before `tfvae.training`. A model that is already trained needs no run:

  metrics = tfvae.evaluation.evaluate(
      model, x_test, measures=['latent_space', ReconstructionError(50)])
  tfvae.report.write_report('index.html', model, x_test, metrics=metrics)

Inside the package, a measure is such a file in `tfvae/evaluation` and its
import in `tfvae/evaluation/__init__.py`.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np

from tfvae.evaluation import Estimate
from tfvae.evaluation import Histogram
from tfvae.evaluation import Measure
from tfvae.evaluation import MEASURES
from tfvae.evaluation import Section
from tfvae.evaluation import Subject
from tfvae.evaluation import with_errors
from tfvae.inference import observed
from tfvae.registry import Setting


# A `Setting` is a constructor argument, and a flag of the program.
@MEASURES.register('reconstruction_error', examples=Setting(
    'eval_error_examples', 100,
    'number of test images for reconstruction_error, the first ones; 0 for all',
    at_least=0))
@dataclasses.dataclass(frozen=True)
class ReconstructionError(Measure):
  """Mean squared error of E[x|z], with z at the posterior mean.

  Attributes:
    examples: Number of test images, the first ones; 0 for all.
  """

  examples: int = 100

  # A sentence of the report about each key of the block.
  explanations = {
      'squared_error': 'Mean of (x − E[x|z])² over the pixels.',
      'variance': 'Mean variance of the pixels: the squared error of the mean '
                  'image.'}
  charted = ('counts', 'range')  # The section draws them; no table has them.

  def why_not(self, subject: Subject) -> str | None:
    """Returns why a data set is unsuitable, or None."""
    if subject.test.count < 2:
      return 'the variance of the pixels needs two test images'
    return None

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns the block of `metrics.json`."""
    images, means = [], []
    for batch in subject.test.first(self.examples):
      images.append(observed(batch)['x'])
      means.append(subject.model(batch, training=False).mean())
    x, mean = np.concatenate(images), np.concatenate(means)
    errors = np.mean((x - mean)**2, axis=(1, 2, 3))
    counts, edges = np.histogram(errors, bins=10)
    return with_errors({'squared_error': Estimate(errors)}) | {
        'variance': float(np.mean(np.var(x, axis=0))), 'examples': len(x),
        'counts': counts.tolist(), 'range': [edges[0], edges[-1]]}

  def headline(self, block: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the figures that the test block repeats."""
    return {key: block[key] for key in ('squared_error',) if key in block}

  def warnings(self, block: Mapping[str, Any]) -> list[str]:
    """Returns sentences for the top of the report."""
    if block.get('squared_error', 0) < block.get('variance', np.inf):
      return []
    return ['The reconstructions are no better than the mean image.']

  def section(self, block: Mapping[str, Any]) -> Section | None:
    """Returns the section of the report, or None."""
    if 'counts' not in block:
      return None
    low, high = block['range']
    return Section(
        'Reconstruction error', 'Number of test images by squared error.',
        [Histogram(f'{low:.2g} to {high:.2g}', block['counts'])])


def main(workdir: str, **settings: Any) -> dict[str, Any]:
  """Trains, saves and evaluates a model.

  Args:
    workdir: Directory of the run.
    **settings: Settings in place of those below.

  Returns:
    The content of `metrics.json`.
  """
  from tfvae import training  # After the registration.
  config = training.Config(**{
      'dataset': 'digits', 'latents': 'z:8', 'epochs': 20,
      'evaluations': ('latent_space', 'reconstruction_error'),
      'eval_error_examples': 200} | settings)
  return training.train_and_evaluate(config, workdir)


if __name__ == '__main__':
  print(main('runs/error')['test']['squared_error'])
