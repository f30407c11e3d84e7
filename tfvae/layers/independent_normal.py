"""The likelihood layer of real data."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers import conversion
from tfvae.layers.likelihood import Shape
from tfvae.layers.two_parameter_likelihood import TwoParameterLikelihood

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentNormal(TwoParameterLikelihood):
  """Emits p(x|z) = Π_d N(x_d; μ_d, σ²) from μ and, per pixel, log σ.

  log p(x|z) = −Σ_d (x_d − μ_d)² / 2σ² + log σ + ½ log 2π, in nats. A density:
  it depends on the unit of x, and has no bits per dimension.

  `scale` is σ: a number, a mean squared error weighted by 1 / 2σ²; 'shared',
  one learned σ, which finds that weight itself (the σ-VAE); or 'per_pixel',
  which needs data that nowhere can be predicted exactly. log σ is bounded to
  `log_bounds`; the lower bound is that of the reference.

  Reference: O. Rybkin, K. Daniilidis and S. Levine, Simple and Effective VAE
  Training with Calibrated Decoders, ICML 2021.

  Call arguments:
    params: float tensor, `[..., *params_shape(event_shape, scale=scale)]` or
      flat; with 'per_pixel' the μ of all channels, then their log σ.

  Returns, when called:
    A `tfd.Independent` of normals, event shape `event_shape`.
  """

  support = 'real'
  is_discrete = False
  parameters = 'locs and, per pixel, log scales'
  second_name = 'scale'
  log_bounds = (-6.0, 5.0)

  def __init__(
      self,
      event_shape: Shape,
      scale: float | str = 'shared',
      convert_to_tensor_fn: str | conversion.Conversion = 'mean',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initialises the layer.

    Args:
      event_shape: shape of one x, for example `(28, 28, 1)`.
      scale: σ in the unit of x, 'shared' or 'per_pixel'.
      convert_to_tensor_fn: 'mean' (μ), 'sample' (reparameterised), …
      activity_regularizer: called on the distribution.
      **kwargs: of `tf_keras.layers.Layer`.

    Raises:
      ValueError: if a dimension of `event_shape` is not a positive integer, or
        `scale` none of the above.
    """
    super().__init__(
        event_shape, scale, convert_to_tensor_fn, activity_regularizer,
        **kwargs)

  @classmethod
  def element_distribution(
      cls,
      loc: tf.Tensor,
      log_scale: tf.Tensor | None = None,
      scale: float | tf.Tensor | str = 'shared',
  ) -> tfd.Normal:
    """Returns N(loc, σ²)."""
    return tfd.Normal(loc, cls.second_parameter(log_scale, scale, loc.dtype))
