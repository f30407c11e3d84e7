"""The base of tfvae's objectives."""

from typing import Any

import tensorflow as tf

from tfvae.models import Inference
from tfvae.models import LatentVariableModel


class Objective:
  """What `VAE.compile(objective=…)` takes; None there is the ELBO.

  An objective of your own registers itself with
  `@tf_keras.saving.register_keras_serializable` and has `get_config`.
  """

  def __call__(self, model: LatentVariableModel, inputs: Any, target: tf.Tensor,
               seed: tf.Tensor, kl_factor: Any,
               training: bool) -> dict[str, tf.Tensor]:
    """Returns what is minimised, and the ELBO.

    Args:
      model: whose θ and φ are trained.
      inputs: a batch of x, or a dictionary of 'x' and 'y'.
      target: what p(x|z) is to explain, `[b, *event_shape]`.
      seed: int tensor `[2]`, of the draws.
      kl_factor: the value of the KL schedule, a scalar.
      training: passed on to the networks.

    Returns:
      Tensors `[b]`, in nats: 'objective', whose batch mean is minimised, and
      the true 'elbo', 'reconstruction' and 'kl', which are reported.
    """
    raise NotImplementedError(f'{type(self).__name__} has no __call__.')

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    raise NotImplementedError(f'{type(self).__name__} has no get_config.')

  @classmethod
  def from_config(cls, config: dict[str, Any]) -> 'Objective':
    """Makes the objective from what `get_config` returned."""
    return cls(**config)


def elbo_parts(inference: Inference,
               log_likelihood: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns 'elbo', 'reconstruction' and 'kl' of each example, `[b]`.

  Args:
    inference: whose draws have a leading dimension, or none.
    log_likelihood: log p(x|z) of them, `[*sample_shape, b]`.
  """
  kl = tf.add_n([_mean_over_draws(kl) for kl in inference.kl.values()])
  reconstruction = _mean_over_draws(log_likelihood)
  return {'elbo': reconstruction - kl, 'reconstruction': reconstruction,
          'kl': kl}


def _mean_over_draws(nats: tf.Tensor) -> tf.Tensor:
  """Averages `[k, b]` to `[b]`; the exact KL of a root is `[b]` already."""
  return tf.reduce_mean(nats, axis=0) if nats.shape.rank > 1 else nats
