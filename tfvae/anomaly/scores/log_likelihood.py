"""The negative log-likelihood by importance sampling."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfvae.anomaly.scores.score import SAMPLES
from tfvae.anomaly.scores.score import Score
from tfvae.anomaly.scores.score import SCORES
from tfvae.inference import importance_weighted
from tfvae.inference import RowSeededSample
from tfvae.models import LatentVariableModel


@SCORES.register('log_likelihood', samples=SAMPLES)
@dataclasses.dataclass(frozen=True)
class LogLikelihood(Score):
  """The estimate of −log p(x) from K importance samples.

  Attributes:
    samples: Number K of draws, at least 1.
  """

  samples: int = SAMPLES.default

  formula = ('−log 1/K Σ_k w_k, w_k = p(x|z_k) p(z_k) / q(z_k|x), '
             'z_k ~ q(z|x)')
  source = ('Burda, Grosse and Salakhutdinov, Importance Weighted '
            'Autoencoders, 2016')

  def __call__(self, model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> tf.Tensor:
    """Returns −log 1/K Σ_k w_k; see `Score`."""
    return -importance_weighted(model, inputs, self.samples, draw).nats
