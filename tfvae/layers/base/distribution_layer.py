"""The base of tfvae's distribution layers."""

from collections.abc import Callable
from typing import Any, ClassVar

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion

tfd = tfp.distributions


class _Conversion:
  """Conversion of a layer to a tensor, unless `convert_with` replaces it.

  Attributes:
    conversion_name: Name under which the layer's own conversion is saved.
  """

  def __init__(self, conversion_name: str):
    self.conversion_name = conversion_name
    self._own = conversion.get_conversion(conversion_name)

  def __call__(self, distribution: tfd.Distribution) -> tf.Tensor:
    return conversion.convert(distribution, self._own)


class DistributionLayer(tfp.layers.DistributionLambda):
  """A `tfp.layers.DistributionLambda` that can be saved, in float32.

  Called on a tensor of parameters it returns a `tfd.Distribution`, which Keras
  also treats as the tensor that `convert_to_tensor_fn` returns for it. It
  differs from the layers of TFP in two ways: its configuration consists of
  names and numbers, so that `.keras` files load in safe mode; and its
  distribution is float32 under any dtype policy, since a KL divergence or a
  log-likelihood summed in half precision is too inexact to train on.

  Attributes:
    is_normal: Whether every distribution is a multivariate normal, whose
      parameters can be optimized for each example.
    is_diagonal_normal: Whether it is one with independent dimensions, so that
      its density and its KL divergence have a part for each dimension.
    is_mixture: Whether every distribution is a mixture, which trains by draws
      from each component.
  """

  is_normal: ClassVar[bool] = False
  is_diagonal_normal: ClassVar[bool] = False
  is_mixture: ClassVar[bool] = False

  def __init__(
      self,
      make_distribution_fn: Callable[[tf.Tensor], tfd.Distribution],
      convert_to_tensor_fn: str | conversion.Conversion,
      activity_regularizer: Any = None,
      dtype: Any = None,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      make_distribution_fn: Function from a float tensor of parameters to the
        distribution.
      convert_to_tensor_fn: Conversion to a tensor; see
        `conversion.conversion_name`.
      activity_regularizer: Function of the distribution, typically a
        `tfvae.regularizers.KLDivergenceRegularizer`.
      dtype: Dtype of the distribution, 'float32' (default) or 'float64'.
      **kwargs: Arguments of `tf_keras.layers.Layer`.

    Raises:
      ValueError: If `dtype` is another, or `convert_to_tensor_fn` cannot be
        saved.
    """
    dtype = tf_keras.mixed_precision.Policy('float32') if dtype is None else (
        dtype)
    name = conversion.conversion_name(convert_to_tensor_fn)
    super().__init__(
        make_distribution_fn,
        _Conversion(name),
        activity_regularizer=activity_regularizer,
        dtype=dtype,
        **kwargs)
    if self.compute_dtype not in ('float32', 'float64'):
      raise ValueError(
          f'{type(self).__name__} computes in float32 or float64; leave '
          '`dtype` out for float32 under any policy. Received: '
          f'dtype={self.compute_dtype}')
    self._conversion_name = name
    # Keras tracks attributes of the layer, so that the variables of a prior and
    # of a weight train, save and are restored with the regularized layer.
    self._regularizer_state = [
        part for part in (getattr(self.activity_regularizer, 'prior', None),
                          getattr(self.activity_regularizer, 'weight', None))
        if isinstance(part, tf.Variable | tf.Module)
        and not isinstance(part, tfd.Distribution)]

  @property
  def settings(self) -> dict[str, Any]:
    """Arguments of `params_size` besides the size or shape of an event."""
    return {}

  def distribution(self, params: tf.Tensor) -> tfd.Distribution:
    """Returns the distribution alone, without its tensor or regularizer.

    Args:
      params: Tensor of parameters, of any floating dtype.
    """
    return self._make_distribution_fn(tf.cast(params, self.compute_dtype))

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    # Not `super()`: the configs of Lambda and DistributionLambda contain
    # marshaled Python functions.
    config = tf_keras.layers.Layer.get_config(self)
    config['convert_to_tensor_fn'] = self._conversion_name
    config['activity_regularizer'] = tf_keras.regularizers.serialize(
        self.activity_regularizer)
    return config

  @classmethod
  def from_config(cls, config: dict[str, Any]) -> 'DistributionLayer':
    """Returns the layer of a configuration that `get_config` returned."""
    return cls(**config)
