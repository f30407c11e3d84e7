"""Values of each row for detection, by operations of TensorFlow."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.anomaly.scores.elbo import contributions
from tfvae.anomaly.scores.score import Score
from tfvae.inference import RowSeededSample
from tfvae.layers import convert_with
from tfvae.models import LatentVariableModel

tfd = tfp.distributions


def score_values(model: LatentVariableModel, scores: Sequence[Score],
                 inputs: Any, seeds: tf.Tensor) -> list[tf.Tensor]:
  """Returns each score of each row, float32 `[b]` each.

  Args:
    model: Trained model.
    scores: Scores.
    inputs: Batch of x, or a dictionary of 'x' and 'y'.
    seeds: Seeds of the rows, int32 `[b, 2]`. All scores see the same draws.
  """
  # Layers also convert their distributions to tensors, which are not used; a
  # draw would be an operation without a seed.
  with convert_with(tfd.Distribution.mean):
    return [tf.cast(score(model, inputs, RowSeededSample(seeds)), tf.float32)
            for score in scores]


def explained_values(
    model: LatentVariableModel, scores: Sequence[Score], inputs: Any,
    seeds: tf.Tensor) -> tuple[list[tf.Tensor], tf.Tensor]:
  """Returns each score, and the nats of each element of x.

  The nats are those of the first score that is a sum over the elements, and
  −log p(x_i|z) where there is none.

  Args:
    model: Trained model.
    scores: Scores.
    inputs: Batch of x, or a dictionary of 'x' and 'y'.
    seeds: Seeds of the rows, int32 `[b, 2]`.

  Returns:
    Tensors `[b]`, and a tensor `[b, *event_shape]`, all float32.
  """
  sums = [score for score in scores if score.has_contributions]
  function = sums[0].contributions if sums else contributions
  with convert_with(tfd.Distribution.mean):
    nats = tf.cast(function(model, inputs, RowSeededSample(seeds)), tf.float32)
  rest = iter(score_values(
      model, [s for s in scores if s not in sums[:1]], inputs, seeds))
  return [tf.reduce_sum(nats, axis=list(range(1, nats.shape.rank)))
          if s in sums[:1] else next(rest) for s in scores], nats


def latent_means(model: LatentVariableModel, inputs: Any) -> tf.Tensor:
  """Returns the posterior means of all latents, `[b, d]`.

  Args:
    model: Trained model.
    inputs: Batch of x, or a dictionary of 'x' and 'y'.
  """
  latents, _ = model.draw_posterior(inputs, tfd.Distribution.mean)
  return tf.concat([latents[name] for name, _ in model.graph.latents], axis=-1)


def latent_names(model: LatentVariableModel) -> tuple[str, ...]:
  """Returns the name of each dimension of `latent_means`, such as 'z[3]'."""
  return tuple(f'{name}[{d}]' for name, size in model.graph.latents
               for d in range(size))


def row_values(model: LatentVariableModel, scores: Sequence[Score],
               is_explained: bool, inputs: Any,
               seeds: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns the values of a batch by name.

  Args:
    model: Trained model.
    scores: Scores.
    is_explained: Whether to return contributions and reconstructions.
    inputs: Batch of x, or a dictionary of 'x' and 'y'.
    seeds: Seeds of the rows, int32 `[b, 2]`.

  Returns:
    'scores', `[b, J]`, 'latents', `[b, d]`, and where the rows are explained,
    'contributions' and 'reconstruction', E[x|z] at the posterior mean, both
    `[b, *event_shape]`.
  """
  if not is_explained:
    values = score_values(model, scores, inputs, seeds)
    found = {}
  else:
    values, nats = explained_values(model, scores, inputs, seeds)
    found = {'contributions': nats,
             'reconstruction': model(inputs, training=False).mean()}
  return found | {'scores': tf.stack(values, axis=1),
                  'latents': latent_means(model, inputs)}
