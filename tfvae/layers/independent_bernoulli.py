"""The likelihood layer of binary data."""

from collections.abc import Sequence
import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers import conversion
from tfvae.layers.distribution_layer import DistributionLayer

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentBernoulli(DistributionLayer):
  """Emits p(x|z) = Π_d Bernoulli(x_d; sigmoid(l_d)) from logits l.

  log p(x|z) = Σ_d x_d l_d − log(1 + exp l_d), in nats, for x in {0, 1}.

  Call arguments:
    params: float tensor of logits, `[..., prod(event_shape)]` or
      `[..., *event_shape]`.

  Returns, when called:
    A `tfd.Independent` of Bernoullis, float-valued, event shape `event_shape`.
  """

  def __init__(
      self,
      event_shape: int | Sequence[int],
      convert_to_tensor_fn: str | conversion.Conversion = 'mean',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initialises the layer.

    Args:
      event_shape: shape of one x, for example `(28, 28, 1)`.
      convert_to_tensor_fn: 'mean' by default, the probability of a one; a
        'sample' is not differentiable.
      activity_regularizer: called on the distribution.
      **kwargs: of `tf_keras.layers.Layer`.

    Raises:
      ValueError: if a dimension of `event_shape` is not a positive integer.
    """
    event_shape = tuple([event_shape] if isinstance(event_shape, int)
                        else event_shape)
    if not all(isinstance(n, int) and n > 0 for n in event_shape):
      raise ValueError('IndependentBernoulli needs positive integers for '
                       f'dimensions. Received: event_shape={event_shape}')
    super().__init__(
        lambda params: self.new(params, event_shape),
        convert_to_tensor_fn,
        activity_regularizer=activity_regularizer,
        **kwargs)
    self.event_shape = event_shape

  @staticmethod
  def new(params: tf.Tensor, event_shape: Sequence[int]) -> tfd.Independent:
    """Returns the distribution of the logits `params`."""
    logits = tf.convert_to_tensor(params)
    rank, event_shape = len(event_shape), tuple(event_shape)
    if rank and logits.shape[-rank:] != event_shape:
      if logits.shape[-1] != math.prod(event_shape):
        raise ValueError(
            f'IndependentBernoulli takes {math.prod(event_shape)} logits, flat '
            f'or as {event_shape}. Received: params.shape={logits.shape}')
      logits = tf.reshape(
          logits, tf.concat([tf.shape(logits)[:-1], event_shape], axis=0))
    return tfd.Independent(
        tfd.Bernoulli(logits=logits, dtype=logits.dtype), rank)

  @staticmethod
  def params_size(event_shape: int | Sequence[int]) -> int:
    """Returns the parameters an event takes: one a dimension."""
    return event_shape if isinstance(event_shape, int) else math.prod(
        event_shape)

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | {'event_shape': list(self.event_shape)}
