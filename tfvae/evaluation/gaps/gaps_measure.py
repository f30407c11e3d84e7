"""The amortization gap and the approximation gap as a measure."""

import dataclasses
from typing import Any

import numpy as np

from tfvae.evaluation.ais.annealed_measure import CHAINS
from tfvae.evaluation.ais.annealed_measure import EXAMPLES
from tfvae.evaluation.ais.annealed_measure import log_evidence
from tfvae.evaluation.ais.annealed_measure import STEPS
from tfvae.evaluation.bounds import with_errors
from tfvae.evaluation.gaps.inference_gaps import inference_gaps
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.subject import Subject
from tfvae.inference.moved_posteriors import is_movable


@MEASURES.register('gaps', examples=EXAMPLES, steps=STEPS, chains=CHAINS)
@dataclasses.dataclass(frozen=True)
class GapsMeasure(Measure):
  """Amortization gap, approximation gap, and the times of inference.

  Attributes:
    examples: Number of test examples, the first ones; 0 for all.
    steps: Annealing steps of log p(x), at least 2.
    chains: Annealing chains of each example, at least 1.
  """

  examples: int = EXAMPLES.default
  steps: int = STEPS.default
  chains: int = CHAINS.default

  explanations = {
      'encoder_elbo': 'ELBO, in nats, of the encoder’s posterior.',
      'optimized_elbo': 'ELBO, in nats, of the best posterior of the family, '
                        'optimized for each example from the encoder’s output.',
      'cold_start_elbo': 'The same, optimized from N(0, I) without the '
                         'encoder.',
      'log_evidence': 'Estimate of log p(x) in nats that the gaps are computed '
                      'with.',
      'amortization_gap': 'Nats lost because one network infers the posterior '
                          'of every example, instead of a search for each.',
      'approximation_gap': 'Nats lost because the posterior’s family does not '
                           'contain the exact posterior.',
      'seconds_per_example': 'Seconds of inference per example: by the '
                             'encoder, by a search from its output, and by '
                             'one from N(0, I).',
      'saving': 'Time of a search without the encoder divided by the time of '
                'the encoder.',
  }

  def why_not(self, subject: Subject) -> str | None:
    """Returns which posterior has no parameters to optimize, or None."""
    for name, kind in subject.posterior_kinds.items():
      if not is_movable(kind):
        return (f'the posterior of {name} is a {kind.__name__}, which has no '
                'parameters to optimize for each example; Gaussian posteriors '
                'do')
    if subject.model.graph.infers_label:
      y = subject.test.conditions(self.examples)
      if y is None or not np.nan_to_num(y).any(axis=1).all():
        return ('it searches for q(z|x, y), and a test example has no label')
    return None

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns the ELBOs, the gaps, and the seconds per example."""
    result = inference_gaps(
        subject.model, subject.test.first(self.examples),
        subject.shared(log_evidence, self.examples, self.steps, self.chains),
        seed=subject.seed, jit_compile=subject.jit_compile,
        verbose=subject.verbose)
    return with_errors({name: getattr(result, name) for name in (
        'encoder_elbo', 'optimized_elbo', 'cold_start_elbo', 'log_evidence',
        'amortization_gap', 'approximation_gap')}) | {
        'seconds_per_example': dict(result.seconds_per_example),
        'saving': result.saving, 'examples': len(result.encoder_elbo.values)}
