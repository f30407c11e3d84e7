"""Classification of labels from latents as a measure."""

import dataclasses
from typing import Any

import numpy as np

from tfvae.evaluation.factors import representation
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.subject import Subject

# Training examples that the probes are fitted to, at most: with more, the
# accuracy changes by less than its own noise on the test set.
_TRAIN_EXAMPLES = 10_000


@MEASURES.register('representation')
@dataclasses.dataclass(frozen=True)
class RepresentationMeasure(Measure):
  """Accuracy of simple classifiers of the posterior means."""

  explanations = {
      'linear_probe_accuracy': 'Fraction of the labels that a linear '
                               'classifier predicts from the posterior means.',
      'knn_accuracy': 'Fraction of the labels that the nearest posterior means '
                      'predict.',
      'train_examples': 'Number of examples that the classifiers are trained '
                        'on.',
      'test_examples': 'Number of examples that they are tested on.',
  }
  abbreviations = ('kNN',)

  def why_not(self, subject: Subject) -> str | None:
    """Returns why the labels cannot be learned, or None."""
    train, test = subject.train, subject.test
    if train is None:
      return 'there are no training examples for the classifiers'
    if test.labels is None or train.labels is None:
      return 'the data set has no labels'
    if subject.conditions('inference'):
      return ('q has the parent y, so the latents are inferred from the label '
              'that the classifiers would predict')
    if np.min(test.labels) < 0:
      return ('the test set has unlabeled examples, whose label is −1; choose '
              'a test set, `test_split`, of labeled examples')
    return representation.why_not(train.labels[:_TRAIN_EXAMPLES])

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns the accuracies, and the sizes of both sets."""
    train, test = subject.train, subject.test
    means = [
        np.concatenate(list(representation.posterior_means(
            subject.model, batches, jit_compile=False,
            verbose=subject.verbose).values()), axis=-1)
        for batches in (train.first(_TRAIN_EXAMPLES), test.first())]
    labels = train.labels[:_TRAIN_EXAMPLES]
    return representation.representation_accuracy(
        means[0], labels, means[1], test.labels) | {
            'train_examples': len(labels), 'test_examples': len(test.labels)}
