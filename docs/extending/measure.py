"""A measure of your own: the squared error of reconstructions.

Run the program with the measure and its setting:

  python measure.py --workdir=runs/error --epochs=2 \
    --evaluations=latent_space,reconstruction_error --eval_error_examples=50

`metrics.json` then has a block `reconstruction_error`, its figure is in the
test block too, and the report explains and draws it. In Python:

  metrics = tfvae.evaluation.evaluate(
      model, x_test, measures=['latent_space', ReconstructionError(50)])
  tfvae.report.write_report('index.html', model, x_test, metrics=metrics)
"""

import dataclasses

import numpy as np

from tfvae.evaluation import Estimate
from tfvae.evaluation import Histogram
from tfvae.evaluation import Measure
from tfvae.evaluation import MEASURES
from tfvae.evaluation import Section
from tfvae.evaluation import with_errors
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

  def why_not(self, subject):
    """Returns why a data set is unsuitable, or None."""
    if subject.test.count < 2:
      return 'the variance of the pixels needs two test images'
    return None

  def run(self, subject):
    """Returns the block of `metrics.json`."""
    images, means = [], []
    for batch in subject.test.first(self.examples):
      images.append(batch['x'] if isinstance(batch, dict) else batch)
      means.append(subject.model(batch, training=False).mean())
    x, mean = np.concatenate(images), np.concatenate(means)
    errors = np.mean((x - mean)**2, axis=(1, 2, 3))
    counts, edges = np.histogram(errors, bins=10)
    return with_errors({'squared_error': Estimate(errors)}) | {
        'variance': float(np.mean(np.var(x, axis=0))), 'examples': len(x),
        'counts': counts.tolist(), 'range': [edges[0], edges[-1]]}

  def headline(self, block):
    """Returns the figures that the test block repeats."""
    return {key: block[key] for key in ('squared_error',) if key in block}

  def warnings(self, block):
    """Returns sentences for the top of the report."""
    if block.get('squared_error', 0) < block.get('variance', np.inf):
      return []
    return ['The reconstructions are no better than the mean image.']

  def section(self, block):
    """Returns the section of the report, or None."""
    if 'counts' not in block:
      return None
    low, high = block['range']
    return Section(
        'Reconstruction error', 'Number of test images by squared error.',
        [Histogram(f'{low:.2g} to {high:.2g}', block['counts'])])


if __name__ == '__main__':
  from tfvae.__main__ import run
  run()
