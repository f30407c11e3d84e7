"""The importance-weighted bound of the test set as a measure."""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

from tfvae.evaluation.bounds import importance_weighted_nll
from tfvae.evaluation.bounds import per_entry
from tfvae.evaluation.bounds import with_errors
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.subject import Subject
from tfvae.layers import bits_per_dim
from tfvae.registry import Setting

SAMPLES = Setting(
    'eval_importance_samples', 500,
    'K, the importance samples of each test example in the bound on −log p(x)',
    at_least=1)
CHUNK = Setting(
    'eval_chunk', 50, 'samples of each example to decode at a time', at_least=1)

_EXAMPLES = Setting(
    'eval_importance_examples', 1000,
    'number of test examples for the importance-weighted bound, the first '
    'ones; 0 for all', at_least=0)
_HEADLINE = ('iwae_nll', 'iwae_nll_standard_error', 'iwae_samples',
             'iwae_examples', 'bits_per_dim')


@MEASURES.register('importance_weighted', chunk_size=CHUNK, samples=SAMPLES,
                   examples=_EXAMPLES)
@dataclasses.dataclass(frozen=True)
class ImportanceWeightedMeasure(Measure):
  """Importance-weighted NLL, and the ELBO of the same examples.

  The block has a part for each K, which later evaluations keep. That of the
  most examples, and among these of the most samples, is in the test block.

  Attributes:
    samples: K, at least 1.
    examples: Number of test examples, the first ones; 0 for all.
    chunk_size: Samples of each example to decode at a time.
  """

  samples: int = SAMPLES.default
  examples: int = _EXAMPLES.default
  chunk_size: int = CHUNK.default

  explanations = {
      'iwae_nll': 'Upper bound on −log p(x) in nats from K importance samples; '
                  'it approaches −log p(x) as K grows.',
      'iwae_samples': 'K, the number of importance samples of each example.',
      'iwae_examples': 'Number of examples that the importance-weighted bound '
                       'is averaged over.',
      'bits_per_dim': 'The bound on −log p(x) in bits per pixel and channel: '
                      'the cost of lossless compression with the model. Where '
                      'values are missing, per observed value.',
  }
  abbreviations = ('IWAE', 'NLL')

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns the bound, and the ELBO of the same examples."""
    nll = importance_weighted_nll(
        subject.model, subject.test.first(self.examples), self.samples,
        self.chunk_size, subject.seed, verbose=subject.verbose)
    count = len(nll.values)
    block = with_errors({'iwae_nll': nll}) | {
        'iwae_samples': self.samples, 'iwae_examples': count}
    likelihood = subject.model.decoder.layers[-1]
    if likelihood.is_discrete:
      entries = subject.elbo.entries
      block['bits_per_dim'] = (
          bits_per_dim(nll.mean, likelihood.event_shape) if entries is None
          else per_entry(nll, nll.replaced(
              entries.values[:count]))[0] / math.log(2))
    return block | with_errors(
        {'elbo': nll.replaced(subject.elbo.elbo.values[:count])})

  def combined(self, block: dict[str, Any],
               before: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parts of each K: the new part, and the earlier ones."""
    return _by_samples(before) | {f'K={block["iwae_samples"]}': block}

  def headline(self, block: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the bound of the most examples and the most samples."""
    parts = _by_samples(block).values()
    if not parts:
      return {}
    best = max(parts, key=lambda b: (b['iwae_examples'], b['iwae_samples']))
    return {key: best[key] for key in _HEADLINE if key in best}


def _by_samples(block: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the parts of a block, one for each K."""
  return {key: part for key, part in block.items() if key.startswith('K=')}
