"""Likelihood layer of real data."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.likelihoods.likelihood import LIKELIHOODS
from tfvae.layers.likelihoods.likelihood import Shape
from tfvae.layers.likelihoods.two_parameter_likelihood import (
  TwoParameterLikelihood,
)
from tfvae.registry import Setting

tfd = tfp.distributions

# Factor between the standard deviation of the data and 1, and distance of their
# mean from 0 in standard deviations, beyond which `adapt` helps.
_FAR = 10.0

# Values accumulated at a time: 32 MiB of float64.
_CHUNK_VALUES = 2**22


@LIKELIHOODS.register('normal_per_pixel', scale='per_pixel')
@LIKELIHOODS.register('normal', scale=Setting(
    'likelihood_scale', None, 'fixed σ of normal, in units of pixels from 0 to '
    '1; by default it is learned', kind=float, above=0))
@tf_keras.saving.register_keras_serializable(package='tfvae')
class IndependentNormal(TwoParameterLikelihood):
  """Emits p(x|z) = Π_d N(x_d; μ_d, σ²) from μ and, per pixel, log σ.

  log p(x|z) = −Σ_d (x_d − μ_d)² / 2σ² + log σ + ½ log 2π, in nats. As a density
  it depends on the unit of x, and has no bits per dimension.

  `scale` is σ: a number, for a mean squared error weighted by 1 / 2σ²;
  'shared', one learned σ, which learns that weight (the σ-VAE); or 'per_pixel',
  for data without pixels that can be predicted exactly.

  μ and a learned σ are computed from numbers of order 1, m and s, by the
  location and the scale of the data,

    μ = data_loc + data_scale m,  log σ = log data_scale + b(s),

  b the soft bound to `log_bounds`, whose lower bound is that of the reference.
  With the defaults σ is between 0.0025 and 148; for data in another unit,
  `adapt` sets `data_loc` and `data_scale`. A fixed `scale` is in the unit of x.

  Reference: O. Rybkin, K. Daniilidis and S. Levine, Simple and Effective VAE
  Training with Calibrated Decoders, ICML 2021.

  Call arguments:
    params: Float tensor, `[..., *params_shape(event_shape, scale=scale)]` or
      flat: m; with 'per_pixel' the m of all channels, then their s.

  Returns, when called:
    A `tfd.Independent` of normals, event shape `event_shape`.
  """

  support = 'real'
  is_discrete = False
  parameters = 'locs and, per pixel, log scales'
  second_name = 'scale'
  log_bounds = (-6.0, 5.0)
  bound_remedies = (
      'x varies by far less than 1, or is predicted nearly exactly: call '
      'adapt(x) before training, add noise to x, or set `scale` to a number.',
      'Call adapt(x) before training, so that the bounds are in the unit of x.')

  def __init__(
      self,
      event_shape: Shape | None = None,
      scale: float | str = 'shared',
      convert_to_tensor_fn: str | conversion.Conversion = 'mean',
      activity_regularizer: Any = None,
      data_loc: ArrayLike = 0.0,
      data_scale: ArrayLike = 1.0,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      event_shape: Shape of one x, for example `(28, 28, 1)`; None for a
        template.
      scale: σ in the unit of x, 'shared' or 'per_pixel'.
      convert_to_tensor_fn: Conversion to a tensor: 'mean' (μ), 'sample'
        (reparameterized), …
      activity_regularizer: Function of the distribution.
      data_loc: Value of μ where the decoder emits 0, in the unit of x: a
        number, or an array of the event shape for elements in different units.
      data_scale: Change of μ per unit of the decoder's output, in the unit of
        x: a number or an array.
      **kwargs: Arguments of `tf_keras.layers.Layer`.

    Raises:
      ValueError: If a dimension of `event_shape` is not a positive integer,
        `scale` is none of the above, or `data_loc` or `data_scale` is not
        finite, or `data_scale` not positive.
    """
    super().__init__(
        event_shape, scale, convert_to_tensor_fn, activity_regularizer,
        **kwargs)
    self._set_unit(data_loc, data_scale)

  @classmethod
  def element_distribution(
      cls,
      loc: tf.Tensor,
      log_scale: tf.Tensor | None = None,
      scale: float | tf.Tensor | str = 'shared',
      data_loc: ArrayLike = 0.0,
      data_scale: ArrayLike = 1.0,
  ) -> tfd.Normal:
    """Returns N(data_loc + data_scale loc, σ²); `scale` is in the unit of x."""
    sigma = cls.second_parameter(log_scale, scale, loc.dtype)
    if np.all(data_loc == 0.0) and np.all(data_scale == 1.0):
      return tfd.Normal(loc, sigma)
    if log_scale is not None:
      sigma = data_scale * sigma
    return tfd.Normal(data_loc + data_scale * loc, sigma)

  def keras3_mean(self, *parameters: Any, ops: Any) -> Any:
    """Returns μ; see the base class."""
    del ops
    # The tensor first: NumPy would take the symbolic one for an array.
    loc, scale = (
        np.float32(part) if isinstance(part, np.ndarray) else part
        for part in (self.data_loc, self.data_scale))
    return parameters[0] * scale + loc

  def adapt(self, x: Any) -> None:
    """Sets `data_loc` and `data_scale` to mean and standard deviation of x.

    As with Keras's preprocessing layers, call it before training, and before
    `fit`, `predict` or a `tf.function` traces the model: the two belong to the
    configuration of the layer, not to its weights, and a traced graph keeps the
    values with which it was traced.

    Args:
      x: Training data, an array or tensor of any shape. All elements have the
        same weight.

    Raises:
      ValueError: If x is empty, constant, or not finite everywhere.
    """
    loc, scale = self._moments(x)
    if not 0 < scale < math.inf:
      raise ValueError(
          'adapt needs data with a positive standard deviation, since the '
          'density of constant data has no maximum; leave such data out, or '
          f'set `data_loc` and `data_scale`. Received: x of mean {loc} and '
          f'standard deviation {scale}')
    self._set_unit(loc, scale)

  def needs_adapting(self, x: Any) -> bool:
    """Returns whether to call `adapt` before training on x.

    True if `data_loc` and `data_scale` have their defaults and x has a
    standard deviation below 0.1 or above 10, or a mean more than 10 standard
    deviations from 0; μ then takes many steps to converge, and the optimum of σ
    may lie outside its bounds. False for constant x.

    Args:
      x: Training data or a batch of them, of any shape.

    Raises:
      ValueError: If x is empty or not finite everywhere.
    """
    if np.any(self.data_loc != 0.0) or np.any(self.data_scale != 1.0):
      return False
    loc, scale = self._moments(x)
    return scale > 0 and (
        not 1 / _FAR <= scale <= _FAR or abs(loc) > _FAR * scale)

  def in_units(self, loc: ArrayLike, scale: ArrayLike) -> 'IndependentNormal':
    """Returns a copy with this `data_loc` and `data_scale`."""
    return type(self).from_config(self.get_config() | {
        'data_loc': np.asarray(loc).tolist(),
        'data_scale': np.asarray(scale).tolist()})

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | {
        'data_loc': _plain(self.data_loc),
        'data_scale': _plain(self.data_scale)}

  def _new_settings(self) -> dict[str, Any]:
    settings = super()._new_settings()
    if self.log_shared is not None:
      settings[self.second_name] *= self.data_scale
    return settings | {
        'data_loc': self.data_loc, 'data_scale': self.data_scale}

  def _fill(self) -> ArrayLike:
    return self.data_loc

  def _unit(self) -> float:
    return float(np.exp(np.mean(np.log(self.data_scale))))

  def _set_unit(self, loc: ArrayLike, scale: ArrayLike) -> None:
    """Sets `data_loc` and `data_scale`, numbers or arrays."""
    unit = np.asarray(loc, np.float64), np.asarray(scale, np.float64)
    shapes = ((), self.event_shape) if self.event_shape is not None else None
    if shapes is not None and any(part.shape not in shapes for part in unit):
      raise ValueError(
          'data_loc and data_scale must be numbers or have the event shape '
          f'{self.event_shape}. Received: shapes {unit[0].shape} and '
          f'{unit[1].shape}')
    if not all(np.isfinite(part).all() for part in unit) or (
        unit[1] <= 0).any():
      raise ValueError(
          'IndependentNormal needs a finite data_loc and a positive, finite '
          f'data_scale. Received: data_loc={loc}, data_scale={scale}')
    self.data_loc, self.data_scale = (
        part if part.shape else float(part) for part in unit)

  def _moments(self, x: Any) -> tuple[float, float]:
    """Returns mean and standard deviation of all elements, in float64."""
    x = np.asarray(x).reshape(-1)
    if self.allow_missing:
      x = x[~np.isnan(x)]
    if not x.size:
      raise ValueError(f'{type(self).__name__} needs at least one value to '
                       f'adapt to. Received: x of shape {x.shape}')
    self.check_data(x)
    if np.all(x == x[0]):  # Rounding of the mean would give a σ above 0.
      return float(x[0]), 0.0
    chunks = [x[start:start + _CHUNK_VALUES]
              for start in range(0, x.size, _CHUNK_VALUES)]
    mean = sum(np.sum(chunk, dtype=np.float64) for chunk in chunks) / x.size
    squares = sum(np.sum(np.square(chunk - mean, dtype=np.float64))
                  for chunk in chunks)
    return float(mean), math.sqrt(squares / x.size)


def _plain(value: Any) -> Any:
  """Returns a number, or nested lists of an array, for a configuration."""
  return value.tolist() if isinstance(value, np.ndarray) else value
