"""The layer of the posterior N(μ, L Lᵀ)."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.base.distribution_layer import DistributionLayer
from tfvae.layers.base.posterior import POSTERIORS
from tfvae.layers.posteriors.multivariate_normal_diag import bound_log_variance
from tfvae.layers.posteriors.multivariate_normal_diag import PhiloxNormal

tfd = tfp.distributions


class NormalTriL(PhiloxNormal, tfd.MultivariateNormalTriL):
  """`tfd.MultivariateNormalTriL` whose sampling names its algorithm.

  Its variance takes no product of matrices, and operations of TensorFlow Lite.
  """

  def _variance(self):
    # Var z_i = (L Lᵀ)_ii = Σ_j L_ij²
    return tf.reduce_sum(tf.square(self.scale.to_dense()), axis=-1)

  def _stddev(self):
    return tf.sqrt(self._variance())


def triangle_order(n: int) -> np.ndarray:
  """Returns which of n (n + 1) / 2 parameters stands where in the triangle.

  Args:
    n: rows of the matrix.

  Returns:
    An integer array `[n, n]`, the order of `tfp.math.fill_triangular`; what it
    has above the diagonal is to be cleared.
  """
  indices = np.arange(n * (n + 1) // 2)
  return np.concatenate([indices[n:], indices[::-1]]).reshape(n, n)


@POSTERIORS.register('normal_tril')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class MultivariateNormalTriL(DistributionLayer):
  """Emits q(z|x) = N(z; μ, L Lᵀ), L lower triangular: full covariance.

  For dimensions that depend on each other given x, which
  `MultivariateNormalDiag` takes for independent. Takes the place of
  `tfp.layers.MultivariateNormalTriL`, which cannot be saved; like there, L is
  filled by `tfp.math.fill_triangular`. Its diagonal is σ = exp(½ log σ²), log
  σ² bounded by `bound_log_variance`.

  Call arguments:
    params: float tensor `[..., params_size(event_size)]`, μ, then the
      triangle with log σ² on its diagonal.

  Returns, when called:
    A `tfd.MultivariateNormalTriL`, batch shape `[...]`, event shape
    `[event_size]`.
  """

  is_normal = True

  def __init__(
      self,
      event_size: int,
      convert_to_tensor_fn: str | conversion.Conversion = 'sample',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initialises the layer.

    Args:
      event_size: n, dimensions of z, at least 1.
      convert_to_tensor_fn: 'sample' (reparameterised), 'mean', …
      activity_regularizer: typically a `KLDivergenceRegularizer`.
      **kwargs: of `tf_keras.layers.Layer`.

    Raises:
      ValueError: if `event_size` is not a positive integer.
    """
    if not isinstance(event_size, int) or event_size < 1:
      raise ValueError('MultivariateNormalTriL needs an event_size of at least '
                       f'1. Received: event_size={event_size!r}')
    super().__init__(
        lambda params: self.new(params, event_size),
        convert_to_tensor_fn,
        activity_regularizer=activity_regularizer,
        **kwargs)
    self.event_size = event_size

  @classmethod
  def new(cls, params: tf.Tensor, event_size: int) -> NormalTriL:
    """Returns the distribution of `params`, `[..., params_size]`."""
    params = tf.convert_to_tensor(params)
    if params.shape[-1] != cls.params_size(event_size):
      raise ValueError(
          'MultivariateNormalTriL takes params_size(event_size) = '
          f'{cls.params_size(event_size)} parameters, μ then a triangle. '
          f'Received: params.shape={params.shape}, event_size={event_size}')
    loc, triangle = params[..., :event_size], params[..., event_size:]
    log_variance = bound_log_variance(tf.gather(
        triangle, np.diagonal(triangle_order(event_size)), axis=-1))
    return NormalTriL(loc, tf.linalg.set_diag(
        tfp.math.fill_triangular(triangle), tf.exp(0.5 * log_variance)))

  @staticmethod
  def params_size(event_size: int) -> int:
    """Returns the parameters an event takes: n + n (n + 1) / 2."""
    return event_size + event_size * (event_size + 1) // 2

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | {'event_size': self.event_size}
