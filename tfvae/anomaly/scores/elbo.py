"""The negative ELBO and its two parts."""

import dataclasses
from typing import Any

import tensorflow as tf

from tfvae.anomaly.scores.score import Score
from tfvae.anomaly.scores.score import SCORES
from tfvae.inference import observed
from tfvae.inference import RowSeededSample
from tfvae.models import LatentVariableModel


def elbo_parts(model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> dict[str, tf.Tensor]:
  """Returns 'elbo', 'reconstruction' and 'kl' at one draw, `[b]`, in nats.

  Args:
    model: Trained model.
    inputs: Batch of x, or a dictionary of 'x' and 'y'.
    draw: Draw that depends on the seed of each row alone.
  """
  inference = model.infer_classes(inputs, draw)
  return inference.elbo_parts(model.log_likelihood(
      inference.latents, observed(inputs)['x'], inputs)).per_example()


def contributions(model: LatentVariableModel, inputs: Any,
                  draw: RowSeededSample) -> tf.Tensor:
  """Returns −log p(x_i|z) of each element at one draw, in nats.

  Args:
    model: Trained model.
    inputs: Batch of x, or a dictionary of 'x' and 'y'.
    draw: Draw that depends on the seed of each row alone.

  Returns:
    A tensor `[b, *event_shape]`, of a table `[b, columns]`, whose sum is
    −'reconstruction' of `elbo_parts`; 0 where a value is missing.
  """
  inference = model.infer_classes(inputs, draw)
  return -inference.over_classes(model.log_likelihood_of_elements(
      inference.latents, observed(inputs)['x'], inputs), len(model.event_shape))


@SCORES.register('elbo')
@dataclasses.dataclass(frozen=True)
class Elbo(Score):
  """The negative ELBO at one draw of z, an upper bound on −log p(x)."""

  formula = '−ELBO(x) = −log p(x|z) + KL(q(z|x) ‖ p(z)), z ~ q(z|x)'
  source = 'Kingma and Welling, Auto-Encoding Variational Bayes, 2014'

  def __call__(self, model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> tf.Tensor:
    """Returns −ELBO(x); see `Score`."""
    return -elbo_parts(model, inputs, draw)['elbo']


@SCORES.register('reconstruction')
@dataclasses.dataclass(frozen=True)
class Reconstruction(Score):
  """The negative log-likelihood of x given a draw of z."""

  formula = '−log p(x|z), z ~ q(z|x)'
  source = ('An and Cho, Variational Autoencoder Based Anomaly Detection Using '
            'Reconstruction Probability, 2015')
  has_contributions = True

  def __call__(self, model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> tf.Tensor:
    """Returns −log p(x|z); see `Score`."""
    nats = self.contributions(model, inputs, draw)
    return tf.reduce_sum(nats, axis=list(range(1, nats.shape.rank)))

  def contributions(self, model: LatentVariableModel, inputs: Any,
                    draw: RowSeededSample) -> tf.Tensor:
    """Returns −log p(x_i|z) of each element or column; see `Score`."""
    return contributions(model, inputs, draw)


@SCORES.register('kl')
@dataclasses.dataclass(frozen=True)
class Kl(Score):
  """The KL divergence of the posterior from the prior."""

  formula = 'KL(q(z|x) ‖ p(z))'
  source = 'Kingma and Welling, Auto-Encoding Variational Bayes, 2014'

  def __call__(self, model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> tf.Tensor:
    """Returns KL(q(z|x) ‖ p(z)); see `Score`."""
    return elbo_parts(model, inputs, draw)['kl']
