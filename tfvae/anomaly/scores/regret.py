"""The nats that a posterior of its own gains a row."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfvae.anomaly.scores.score import Score
from tfvae.anomaly.scores.score import SCORES
from tfvae.inference import refine
from tfvae.inference import RowSeededSample
from tfvae.models import LatentVariableModel
from tfvae.registry import Setting

_STEPS = Setting(
    'anomaly_refine_steps', 10, 'steps k of the refinement of the score regret',
    at_least=1)


@SCORES.register('regret', steps=_STEPS)
@dataclasses.dataclass(frozen=True)
class Regret(Score):
  """The gain of the ELBO from k steps of refinement of the row's posterior.

  The encoder is good at rows like those it was trained on, so that these gain
  little. It needs Gaussian posteriors.

  Attributes:
    steps: Number k of steps, at least 1.
  """

  steps: int = _STEPS.default

  formula = 'ELBO(x; q_k) − ELBO(x; q_0), q_k the posterior after k steps'
  source = ('Xiao, Yan and Amit, Likelihood Regret: An Out-of-Distribution '
            'Detection Score For Variational Auto-encoder, 2020')

  def __call__(self, model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> tf.Tensor:
    """Returns the gain; see `Score`."""
    return refine(model, inputs, self.steps, draw).gain
