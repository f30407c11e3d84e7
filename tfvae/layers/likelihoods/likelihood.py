"""The base of the likelihood layers, and bits per dimension."""

from collections.abc import Sequence
import math
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.base import template
from tfvae.layers.base.distribution_layer import DistributionLayer
from tfvae.layers.likelihoods.partly_observed import PartlyObserved
from tfvae.layers.likelihoods.support import check_support
from tfvae.layers.likelihoods.support import Support
from tfvae.layers.likelihoods.support import SUPPORTS
from tfvae.registry import Registry

tfd = tfp.distributions

Shape = int | Sequence[int]

# Classes of likelihoods by name; see `Likelihood`.
LIKELIHOODS = Registry('likelihood')


class Likelihood(DistributionLayer):
  """p(x|z) = Π_d p(x_d; θ_d), its parameters θ emitted by a decoder.

  Where each x_d has k parameters, a decoder emits `params_shape`: the event
  shape with k times its channels, or the same flattened. The last axis holds
  the first parameter of all channels, then the second of all channels, and so
  on, so that `tf.split(params, k, axis=-1)` separates them. Each is a real
  number, which the family maps to its range.

  A family is a subclass with the three class attributes below,
  `element_distribution` and, where k is not 1, `params_per_dim`; with
  `keras3_mean` its decoders can be converted to Keras 3. Its arguments besides
  `event_shape` are its `settings`: a decoder for the layer `likelihood` emits

    likelihood.params_shape(likelihood.event_shape, **likelihood.settings).

  It is registered with `@tf_keras.saving.register_keras_serializable`, and by
  name with `@LIKELIHOODS.register`.

  Attributes:
    support: Kind of data, a key of `likelihoods.support.SUPPORTS`; the
      dictionary can be extended.
    is_discrete: Whether p(x|z) is a probability, for which `bits_per_dim` has
      a meaning, or a density.
    parameters: Name of the parameters, for messages.
    event_shape: Shape of one x; None in a template, which
      `tfvae.models.image_vae` copies.
    allow_missing: Whether a NaN in x is a missing element.
  """

  support: ClassVar[str]
  is_discrete: ClassVar[bool]
  parameters: ClassVar[str]

  def __init__(
      self,
      event_shape: Shape | None = None,
      convert_to_tensor_fn: str | conversion.Conversion = 'mean',
      activity_regularizer: Any = None,
      allow_missing: bool = False,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      event_shape: Shape of one x, for example `(28, 28, 1)`; None for a
        template.
      convert_to_tensor_fn: Conversion to a tensor, 'mean' by default; a
        'sample' of discrete data is not differentiable.
      activity_regularizer: Function of the distribution.
      allow_missing: Whether a NaN in x is a missing element, whose factor
        log p(x|z) leaves out; see `PartlyObserved`.
      **kwargs: Arguments of `tf_keras.layers.Layer`.

    Raises:
      ValueError: If a dimension of `event_shape` is not a positive integer.
    """
    if event_shape is not None:
      event_shape = _as_shape(event_shape)
      if not all(isinstance(n, int) and n > 0 for n in event_shape):
        raise ValueError(f'{type(self).__name__} needs positive integers for '
                         f'dimensions. Received: event_shape={event_shape}')
    super().__init__(
        self._make, convert_to_tensor_fn,
        activity_regularizer=activity_regularizer, **kwargs)
    self.event_shape = event_shape
    self.allow_missing = bool(allow_missing)

  @property
  def settings(self) -> dict[str, Any]:
    """Arguments of the family besides `event_shape`, by name, as plain data."""
    return {}

  def _new_settings(self) -> dict[str, Any]:
    """Returns the settings as arguments of `new`, with values of weights."""
    return self.settings

  def _make(self, params: tf.Tensor) -> tfd.Independent:
    """Returns p(x|z) with its family, for `NegativeLogLikelihood`."""
    if self.event_shape is None:
      raise template.missing(self, 'event_shape')
    distribution = self.new(params, self.event_shape, **self._new_settings())
    if self.allow_missing:
      distribution = self._of_observed(distribution)
    distribution.likelihood_class = type(self)
    distribution.allow_missing = self.allow_missing
    return distribution

  def _of_observed(self, distribution: tfd.Distribution) -> tfd.Distribution:
    """Returns p(x_obs|z) of a distribution that `new` made."""
    return PartlyObserved(
        distribution.distribution, len(self.event_shape), self._fill())

  def _fill(self) -> Any:
    """Returns a value with a finite density, of the event shape or a number."""
    return 0.0

  def sized(self, event_shape: Shape, **arguments) -> 'Likelihood':
    """Returns a copy for x of a shape.

    Args:
      event_shape: Shape of one x.
      **arguments: Further constructor arguments, such as the name.

    Raises:
      ValueError: If the layer has another shape.
    """
    return template.filled_in(
        self, {'event_shape': _as_shape(event_shape)} | arguments)

  @staticmethod
  def element_distribution(*parameters, **settings) -> tfd.Distribution:
    """Returns p(x_d; θ_d), batched over d, of k tensors of the shape of x."""
    raise NotImplementedError('A likelihood needs element_distribution().')

  def keras3_mean(self, *parameters: Any, ops: Any) -> Any:
    """Returns E[x_d|z] by the operations of Keras 3 alone.

    Args:
      *parameters: k Keras 3 tensors of the shape of x, as
        `element_distribution` has them.
      ops: The namespace `keras.ops`; tfvae.layers does not import Keras 3.
    """
    raise NotImplementedError(f'{type(self).__name__} has no keras3_mean().')

  @staticmethod
  def params_per_dim(**settings) -> int:
    """Returns k, the number of parameters of each x_d."""
    del settings
    return 1

  @classmethod
  def params_shape(cls, event_shape: Shape, **settings) -> tuple[int, ...]:
    """Returns the shape of the parameters that a decoder emits for one x."""
    shape, count = _as_shape(event_shape), cls.params_per_dim(**settings)
    if count > 1 and not shape:
      raise ValueError(
          f'{cls.__name__} needs an axis for its {cls.parameters}: give '
          'scalars the event shape (1,). Received: event_shape=()')
    return shape[:-1] + tuple(count * n for n in shape[-1:])

  @classmethod
  def params_size(cls, event_shape: Shape, **settings) -> int:
    """Returns the number of parameters of one x."""
    return math.prod(cls.params_shape(event_shape, **settings))

  @classmethod
  def new(cls, params: tf.Tensor, event_shape: Shape,
          **settings) -> tfd.Independent:
    """Returns the distribution of `params`.

    Args:
      params: Float tensor `[..., *params_shape]` or `[..., params_size]`.
      event_shape: Shape of one x.
      **settings: Settings of the family.

    Returns:
      A `tfd.Independent`, batch shape `[...]`, event shape `event_shape`.

    Raises:
      ValueError: If `params` has neither shape.
    """
    params = tf.convert_to_tensor(params)
    shape = cls.params_shape(event_shape, **settings)
    rank, size = len(shape), math.prod(shape)
    if rank and params.shape[-rank:] != shape:
      if params.shape[-1] != size:
        raise ValueError(
            f'{cls.__name__} takes {size} {cls.parameters}, flat or as '
            f'{shape}. Received: params.shape={params.shape}')
      params = tf.reshape(
          params, tf.concat([tf.shape(params)[:-1], shape], axis=0))
    count = cls.params_per_dim(**settings)
    parts = [params] if count == 1 else tf.split(params, count, axis=-1)
    return tfd.Independent(cls.element_distribution(*parts, **settings), rank)

  @classmethod
  def kind_of_data(cls) -> Support:
    """Returns the description of the data that `support` names."""
    return SUPPORTS[cls.support]

  @classmethod
  def check_data(cls, x: np.ndarray, first: int = 0,
                 allow_missing: bool = False) -> None:
    """Raises a ValueError unless the likelihood is defined on all of x.

    Args:
      x: Data of any shape, as the loss sees them, such as pixels divided by
        255. The message has the first value outside the support, its index and
        the remedy.
      first: Index of x[0] for the message, where x is a part of the data.
      allow_missing: Whether a NaN is a missing value.
    """
    check_support(x, cls.support, cls.__name__, first, allow_missing)

  def in_units(self, loc: Any, scale: Any) -> 'Likelihood':
    """Returns the layer for data whose elements have a unit of their own.

    Args:
      loc: Mean of each element of x, of the event shape.
      scale: Standard deviation of each element.

    Returns:
      By default the layer itself; a family of real data returns a copy whose
      parameters of order 1 are in these units.
    """
    del loc, scale
    return self

  def input_layer(
      self, mask_inputs: Any = None) -> tf_keras.layers.Layer | None:
    """Returns the layer through which the encoder sees x, or None.

    A family whose x is not numbers of order 1, such as the codes of categories,
    has one.

    Args:
      mask_inputs: Booleans of the event shape, true where the encoder also sees
        whether the element is missing; None if no element can be.
    """
    del mask_inputs
    return None

  def at_bound(self) -> str | None:
    """Returns a warning if a learned scale has reached its bound, or None."""
    return None

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | self.settings | {
        'event_shape': (
            None if self.event_shape is None else list(self.event_shape)),
        'allow_missing': self.allow_missing}


def bits_per_dim(nll_nats: Any, event_shape: Shape) -> Any:
  """Returns −log₂ p(x) / D for x of D elements, discrete data.

  Args:
    nll_nats: Number, array or tensor of −log p(x), or a bound on it, in nats.
    event_shape: Shape of one x.

  Returns:
    −log₂ p(x) / D = nll_nats / (D log 2), of the type of `nll_nats`.
  """
  return nll_nats / (math.prod(_as_shape(event_shape)) * math.log(2))


def _as_shape(event_shape: Shape) -> tuple[int, ...]:
  return (event_shape,) if isinstance(event_shape, int) else tuple(event_shape)
