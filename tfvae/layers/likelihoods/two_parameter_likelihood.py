"""The base of likelihoods with a second, positive parameter."""

import math
from typing import Any, ClassVar

import tensorflow as tf
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.base.soft_bound import soft_bound
from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.layers.likelihoods.likelihood import Shape


class TwoParameterLikelihood(Likelihood):
  """A likelihood with a second parameter s > 0, of one of three kinds.

  - A number: fixed.
  - 'shared': exp b(w) with a trainable weight w of the layer, one for all
    pixels and examples, initially 1.
  - 'per_pixel': exp b(w) with w from the decoder, after the first parameter.

  b is `soft_bound` to `log_bounds`.

  Attributes:
    second_name: Name of s, a class attribute.
    log_bounds: (lower, upper) of log s, a class attribute.
    bound_remedies: Advice for a shared s at its lower and at its upper bound, a
      class attribute.
    second: Number, 'shared' or 'per_pixel'.
    log_shared: w, or None where it is not shared.
  """

  second_name: ClassVar[str]
  log_bounds: ClassVar[tuple[float, float]]
  bound_remedies: ClassVar[tuple[str, str]]

  def __init__(
      self,
      event_shape: Shape | None,
      second: float | str,
      convert_to_tensor_fn: str | conversion.Conversion,
      activity_regularizer: Any,
      **kwargs,
  ):
    """Initializes the layer; see `Likelihood`.

    Raises:
      ValueError: If `second` is none of the three.
    """
    super().__init__(
        event_shape, convert_to_tensor_fn, activity_regularizer, **kwargs)
    fixed = isinstance(second, int | float) and not isinstance(second, bool)
    if second not in ('shared', 'per_pixel') and not (
        fixed and 0 < second < math.inf):
      raise ValueError(
          f"{type(self).__name__} needs `{self.second_name}` to be 'shared', "
          "'per_pixel' or a positive number. Received: "
          f'{self.second_name}={second!r}')
    self.second = second
    self.log_shared = None if second != 'shared' else self.add_weight(
        f'log_{self.second_name}', shape=(), initializer='zeros')

  @property
  def settings(self) -> dict[str, Any]:
    """The kind of s by its name."""
    return {self.second_name: self.second}

  def _new_settings(self) -> dict[str, Any]:
    if self.log_shared is None:
      return self.settings
    return {self.second_name: self.second_parameter(
        self.log_shared, self.second, self.log_shared.dtype)}

  def at_bound(self) -> str | None:
    """Returns a warning if a shared s is within 1 nat of a bound, or None.

    There, `soft_bound` is no longer the identity, and the optimum may lie
    outside. The warning has the value and advice. Call it outside of
    `tf.function`.
    """
    if self.log_shared is None:
      return None
    value = float(tf_keras.backend.get_value(self.log_shared))
    lower, upper = self.log_bounds
    if lower + 1. < value < upper - 1.:
      return None
    is_upper = value > lower + 1.
    bound = self._unit() * math.exp(upper if is_upper else lower)
    reached = self._unit() * float(
        tf.exp(soft_bound(tf.constant(value, tf.float64), lower, upper)))
    return (f'{self.second_name} of {type(self).__name__} is {reached:.3g}, '
            f'within 1 nat of its {"upper" if is_upper else "lower"} bound '
            f'{bound:.3g}. {self.bound_remedies[is_upper]}')

  def _unit(self) -> float:
    """Returns the factor of exp b(w)."""
    return 1.0

  def _check_variables(self, created_variables, accessed_variables):
    """Disables a warning: Keras mistakes the copies of w for untracked ones."""

  @staticmethod
  def params_per_dim(**settings) -> int:
    """Returns 2 where s is 'per_pixel', else 1."""
    return 2 if any(isinstance(value, str) and value == 'per_pixel'
                    for value in settings.values()) else 1

  @classmethod
  def second_parameter(cls, log_second: tf.Tensor | None,
                       second: float | tf.Tensor | str,
                       dtype: tf.DType) -> tf.Tensor:
    """Returns s, from the decoder's output if there is one, or as given.

    Raises:
      ValueError: If it is 'shared', whose value only a layer has.
    """
    if log_second is not None:
      return tf.exp(soft_bound(log_second, *cls.log_bounds))
    if isinstance(second, str):
      raise ValueError(
          f"'shared' is a weight of the layer {cls.__name__}: call the layer, "
          f'or give new the value of {cls.second_name}. Received: '
          f'{cls.second_name}={second!r}')
    return tf.convert_to_tensor(second, dtype)
