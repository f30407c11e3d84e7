"""The distance of the ELBO from that of typical rows."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.anomaly.scores.elbo import elbo_parts
from tfvae.anomaly.scores.score import Score
from tfvae.anomaly.scores.score import SCORES
from tfvae.inference import RowSeededSample
from tfvae.models import LatentVariableModel


@SCORES.register('typicality')
@dataclasses.dataclass(frozen=True)
class Typicality(Score):
  """The distance of −ELBO(x) from its mean over reference rows.

  It is high for rows that are too likely as well, such as images of one color.

  Attributes:
    mean: Mean of −ELBO, in nats; None before the score is fitted, which is then
      −ELBO itself.
  """

  mean: float | None = None

  formula = '|−ELBO(x) − m|, m its mean over the reference rows'
  source = ('Nalisnick, Matsukawa, Teh and Lakshminarayanan, Detecting '
            'Out-of-Distribution Inputs to Deep Generative Models Using '
            'Typicality, 2019')
  needs_reference = True

  def __call__(self, model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> tf.Tensor:
    """Returns |−ELBO(x) − m|; see `Score`."""
    nats = -elbo_parts(model, inputs, draw)['elbo']
    return nats if self.mean is None else tf.abs(nats - self.mean)

  def fitted(self, values: np.ndarray) -> 'Typicality':
    """Returns the score with the mean of the reference rows; see `Score`."""
    return Typicality(float(np.mean(values, dtype=np.float64)))
