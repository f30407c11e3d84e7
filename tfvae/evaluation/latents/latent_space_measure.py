"""Use of the latent space as a measure."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np

from tfvae.evaluation.latents.collapse import describe_collapse
from tfvae.evaluation.latents.latent_measures import LatentSpace
from tfvae.evaluation.latents.latent_space import latent_space
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.subject import Examples
from tfvae.evaluation.subject import Subject


def measured_space(subject: Subject) -> LatentSpace:
  """Returns the latent space of the test examples, for `Subject.shared`."""
  return latent_space(subject.model, subject.test.first(), seed=subject.seed,
                      verbose=subject.verbose)


@MEASURES.register('latent_space')
@dataclasses.dataclass(frozen=True)
class LatentSpaceMeasure(Measure):
  """Active units, mutual information, aggregate KL, volume and collapse."""

  explanations = {
      'active_units': 'Number of latent dimensions whose posterior mean has a '
                      'variance above 0.01 over the data (Burda et al. 2016).',
      'collapse': 'Unused latents, and what to try.',
      'latent_size': 'Total number of latent dimensions.',
      'log_num_examples': 'log N in nats: the upper limit of the mutual '
                          'information between N examples and any variable.',
      'mutual_information': 'I(x; z) under the encoder, in nats: how much a '
                            'draw of z reveals about which example it encodes.',
      'mutual_information_upper': 'The same with the example itself left out '
                                  'of q(z): on average an upper bound, in '
                                  'nats.',
      'aggregate_kl': 'KL(q(z) ‖ p(z)) in nats: the divergence of the '
                      'posteriors of all examples together from the prior; 0 '
                      'is best.',
      'log_volume': 'Entropy of q(z) minus that of p(z), in nats: the log of '
                    'the fraction of the prior’s volume that the data occupy.',
      'log_volume_upper': 'The same with the example itself left out of q(z), '
                          'in nats.',
      'log_volume_per_dimension': 'The same divided by the number of '
                                  'dimensions, in nats: the log ratio of side '
                                  'lengths.',
      'variances': 'Variance of each dimension’s posterior mean over the data; '
                   'a dimension is active above 0.01.',
      'kl_per_dimension': 'KL of each dimension in nats per example.',
  }

  def why_not(self, subject: Subject) -> str | None:
    """Returns why there are too few test examples, or None."""
    if subject.test.count < 2:
      return ('it compares the posteriors of test examples, and needs at least '
              'two of them')
    if set(subject.conditions('generative')) - {'x'} and np.min(np.unique(
        _classes(subject.test), return_counts=True)[1]) < 2:
      return ('y conditions the prior, so it needs two test examples of each '
              'class, and one class has a single example')
    return None

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns `LatentSpace.to_dict`, and sentences on collapse."""
    space = subject.shared(measured_space)
    return space.to_dict() | {
        'collapse': describe_collapse(space, subject.elbo.reconstruction.mean),
        'examples': space.num_examples}

  def headline(self, block: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the number of active units."""
    return {key: block[key] for key in ('active_units',) if key in block}

  def warnings(self, block: Mapping[str, Any]) -> list[str]:
    """Returns the sentences on collapse."""
    return list(block.get('collapse', []))


def _classes(examples: Examples) -> np.ndarray:
  """Returns the class of each example of a conditional model, `[n]`."""
  if examples.labels is not None:
    return examples.labels
  return examples.conditions().argmax(axis=1)
