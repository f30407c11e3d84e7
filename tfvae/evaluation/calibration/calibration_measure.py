"""Simulation-based calibration as a measure."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np

from tfvae.evaluation.calibration.rank_statistics import uniform_band
from tfvae.evaluation.calibration.simulation import simulation_based_calibration
from tfvae.evaluation.measure import Histogram
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.measure import Section
from tfvae.evaluation.subject import Subject
from tfvae.registry import Setting

_SIMULATIONS = Setting(
    'eval_simulations', 1000,
    'number of pairs of z and x that calibration simulates', at_least=100)


@MEASURES.register('calibration', simulations=_SIMULATIONS)
@dataclasses.dataclass(frozen=True)
class CalibrationMeasure(Measure):
  """Simulation-based calibration, with its rank histograms.

  Attributes:
    simulations: Number of simulations, at least 100.
  """

  simulations: int = _SIMULATIONS.default

  explanations = {
      'is_calibrated': 'Whether the ranks of simulated latents are uniform, as '
                       'far as chi-square tests can tell.',
      'num_simulations': 'Number of pairs (z, x) drawn from the model to test '
                         'its posterior.',
      'verdict': 'Summary of the ranks in words.',
      'p_values': 'P-value of the chi-square test of each dimension’s ranks; a '
                  'value near 0 means that the posterior is wrong there.',
      'coverage': 'How often the posterior’s central interval of this level '
                  'contains the true value, for each dimension.',
  }
  charted = ('rank_histograms',)

  def why_not(self, subject: Subject) -> str | None:
    """Returns why y cannot be simulated, or None."""
    if subject.model.graph.infers_label:
      return None
    if subject.conditions('inference') and not subject.conditions('generative'):
      return ('y is a parent in q and nowhere in p, so simulated examples have '
              'no label to infer from')
    return None

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns p-values, coverages, verdict and rank histograms."""
    inputs = None
    graph = subject.model.graph
    if graph.is_conditional and not graph.infers_label:
      classes = subject.test.spec['y'].shape[-1]
      inputs = {'y': np.eye(classes, dtype=np.float32)[
          np.arange(self.simulations) % classes]}
    result = simulation_based_calibration(
        subject.model, self.simulations, inputs=inputs, seed=subject.seed,
        verbose=subject.verbose)
    return result.to_dict() | {
        'verdict': result.describe(), 'rank_histograms': {
            name: np.asarray(histogram).tolist()
            for name, histogram in result.histograms.items()}}

  def warnings(self, block: Mapping[str, Any]) -> list[str]:
    """Returns the verdict on a posterior that is not calibrated."""
    return [] if block.get('is_calibrated', True) else list(block['verdict'])

  def section(self, block: Mapping[str, Any]) -> Section | None:
    """Returns the rank histograms of each dimension over their band."""
    histograms = block.get('rank_histograms')
    if not histograms:
      return None
    return Section(
        'Calibration of the posterior',
        'Draw z from the prior and x from the decoder: if the posterior is '
        'right, the rank of z among draws of q(z|x) is uniform, and about 95 '
        'of 100 bars end within the band. A ∪ shape means that the posterior '
        'is too narrow, a ∩ shape that it is too wide, a slope that it is '
        'shifted.',
        [Histogram(f'{name}[{dimension}]', counts,
                   uniform_band(np.sum(counts), len(counts)), name, dimension)
         for name, rows in histograms.items()
         for dimension, counts in enumerate(rows)], 'Calibration')
