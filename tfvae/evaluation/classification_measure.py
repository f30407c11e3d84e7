"""Classification of the test examples by q(y|x) as a measure."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.bounds import with_errors
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import examples
from tfvae.evaluation.running.examples import weights_of
from tfvae.evaluation.subject import Examples
from tfvae.evaluation.subject import Subject
from tfvae.models import LatentVariableModel

_HEADLINE = ('classification_error', 'classification_error_standard_error')


@MEASURES.register('classification')
@dataclasses.dataclass(frozen=True)
class ClassificationMeasure(Measure):
  """Accuracy and log-loss of q(y|x) on the labeled test examples."""

  explanations = {
      'accuracy': 'Fraction of the labeled test examples whose label is the '
                  'most probable class of q(y|x).',
      'classification_error': 'One minus the accuracy, with its binomial '
                              'standard error.',
      'log_loss': 'Mean of −log q(y|x) in nats over the labeled test examples; '
                  'log C for C classes without information.',
      'labeled_train_examples': 'Number of training examples with a label.',
      'labeled_test_examples': 'Number of test examples with a label.',
  }

  def why_not(self, subject: Subject) -> str | None:
    """Returns why there is no classifier, or no label to compare with."""
    if not subject.model.graph.infers_label:
      return 'y has no factor in q, so the model has no q(y|x)'
    labels = _labels(subject.test)
    if labels is None or np.max(labels) < 0:
      return 'no test example has a label'
    return None

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns accuracy, error, log-loss and the numbers of labels."""
    labels, data = _labels(subject.test), subject.test.first()
    log_q = log_probabilities(subject.model, data, subject.verbose)
    chosen = labels >= 0
    weights = weights_of(data)
    error, log_loss = (
        Estimate(values, None if weights is None else weights[chosen])
        for values in (
            np.float64(log_q.argmax(axis=1) != labels)[chosen],
            -log_q[np.arange(len(labels)), labels][chosen]))
    train = None if subject.train is None else _labels(subject.train)
    return {'accuracy': 1 - error.mean} | with_errors(
        {'classification_error': error, 'log_loss': log_loss}) | (
            {} if train is None else {
                'labeled_train_examples': int(np.sum(train >= 0))}) | {
                    'labeled_test_examples': int(chosen.sum())}

  def headline(self, block: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the error and its standard error."""
    return {key: block[key] for key in _HEADLINE if key in block}


def log_probabilities(model: LatentVariableModel, dataset: Any,
                      verbose: bool = False) -> np.ndarray:
  """Returns log q(y|x) of each class, float64 `[n, classes]`, in nats.

  Latents among the parents of y in q are at their posterior means. Labels of
  the data are not used.

  Args:
    model: Trained model whose graph infers the label.
    dataset: Batches as `fit` takes them, or arrays; see `examples.as_dataset`.
    verbose: Whether to show progress.

  Raises:
    ValueError: If the graph does not infer the label.
  """
  log_q = compiled(model, _log_probabilities, jit_compile=False)
  return np.concatenate([
      np.float64(log_q(inputs)) for _, inputs in examples(
          model, dataset, 'Classification', verbose)])


def _log_probabilities(model: LatentVariableModel, inputs: Any) -> tf.Tensor:
  return tf.nn.log_softmax(model.label_posterior(inputs).logits_parameter())


def _labels(examples: Examples) -> np.ndarray | None:
  """Returns the class of each example, −1 where it is missing; or None."""
  if examples.labels is not None:
    return examples.labels
  y = examples.conditions()
  if y is None:
    return None
  y = np.nan_to_num(y)
  return np.where(y.any(axis=1), y.argmax(axis=1), -1)
