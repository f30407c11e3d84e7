"""The layer of the posterior N(μ, diag σ²)."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.base.distribution_layer import DistributionLayer
from tfvae.layers.base.noise import standard_normal
from tfvae.layers.base.posterior import POSTERIORS

tfd = tfp.distributions

# σ between 4.5e-5 and 148: wider than any posterior of standardised latents,
# and far from where exp(log σ²) or its inverse leaves float32.
MIN_LOG_VARIANCE = -20.0
MAX_LOG_VARIANCE = 10.0


class PhiloxNormal:
  """A multivariate normal of TFP whose sampling names its algorithm.

  Its noise is that of `layers.noise`. Only `sample` differs.
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


def bound_log_variance(log_variance: tf.Tensor) -> tf.Tensor:
  """Bounds log σ² smoothly to (`MIN_LOG_VARIANCE`, `MAX_LOG_VARIANCE`).

  The identity up to one nat from a bound; from there on the bound is
  approached exponentially, so the gradient is continuous, positive until it
  underflows, and never NaN:

    b(v) = c − ELU(c − v) with c = MAX_LOG_VARIANCE − 1, and likewise below.

  Args:
    log_variance: float tensor of any shape.

  Returns:
    A tensor of the same shape and dtype.
  """
  upper, lower = MAX_LOG_VARIANCE - 1., MIN_LOG_VARIANCE + 1.
  log_variance = upper - tf.nn.elu(upper - log_variance)
  return lower + tf.nn.elu(log_variance - lower)


@POSTERIORS.register('normal_diag')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class MultivariateNormalDiag(DistributionLayer):
  """Emits q(z|x) = N(z; μ, diag σ²) from (μ, log σ²).

  The layer that is missing beside `tfp.layers.MultivariateNormalTriL`; see
  Kingma and Welling, Auto-Encoding Variational Bayes, 2014, appendix C.2.
  log σ² is bounded by `bound_log_variance`.

  Call arguments:
    params: float tensor `[..., 2 * event_size]`, μ then log σ².

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

  def __init__(
      self,
      event_size: int,
      convert_to_tensor_fn: str | conversion.Conversion = 'sample',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initialises the layer.

    Args:
      event_size: dimensions of z, at least 1.
      convert_to_tensor_fn: 'sample' (reparameterised), 'mean', …
      activity_regularizer: typically a `KLDivergenceRegularizer`.
      **kwargs: of `tf_keras.layers.Layer`.

    Raises:
      ValueError: if `event_size` is not a positive integer.
    """
    if not isinstance(event_size, int) or event_size < 1:
      raise ValueError('MultivariateNormalDiag needs an event_size of at least '
                       f'1. Received: event_size={event_size!r}')
    super().__init__(
        lambda params: self.new(params, event_size),
        convert_to_tensor_fn,
        activity_regularizer=activity_regularizer,
        **kwargs)
    self.event_size = event_size

  @staticmethod
  def new(params: tf.Tensor, event_size: int) -> tfd.MultivariateNormalDiag:
    """Returns the distribution of `params`, `[..., 2 * event_size]`."""
    params = tf.convert_to_tensor(params)
    if params.shape[-1] != 2 * event_size:
      raise ValueError(
          'MultivariateNormalDiag takes params_size(event_size) = '
          f'{2 * event_size} parameters, μ then log σ². Received: '
          f'params.shape={params.shape}, event_size={event_size}')
    loc, log_variance = tf.split(params, 2, axis=-1)
    # σ = exp(½ log σ²)
    return NormalDiag(loc, tf.exp(0.5 * bound_log_variance(log_variance)))

  @staticmethod
  def params_size(event_size: int) -> int:
    """Returns the parameters an event takes: `2 * event_size`."""
    return 2 * event_size

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | {'event_size': self.event_size}
