"""The surprise of each element of x, given all others."""

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any

import tensorflow as tf

from tfvae.anomaly.scores.score import SAMPLES
from tfvae.anomaly.scores.score import Score
from tfvae.anomaly.scores.score import SCORES
from tfvae.inference import observed
from tfvae.inference import RowSeededSample
from tfvae.models import LatentVariableModel

_BLOCK = 10  # Draws of all rows that are decoded at a time.


@SCORES.register('surprise', samples=SAMPLES)
@dataclasses.dataclass(frozen=True)
class Surprise(Score):
  """Nats of each column given the other columns, added up.

  p(x_j|x_−j) is the conditional predictive ordinate. As p(x_−j) / p(x) =
  E_{p(z|x)}[1 / p(x_j|z)], it is a harmonic mean over the posterior, here with
  the normalized importance weights ŵ_k of draws of q. A column that does not
  match the others has many nats, also where each value alone is common, and a
  missing one has none. The sum is a pseudo-likelihood, not −log p(x).

  Attributes:
    samples: Number K of draws, at least 1.
  """

  samples: int = SAMPLES.default

  formula = ('Σ_j −log p̂(x_j|x_−j), p̂(x_j|x_−j) = 1 / Σ_k ŵ_k / p(x_j|z_k), '
             'z_k ~ q(z|x)')
  source = ('Gelfand, Dey and Chang, Model Determination Using Predictive '
            'Distributions, 1992')
  has_contributions = True

  def why_not(self, model: LatentVariableModel) -> str | None:
    """Returns why a model is unsuitable: x is an image."""
    if len(model.event_shape) > 1:
      return 'surprise is a score of tables and vectors'
    return None

  def __call__(self, model: LatentVariableModel, inputs: Any,
               draw: RowSeededSample) -> tf.Tensor:
    """Returns Σ_j −log p̂(x_j|x_−j); see `Score`."""
    return tf.reduce_sum(self.contributions(model, inputs, draw), axis=-1)

  def contributions(self, model: LatentVariableModel, inputs: Any,
                    draw: RowSeededSample) -> tf.Tensor:
    """Returns −log p̂(x_j|x_−j) of each column; see `Score`."""
    def terms(draws):
      inference = model.infer_classes(inputs, draws)
      nats = model.log_likelihood_of_elements(
          inference.latents, observed(inputs)['x'], inputs)
      log_weights = inference.log_ratio() + tf.reduce_sum(nats, axis=-1)
      if inference.classes is not None:
        log_weights = tf.where(
            inference.classes.is_allowed, log_weights, -float('inf'))
      log_weights = log_weights[..., tf.newaxis]
      # The first one of w_k, the others of w_k / p(x_j|z_k).
      found = tf.concat([log_weights, log_weights - nats], axis=-1)
      return found if inference.classes is None else tf.reduce_logsumexp(
          found, axis=0)

    x = observed(inputs)['x']
    log_sums = _log_sum_over_draws(
        terms, draw, self.samples, [tf.shape(x)[0], 1 + x.shape[1]])
    return log_sums[:, 1:] - log_sums[:, :1]


def _log_sum_over_draws(terms: Callable[[RowSeededSample], tf.Tensor],
                        draw: RowSeededSample, num_draws: int,
                        shape: Sequence[Any]) -> tf.Tensor:
  """Returns log Σ_k exp(t_k) of K draws, in memory that does not grow with K.

  Args:
    terms: Function from draws to t_k, `[k, *shape]`.
    draw: Draw that depends on the seed of each row alone.
    num_draws: Number K of draws.
    shape: Shape of the result.
  """
  def body(start, total):
    count = tf.minimum(_BLOCK, num_draws - start)
    found = terms(draw.draws(count, start))
    return start + _BLOCK, tf.reduce_logsumexp(
        tf.concat([total[tf.newaxis], found], axis=0), axis=0)

  return tf.while_loop(
      lambda start, _: start < num_draws, body,
      (0, tf.fill(shape, -float('inf'))), parallel_iterations=1)[1]
