"""Disentanglement scores of the test set as a measure."""

import dataclasses
from typing import Any

import numpy as np

from tfvae.evaluation.factors import disentanglement
from tfvae.evaluation.factors.representation import posterior_means
from tfvae.evaluation.factors.sampled_information import (
    has_density_by_dimension,
)
from tfvae.evaluation.factors.sampled_information import (
    sampled_mutual_information_gap,
)
from tfvae.evaluation.latents.latent_space_measure import measured_space
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.subject import Subject


@MEASURES.register('disentanglement')
@dataclasses.dataclass(frozen=True)
class DisentanglementMeasure(Measure):
  """Disentanglement scores of posterior means, and MIG of draws.

  Scores of posterior means credit only the informative dimensions;
  `mig_of_draws` is computed where each dimension of q(z|x) has a density.
  """

  explanations = {
      'factors': 'Factors of variation of the data set, which the scores refer '
                 'to.',
      'mig': 'Mutual information gap, 0 to 1: how far a single latent holds '
             'each factor; of posterior means in 20 bins (Locatello et al. '
             '2019).',
      'mig_of_draws': 'The same from draws of q(z|x), as Chen et al. (2018) '
                      'define it: it accounts for the posterior’s noise.',
      'informative_units': 'Number of dimensions with a KL above 0.1 nats; the '
                           'scores of posterior means use no others.',
      'sap': 'Separated attribute predictability, 0 to 1: the margin by which '
             'the best latent predicts a factor better than the second (Kumar '
             'et al. 2018).',
      'dci_disentanglement': 'How far each latent represents one factor, 0 to '
                             '1 (Eastwood and Williams 2018).',
      'dci_completeness': 'How far each factor is represented by one latent, 0 '
                          'to 1.',
      'dci_informativeness': 'How well the latents predict the factors, 0 to '
                             '1.',
      'factor_vae_score': 'Accuracy of a majority vote that identifies the '
                          'fixed factor by the latent that varies least (Kim '
                          'and Mnih 2018).',
  }
  abbreviations = ('DCI', 'FactorVAE', 'MIG', 'SAP')

  def why_not(self, subject: Subject) -> str | None:
    """Returns why the scores are not defined on the factors, or None."""
    if subject.test.factors is None:
      return 'the data set has no factors'
    if sum(size for _, size in subject.model.graph.latents) < 2:
      return 'the scores compare latent dimensions, and the model has only one'
    return disentanglement.why_not(subject.test.factors)

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns the scores by name."""
    test, seed = subject.test, subject.seed
    means = posterior_means(subject.model, test.first(), jit_compile=False,
                            verbose=subject.verbose)
    informative = subject.shared(measured_space).informative
    scores = disentanglement.disentanglement_scores(
        np.concatenate(list(means.values()), axis=-1), test.factors, seed,
        informative)
    if has_density_by_dimension(
        subject.posterior_kinds, subject.model.graph):
      scores['mig_of_draws'] = sampled_mutual_information_gap(
          subject.model, test.first(), test.factors, seed=seed,
          verbose=subject.verbose)
    return scores | {'informative_units': int(informative.sum()),
                     'factors': list(test.factor_names)}
