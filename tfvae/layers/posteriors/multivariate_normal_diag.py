"""Posterior layer of a diagonal normal, N(μ, diag σ²)."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.noise import standard_normal
from tfvae.layers.base.posterior import Posterior
from tfvae.layers.base.posterior import POSTERIORS
from tfvae.layers.base.soft_bound import bound_log_variance

tfd = tfp.distributions


class PhiloxNormal:
  """A multivariate normal of TFP whose sampling names its algorithm.

  Its noise is that of `layers.base.noise`. Only `sample` differs.
  """

  def _call_sample_n(self, sample_shape, seed, **kwargs):
    del kwargs
    seed = tfp.random.sanitize_seed(seed, salt='normal_diag')
    mean = self.mean()
    sample_shape = tf.cast(tf.reshape(sample_shape, [-1]), tf.int32)
    shape = tf.concat([sample_shape, tf.shape(mean)], axis=0)
    noise = standard_normal(shape, seed, self.dtype)
    return mean + self.scale.matvec(noise)  # z = μ + L ε, ε ~ N(0, I)


class NormalDiag(PhiloxNormal, tfd.MultivariateNormalDiag):
  """`tfd.MultivariateNormalDiag` whose sampling names its algorithm."""


@POSTERIORS.register('normal_diag')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class MultivariateNormalDiag(Posterior):
  """Emits q(z|x) = N(z; μ, diag σ²) from (μ, log σ²).

  The diagonal counterpart of `tfp.layers.MultivariateNormalTriL`, which TFP
  lacks; see Kingma and Welling, Auto-Encoding Variational Bayes, 2014, appendix
  C.2. log σ² is bounded by `bound_log_variance`.

  Call arguments:
    params: Float tensor `[..., 2 * event_size]`, μ then log σ².

  Returns, when called:
    A `tfd.MultivariateNormalDiag`, batch shape `[...]`, event shape
    `[event_size]`.

  Example:
  ```python
  encoder = tf_keras.Sequential([
      tf_keras.layers.Dense(200, activation='tanh'),
      tf_keras.layers.Dense(MultivariateNormalDiag.params_size(50)),
      MultivariateNormalDiag(50, activity_regularizer=KLDivergenceRegularizer(
          tfvae.priors.StandardNormal(50))),
  ])
  ```
  """

  is_normal = True
  is_diagonal_normal = True

  @classmethod
  def new(cls, params: tf.Tensor,
          event_size: int) -> tfd.MultivariateNormalDiag:
    """Returns the distribution of `params`, `[..., 2 * event_size]`."""
    params = tf.convert_to_tensor(params)
    if params.shape[-1] != 2 * event_size:
      raise ValueError(
          f'{cls.__name__} takes params_size(event_size) = {2 * event_size} '
          f'parameters, μ then log σ². Received: params.shape={params.shape}, '
          f'event_size={event_size}')
    loc, log_variance = tf.split(params, 2, axis=-1)
    # σ = exp(½ log σ²)
    return NormalDiag(loc, tf.exp(0.5 * bound_log_variance(log_variance)))

  @staticmethod
  def params_size(event_size: int) -> int:
    """Returns the number of parameters of one event: `2 * event_size`."""
    return 2 * event_size

  def keras3_moments(self, params: Any, keras: Any) -> dict[str, Any]:
    """Returns μ and σ; see the base class."""
    return moments(params, keras.ops)


def moments(params: Any, ops: Any) -> dict[str, Any]:
  """Returns μ and σ of the parameters of diagonal normals, by name.

  Args:
    params: Keras 3 tensor `[b, 2 * event_size]`, μ then log σ².
    ops: The namespace `keras.ops`.
  """
  loc, log_variance = ops.split(params, 2, axis=-1)
  return {'loc': loc,
          'scale_diag': ops.exp(0.5 * bound_log_variance(log_variance, ops))}
