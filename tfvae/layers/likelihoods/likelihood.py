"""What the likelihood layers share: parameters, data, bits per dimension."""

from collections.abc import Sequence
import math
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers.base import conversion
from tfvae.layers.base.distribution_layer import DistributionLayer
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
  on, so that `tf.split(params, k, axis=-1)` tells them apart. Each is real;
  the family maps it to where it may lie.

  A family is a subclass with three class attributes, `element_distribution`
  and, where k is not 1, `params_per_dim`. What it takes beside `event_shape`
  are its `settings`, so a decoder for the layer `likelihood` emits

    likelihood.params_shape(likelihood.event_shape, **likelihood.settings).

  Attributes:
    support: Kind of data, a key of `likelihoods.support.SUPPORTS`.
    is_discrete: whether p(x|z) is a probability, for which `bits_per_dim` has
      a meaning, or a density.
    parameters: what the parameters are called.
    event_shape: of one x.
  """

  support: ClassVar[str]
  is_discrete: ClassVar[bool]
  parameters: ClassVar[str]

  def __init__(
      self,
      event_shape: Shape,
      convert_to_tensor_fn: str | conversion.Conversion = 'mean',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initialises the layer.

    Args:
      event_shape: shape of one x, for example `(28, 28, 1)`.
      convert_to_tensor_fn: 'mean' by default; a 'sample' of discrete data is
        not differentiable.
      activity_regularizer: called on the distribution.
      **kwargs: of `tf_keras.layers.Layer`.

    Raises:
      ValueError: if a dimension of `event_shape` is not a positive integer.
    """
    event_shape = _as_shape(event_shape)
    if not all(isinstance(n, int) and n > 0 for n in event_shape):
      raise ValueError(f'{type(self).__name__} needs positive integers for '
                       f'dimensions. Received: event_shape={event_shape}')
    super().__init__(
        lambda params: self._marked(
            self.new(params, event_shape, **self._new_settings())),
        convert_to_tensor_fn,
        activity_regularizer=activity_regularizer,
        **kwargs)
    self.event_shape = event_shape

  @property
  def settings(self) -> dict[str, Any]:
    """What the family takes beside `event_shape`, by name, as plain data."""
    return {}

  def _new_settings(self) -> dict[str, Any]:
    """Returns the settings as `new` takes them, in the value of weights."""
    return self.settings

  def _marked(self, distribution: tfd.Distribution) -> tfd.Distribution:
    """Returns p(x|z) with its family, for `NegativeLogLikelihood`."""
    distribution.likelihood_class = type(self)
    return distribution

  @staticmethod
  def element_distribution(*parameters, **settings) -> tfd.Distribution:
    """Returns p(x_d; θ_d), batched over d, from k tensors of x's shape."""
    raise NotImplementedError

  @staticmethod
  def params_per_dim(**settings) -> int:
    """Returns k, the parameters that a decoder emits for each x_d."""
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
    """Returns how many numbers `params_shape` holds."""
    return math.prod(cls.params_shape(event_shape, **settings))

  @classmethod
  def new(cls, params: tf.Tensor, event_shape: Shape,
          **settings) -> tfd.Independent:
    """Returns the distribution of `params`.

    Args:
      params: float tensor `[..., *params_shape]` or `[..., params_size]`.
      event_shape: shape of one x.
      **settings: of the family.

    Returns:
      A `tfd.Independent`, batch shape `[...]`, event shape `event_shape`.

    Raises:
      ValueError: if `params` has neither shape.
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
  def check_data(cls, x: np.ndarray, first: int = 0) -> None:
    """Raises a ValueError unless the likelihood is defined on all of x.

    Args:
      x: Data of any shape, as the loss sees them, such as pixels divided by
        255. The message has the first value outside the support, its index and
        the remedy.
      first: Index of x[0] for the message, where x is a part of the data.
    """
    check_support(x, cls.support, cls.__name__, first)

  def at_bound(self) -> str | None:
    """Returns a sentence if a learned scale has reached its bound, or None."""
    return None

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | self.settings | {
        'event_shape': list(self.event_shape)}


def soft_bound(value: tf.Tensor, lower: float, upper: float) -> tf.Tensor:
  """Bounds a parameter smoothly to (lower, upper).

  The identity, to the last bit, up to 1 from a bound; from there on the bound
  is approached exponentially: b(v) = min(v, c) + 1 − exp(min(c − v, 0)) with
  c = upper − 1, and likewise below. The gradient is continuous, and positive
  until it underflows.
  """
  # Where both arguments are equal, `tf.minimum` gives the gradient to the
  # first, so that one of the two has it and not both.
  low, high = lower + 1., upper - 1.
  value = tf.convert_to_tensor(value)
  zero = tf.zeros([], value.dtype)
  value = (tf.minimum(value, high)
           - tf.math.expm1(tf.minimum(zero, high - value)))
  return tf.maximum(value, low) + tf.math.expm1(tf.minimum(zero, value - low))


def bits_per_dim(nll_nats: Any, event_shape: Shape) -> Any:
  """Returns −log₂ p(x) / D for x of D elements, discrete data.

  Args:
    nll_nats: −log p(x), or a bound on it, in nats: a number, array or tensor.
    event_shape: of one x.

  Returns:
    nll_nats / (D log 2), in bits, of the type and shape of `nll_nats`.
  """
  return nll_nats / (math.prod(_as_shape(event_shape)) * math.log(2))


def _as_shape(event_shape: Shape) -> tuple[int, ...]:
  return (event_shape,) if isinstance(event_shape, int) else tuple(event_shape)
