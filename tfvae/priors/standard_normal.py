"""The prior of Kingma and Welling, 2014."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.multivariate_normal_diag import NormalDiag

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class StandardNormal(tf_keras.layers.Layer):
  """p(z) = N(z; 0, I), which has no parameters."""

  def __init__(self, event_size: int, dtype: Any = 'float32', **kwargs):
    """Initialises the prior.

    Args:
      event_size: dimensions of z, at least 1.
      dtype: of z, 'float32' by default whatever the policy.
      **kwargs: of `tf_keras.layers.Layer`.

    Raises:
      ValueError: if `event_size` is not a positive integer.
    """
    if not isinstance(event_size, int) or event_size < 1:
      raise ValueError('StandardNormal needs an event_size of at least 1. '
                       f'Received: event_size={event_size!r}')
    super().__init__(dtype=dtype, **kwargs)
    self.event_size = event_size

  def distribution(self) -> tfd.MultivariateNormalDiag:
    """Returns N(0, I): batch shape `[]`, event shape `[event_size]`."""
    zeros = tf.zeros([self.event_size], self.compute_dtype)
    return NormalDiag(zeros, tf.ones_like(zeros))

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the prior."""
    return super().get_config() | {'event_size': self.event_size}
