"""The base of the posterior layers, and their choices by name."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers.base import conversion
from tfvae.layers.base import template
from tfvae.layers.base.distribution_layer import DistributionLayer
from tfvae.registry import Registry

tfd = tfp.distributions

# Classes of posteriors by name; see `Posterior`.
POSTERIORS = Registry('posterior')


class Posterior(DistributionLayer):
  """q(z|Pa(z); φ) of a latent, whose parameters a network emits.

  A family is a subclass with `new` and `params_size`, the class attributes
  `is_normal`, `is_diagonal_normal` and `is_mixture` where they are True, and
  `keras3_moments` if models with it are to be converted to Keras 3. Its
  settings, besides the size of an event, are `settings`. It is registered with
  `@tf_keras.saving.register_keras_serializable`, and by name with
  `@POSTERIORS.register`.

  Attributes:
    event_size: Dimensions of z; None in a template, which
      `tfvae.models.image_vae` copies for each latent.
  """

  def __init__(
      self,
      event_size: int | None = None,
      convert_to_tensor_fn: str | conversion.Conversion = 'sample',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      event_size: Dimensions of z, at least 1; None for a template.
      convert_to_tensor_fn: Conversion to a tensor: 'sample' (reparameterized),
        'mean', …
      activity_regularizer: Typically a `KLDivergenceRegularizer`.
      **kwargs: Arguments of `tf_keras.layers.Layer`.

    Raises:
      ValueError: If `event_size` is not a positive integer.
    """
    if event_size is not None and (
        not isinstance(event_size, int) or event_size < 1):
      raise ValueError(f'{type(self).__name__} needs an event_size of at least '
                       f'1. Received: event_size={event_size!r}')
    super().__init__(
        self._make, convert_to_tensor_fn,
        activity_regularizer=activity_regularizer, **kwargs)
    self.event_size = event_size

  def _make(self, params: tf.Tensor) -> tfd.Distribution:
    if self.event_size is None:
      raise template.missing(self, 'event_size')
    return self._new(params)

  def _new(self, params: tf.Tensor) -> tfd.Distribution:
    """Returns the distribution of `params`, by the weights of the layer."""
    return self.new(params, self.event_size, **self.settings)

  @classmethod
  def new(cls, params: tf.Tensor, event_size: int,
          **settings) -> tfd.Distribution:
    """Returns the distribution of `params`, `[..., params_size]`."""
    raise NotImplementedError(f'{cls.__name__} has no new().')

  @staticmethod
  def params_size(event_size: int, **settings) -> int:
    """Returns the number of parameters of one event."""
    raise NotImplementedError('A posterior needs params_size().')

  def sized(self, event_size: int) -> 'Posterior':
    """Returns a copy for z of `event_size` dimensions.

    Raises:
      ValueError: If the layer has another size.
    """
    return template.filled_in(self, {'event_size': event_size})

  def keras3_moments(self, params: Any, keras: Any) -> dict[str, Any]:
    """Returns the moments of q by the operations of Keras 3 alone.

    Args:
      params: Keras 3 tensor, `[b, params_size]`.
      keras: Package `keras`, with its `ops` and `layers`; tfvae.layers does not
        import it.

    Returns:
      A dictionary of 'loc' and 'scale_diag', `[b, event_size]`, and for a full
      covariance L Lᵀ also 'scale_tril', L, `[b, event_size, event_size]`.
    """
    raise NotImplementedError(f'{type(self).__name__} has no keras3_moments().')

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | {'event_size': self.event_size}
