"""Annealed importance sampling of the test set as a measure."""

import dataclasses
from typing import Any

from tfvae.evaluation.ais.annealed_importance_sampling import (
    annealed_importance_sampling,
)
from tfvae.evaluation.ais.annealed_importance_sampling import (
    bidirectional_bounds,
)
from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.bounds import importance_weighted_nll
from tfvae.evaluation.bounds import with_errors
from tfvae.evaluation.importance_weighted_measure import CHUNK
from tfvae.evaluation.importance_weighted_measure import SAMPLES
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.subject import Subject
from tfvae.registry import Setting

EXAMPLES = Setting(
    'eval_costly_examples', 100,
    'number of test examples for annealed and gaps, the first ones; 0 for all',
    at_least=0)
STEPS = Setting(
    'eval_ais_steps', 500,
    'number of distributions between q(z|x) and p(z|x) in annealing',
    at_least=2)
CHAINS = Setting(
    'eval_ais_chains', 16, 'number of annealing chains of each example',
    at_least=1)


def log_evidence(subject: Subject, examples: int, steps: int,
                 chains: int) -> Estimate:
  """Returns estimates of log p(x) by annealing, for `Subject.shared`."""
  return annealed_importance_sampling(
      subject.model, subject.test.first(examples), steps, chains,
      seed=subject.seed, jit_compile=subject.jit_compile,
      verbose=subject.verbose)


@MEASURES.register('annealed', examples=EXAMPLES, steps=STEPS, chains=CHAINS,
                   importance_samples=SAMPLES, chunk_size=CHUNK)
@dataclasses.dataclass(frozen=True)
class AnnealedMeasure(Measure):
  """−log p(x) by annealing, and a bracket on data that the model simulates.

  Attributes:
    examples: Number of test examples, the first ones; 0 for all.
    steps: Annealing steps, at least 2.
    chains: Chains of each example, at least 1.
    importance_samples: K of the importance-weighted NLL to compare with.
    chunk_size: Samples of each example to decode at a time.
  """

  examples: int = EXAMPLES.default
  steps: int = STEPS.default
  chains: int = CHAINS.default
  importance_samples: int = SAMPLES.default
  chunk_size: int = CHUNK.default

  explanations = {
      'ais_nll': 'Estimate of −log p(x) in nats by annealed importance '
                 'sampling; on average at least −log p(x).',
      'iwae_nll': 'Upper bound on −log p(x) in nats from K importance samples, '
                  'for the same examples.',
      'steps': 'Number of distributions on the path of each chain, from the '
               'encoder’s posterior to the exact one.',
      'chains': 'Number of chains of each example.',
      'simulated_lower': 'Lower bound on log p(x) in nats, for examples that '
                         'the model generated.',
      'simulated_upper': 'Upper bound on log p(x) in nats, for the same '
                         'examples: their z is known, so annealing can run '
                         'backward.',
      'simulated_gap': 'Upper minus lower bound, in nats: on average at least '
                       'the error of either bound.',
  }
  abbreviations = ('AIS',)

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns both estimates of −log p(x), and the bracket with its gap."""
    nll = subject.shared(log_evidence, self.examples, self.steps, self.chains)
    count = len(nll.values)
    bound = importance_weighted_nll(  # Of the same examples.
        subject.model, subject.test.first(count), self.importance_samples,
        self.chunk_size, subject.seed)
    labels = (None if subject.model.graph.infers_label
              else subject.test.conditions(count))
    bounds = bidirectional_bounds(
        subject.model, count, self.steps, self.chains, labels=labels,
        seed=subject.seed, jit_compile=subject.jit_compile,
        verbose=subject.verbose)
    return {
        'ais_nll': -nll.mean, 'ais_nll_standard_error': nll.standard_error,
        'iwae_nll': bound.mean, 'iwae_samples': self.importance_samples,
        'steps': self.steps, 'chains': self.chains, 'examples': count,
        'simulated_lower': bounds.lower.mean,
        'simulated_upper': bounds.upper.mean,
    } | with_errors({'simulated_gap': bounds.gap})
