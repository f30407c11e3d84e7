"""The ELBO, the default objective."""

import dataclasses
import math
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.inference import LatentVariableModel
from tfvae.inference import StratifiedSample
from tfvae.objectives.objective import Objective
from tfvae.objectives.objective import OBJECTIVES
from tfvae.registry import Setting


@OBJECTIVES.register('elbo', classification_weight=Setting(
    'classification_weight', 0.1, 'weight α of the log-loss of q(y|x) on the '
    'labeled examples, where y has factors', at_least=0))
@tf_keras.saving.register_keras_serializable(package='tfvae')
@dataclasses.dataclass(frozen=True)
class ELBO(Objective):
  """The evidence lower bound, with the KL as the regularizers weigh it.

    E_q[log p(x|z)] − kl_factor · Σ_j penalty(KL_j),

  with one draw of z for each example, and one from each component of a mixture
  posterior, see `tfvae.inference.StratifiedSample`. Without KL weights, free
  bits, capacities and a KL schedule it is ELBO(x) = E_q[log p(x|z)] −
  KL(q(z|x) ‖ p(z)); Kingma and Welling, Auto-Encoding Variational Bayes, 2014.

  Where the graph infers the label, the expectation of a missing y is the sum
  over its classes. A given y does not train q(y|x) that way, so a labeled
  example adds its log-loss,

    − (α / f) · (−log q(y|x)),  f the fraction of examples with a label,

  to what is maximized. Its mean over all examples is α times the mean log-loss
  of the labeled ones, with α = 0.1 in Kingma et al., Semi-supervised Learning
  with Deep Generative Models, 2014, equation 9. The reported ELBO has no such
  term. In evaluation f is 1.

  Attributes:
    classification_weight: α, at least 0.
    labeled_fraction: f of the training set, above 0 and at most 1; a run sets
      it.

  Raises:
    ValueError: If a value is out of range.
  """

  classification_weight: float = 0.1
  labeled_fraction: float = 1.0

  sums_over_labels = True
  stratifies = True

  def __post_init__(self):
    """Validates the values."""
    if not 0 <= self.classification_weight < math.inf:
      raise ValueError(
          '`classification_weight` must be finite and at least 0. Received: '
          f'classification_weight={self.classification_weight}')
    if not 0 < self.labeled_fraction <= 1:
      raise ValueError(
          '`labeled_fraction` must be above 0 and at most 1. Received: '
          f'labeled_fraction={self.labeled_fraction}')

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns −ELBO with the penalty, and the ELBO's parts; see `Objective`."""
    inference = model.infer_classes(inputs, StratifiedSample(seed), training)
    parts = inference.elbo_parts(model.log_likelihood(
        inference.latents, target, inputs, training))
    # −E_q[log p(x|z)] + Σ_j penalty(KL_j)
    objective = kl_factor * model.kl_penalty(inference) - parts.reconstruction
    if inference.classes is not None:  # + (α / f) (−log q(y|x))
      fraction = self.labeled_fraction if training else 1.0
      objective += self.classification_weight / fraction * (
          inference.classes.log_loss)
    return {'objective': objective} | parts.per_example()

  def for_labeled_fraction(self, fraction: float) -> 'ELBO':
    """Returns the objective with the fraction of labeled examples."""
    return dataclasses.replace(self, labeled_fraction=fraction)

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    return dataclasses.asdict(self)
