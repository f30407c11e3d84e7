"""Posterior layer of a normal with full covariance, N(μ, L Lᵀ)."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.posterior import Posterior
from tfvae.layers.base.posterior import POSTERIORS
from tfvae.layers.base.soft_bound import bound_log_variance
from tfvae.layers.posteriors.multivariate_normal_diag import PhiloxNormal

tfd = tfp.distributions


class NormalTriL(PhiloxNormal, tfd.MultivariateNormalTriL):
  """`tfd.MultivariateNormalTriL` whose sampling names its algorithm.

  Its variance needs no matrix product, only operations of TensorFlow Lite.
  """

  def _variance(self):
    # Var z_i = (L Lᵀ)_ii = Σ_j L_ij²
    return tf.reduce_sum(tf.square(self.scale.to_dense()), axis=-1)

  def _stddev(self):
    return tf.sqrt(self._variance())


def triangle_order(n: int) -> np.ndarray:
  """Returns the position of each entry of the triangle among the parameters.

  Args:
    n: Rows of the matrix.

  Returns:
    An integer array `[n, n]` of indices of n (n + 1) / 2 parameters, in the
    order of `tfp.math.fill_triangular`; entries above the diagonal are to be
    cleared.
  """
  indices = np.arange(n * (n + 1) // 2)
  return np.concatenate([indices[n:], indices[::-1]]).reshape(n, n)


@POSTERIORS.register('normal_tril')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class MultivariateNormalTriL(Posterior):
  """Emits q(z|x) = N(z; μ, L Lᵀ), L lower triangular: full covariance.

  For dimensions that depend on each other given x, which
  `MultivariateNormalDiag` treats as independent. It replaces
  `tfp.layers.MultivariateNormalTriL`, which cannot be saved; as in TFP, L is
  filled by `tfp.math.fill_triangular`. Its diagonal is σ = exp(½ log σ²), with
  log σ² bounded by `bound_log_variance`.

  Call arguments:
    params: Float tensor `[..., params_size(event_size)]`, μ, then the triangle
      with log σ² on its diagonal.

  Returns, when called:
    A `tfd.MultivariateNormalTriL`, batch shape `[...]`, event shape
    `[event_size]`.
  """

  is_normal = True

  @classmethod
  def new(cls, params: tf.Tensor, event_size: int) -> NormalTriL:
    """Returns the distribution of `params`, `[..., params_size]`."""
    params = tf.convert_to_tensor(params)
    if params.shape[-1] != cls.params_size(event_size):
      raise ValueError(
          f'{cls.__name__} takes params_size(event_size) = '
          f'{cls.params_size(event_size)} parameters, μ then a triangle. '
          f'Received: params.shape={params.shape}, event_size={event_size}')
    loc, triangle = params[..., :event_size], params[..., event_size:]
    log_variance = bound_log_variance(tf.gather(
        triangle, np.diagonal(triangle_order(event_size)), axis=-1))
    return NormalTriL(loc, tf.linalg.set_diag(
        tfp.math.fill_triangular(triangle), tf.exp(0.5 * log_variance)))

  @staticmethod
  def params_size(event_size: int) -> int:
    """Returns the number of parameters of one event: n + n (n + 1) / 2."""
    return event_size + event_size * (event_size + 1) // 2

  def keras3_moments(self, params: Any, keras: Any) -> dict[str, Any]:
    """Returns μ, σ and L; see the base class."""
    return moments(params, self.event_size, keras.ops)


def moments(params: Any, event_size: int, ops: Any) -> dict[str, Any]:
  """Returns μ, σ and L of the parameters of full normals, by name.

  Args:
    params: Keras 3 tensor `[b, params_size(event_size)]`.
    event_size: n, dimensions of z.
    ops: The namespace `keras.ops`.
  """
  n = event_size
  loc, triangle = ops.split(params, [n], axis=-1)
  matrix = ops.reshape(ops.take(
      triangle, triangle_order(n).ravel().tolist(), axis=-1), [-1, n, n])
  # σ = exp(½ log σ²)
  diagonal = ops.exp(0.5 * bound_log_variance(
      ops.diagonal(matrix, axis1=1, axis2=2), ops))
  scale = ops.tril(matrix, -1) + (
      ops.expand_dims(diagonal, -1) * np.eye(n, dtype=np.float32))
  # Var z_i = (L Lᵀ)_ii = Σ_j L_ij²
  return {'loc': loc, 'scale_tril': scale,
          'scale_diag': ops.sqrt(ops.sum(ops.square(scale), axis=-1))}
