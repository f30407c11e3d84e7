"""The interface of anomaly scores, and their registry."""

from collections.abc import Mapping
import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfvae.inference import RowSeededSample
from tfvae.models import LatentVariableModel
from tfvae.registry import Registry
from tfvae.registry import Setting

SCORES = Registry('scores')

SAMPLES = Setting(
    'anomaly_samples', 100, 'draws K of z for each row of the scores '
    'log_likelihood and surprise', at_least=1)



@dataclasses.dataclass(frozen=True)
class Score:
  """A function of a row, in nats, which is higher for anomalies.

  A subclass is a frozen dataclass whose fields are its settings, numbers or
  None. It registers itself in its own file:

  ```python
  @SCORES.register('code_length')
  @dataclasses.dataclass(frozen=True)
  class CodeLength(Score):
    formula = '½ |E[z|x]|²'
    source = 'Doe, Lengths of Codes, 2030'

    def __call__(self, model, inputs, draw):
      latents, _ = model.draw_posterior(inputs, tfd.Distribution.mean)
      return 0.5 * tf.reduce_sum(tf.square(latents['z']), axis=-1)
  ```

  The name can then be among the `scores` of `calibrate`, and the signature
  `detect` computes the score.

  Attributes:
    formula: Formula of the score.
    source: Paper.
    unit: Unit of the score.
    needs_reference: Whether `fitted` uses the scores of reference rows.
    has_contributions: Whether `contributions` add up to the score.
  """

  formula: ClassVar[str]
  source: ClassVar[str]
  unit: ClassVar[str] = 'nats'
  needs_reference: ClassVar[bool] = False
  has_contributions: ClassVar[bool] = False

  def why_not(self, model: LatentVariableModel) -> str | None:
    """Returns why a model is unsuitable, the end of a sentence, or None."""
    del model

  def __call__(self, model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> tf.Tensor:
    """Returns the score of each row, `[b]`, by operations of TensorFlow.

    Args:
      model: Trained model.
      inputs: Batch of x, or a dictionary of 'x' and 'y'.
      draw: Draw of the posterior that depends on the seed of each row alone.
    """
    raise NotImplementedError

  def contributions(self, model: LatentVariableModel, inputs: Any,
                    draw: RowSeededSample) -> tf.Tensor:
    """Returns the summands of the score, if it has any.

    Args:
      model: Trained model.
      inputs: Batch of x, or a dictionary of 'x' and 'y'.
      draw: Draw as that of the score.

    Returns:
      Nats by element of x, or by column of a table, `[b, *event_shape]`.
    """
    raise NotImplementedError(f'{type(self).__name__} has no contributions.')

  def fitted(self, values: np.ndarray) -> 'Score':
    """Returns the score with what it takes from reference rows.

    Args:
      values: Values of the score before it is fitted, `[n]`.
    """
    del values
    return self

  @property
  def settings(self) -> Mapping[str, float | None]:
    """Values of the fields by name."""
    return dataclasses.asdict(self)
