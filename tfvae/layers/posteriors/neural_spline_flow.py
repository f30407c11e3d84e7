"""Posterior layer of a neural spline flow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.base.posterior import Posterior
from tfvae.layers.base.posterior import POSTERIORS
from tfvae.layers.base.rational_quadratic_spline import check_spline
from tfvae.layers.base.spline_coupling import SplineCoupling
from tfvae.layers.posteriors import multivariate_normal_diag
from tfvae.layers.posteriors.flowed_normal import fixed_noise
from tfvae.layers.posteriors.flowed_normal import FlowedNormal
from tfvae.registry import Setting

tfb = tfp.bijectors


@POSTERIORS.register(
    'spline',
    num_layers=Setting(
        'posterior_spline_layers', 4, 'layers of the posterior spline',
        at_least=1),
    num_bins=Setting(
        'posterior_spline_bins', 8, 'bins of each spline of the posterior '
        'spline', at_least=2),
    hidden_units=Setting(
        'posterior_spline_units', (64, 64), 'widths of the hidden layers of '
        'the posterior spline', kind=tuple[int, ...], at_least=1))
@tf_keras.saving.register_keras_serializable(package='tfvae')
class NeuralSplineFlow(Posterior):
  """Emits q(z|x) of z = μ + σ ⊙ f_T(… f_1(ε)), ε ~ N(0, I).

    log q(z|x) = log N(ε; 0, I) − Σ_t log |det ∂f_t| − Σ_i log σ_i,

  each f_t a `SplineCoupling` whose splines transform one half of the dimensions
  given the other, in turn, and a context h: Durkan, Bekasov,
  Murray and Papamakarios, Neural Spline Flows, 2019. μ, σ and h are functions
  of x; the networks are the same for all x. Initially each f_t is the identity,
  and q is `MultivariateNormalDiag`. From two layers on, every dimension is
  transformed.

  A draw and the density of any z each take one pass. The KL divergence is the
  Monte Carlo estimate; mean and standard deviation are estimates too, see
  `FlowedNormal`.

  Call arguments:
    params: Float tensor `[..., params_size(event_size, **settings)]`: μ, log σ²
      and h.

  Returns, when called:
    A `tfd.TransformedDistribution`, batch shape `[...]`, event shape
    `[event_size]`.
  """

  def __init__(
      self,
      event_size: int | None = None,
      num_layers: int = 4,
      num_bins: int = 8,
      bound: float = 5.0,
      hidden_units: Sequence[int] = (64, 64),
      context_size: int = 16,
      activation: str = 'tanh',
      convert_to_tensor_fn: str | conversion.Conversion = 'sample',
      activity_regularizer: Any = None,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      event_size: Dimensions of z, at least 1; None for a template, which has no
        networks.
      num_layers: T, at least 1.
      num_bins: Bins of each spline, at least 2.
      bound: B, above 0: an ε_i outside of [−B, B] stays as it is. A standard
        normal is within ±5 except once in 1.7 million draws.
      hidden_units: Width of each hidden layer of the network of each f_t.
      context_size: Dimensions of h, at least 1.
      activation: Activation of the hidden layers, a name that Keras knows.
      convert_to_tensor_fn: Conversion to a tensor: 'sample' (reparameterized),
        'mean', …
      activity_regularizer: Typically a `KLDivergenceRegularizer`.
      **kwargs: Arguments of `tf_keras.layers.Layer`.

    Raises:
      ValueError: If a size is too small, or the bound is not above 0.
    """
    super().__init__(
        event_size, convert_to_tensor_fn, activity_regularizer, **kwargs)
    for name, size in (('num_layers', num_layers),
                       ('context_size', context_size),
                       *(('hidden_units', units) for units in hidden_units)):
      if not isinstance(size, int) or size < 1:
        raise ValueError(f'NeuralSplineFlow needs a {name} that is an integer '
                         f'of at least 1. Received: {name}={size!r}')
    check_spline(num_bins, bound)
    self.num_layers, self.num_bins, self.bound = num_layers, num_bins, bound
    self.hidden_units, self.activation = tuple(hidden_units), activation
    self.context_size = context_size
    self._networks = [] if event_size is None else [
        SplineCoupling(
            event_size, hidden_units, num_bins, bound, activation,
            reverse=event_size > 1 and index % 2 == 1,
            context_size=context_size, dtype=self.dtype,
            name=f'spline_{index}')
        for index in range(num_layers)]

  @property
  def settings(self) -> dict[str, Any]:
    """Arguments of `params_size` besides the size of an event."""
    return {'context_size': self.context_size}

  @property
  def networks(self) -> list[SplineCoupling]:
    """The layers f_1 … f_T."""
    return list(self._networks)

  def _new(self, params: tf.Tensor) -> FlowedNormal:
    expected = self.params_size(self.event_size, **self.settings)
    if params.shape[-1] != expected:
      raise ValueError(
          'NeuralSplineFlow takes params_size(event_size, **settings) = '
          f'{expected} parameters. Received: params.shape={params.shape}, '
          f'event_size={self.event_size}, settings={self.settings}')
    context = params[..., -self.context_size:]
    scaled = multivariate_normal_diag.MultivariateNormalDiag.new(
        params[..., :-self.context_size], self.event_size)
    loc, scale = scaled.mean(), scaled.stddev()
    return FlowedNormal(
        multivariate_normal_diag.NormalDiag(
            tf.zeros_like(loc), tf.ones_like(loc)),
        tfb.Chain([  # A chain applies its last bijector first.
            tfb.Shift(loc), tfb.Scale(scale),
            *(layer.bijector(context) for layer in self._networks[::-1])]))

  @staticmethod
  def params_size(event_size: int, context_size: int = 16) -> int:
    """Returns the number of parameters of one event: `2 * event_size` and h."""
    return 2 * event_size + context_size

  def keras3_moments(self, params: Any, keras: Any) -> dict[str, Any]:
    """Returns mean and σ of 128 fixed draws; see `FlowedNormal`."""
    ops = keras.ops
    params, context = ops.split(
        params, [params.shape[-1] - self.context_size], axis=-1)
    scaled = multivariate_normal_diag.moments(params, ops)
    loc, scale = (
        ops.expand_dims(scaled[name], 1) for name in ('loc', 'scale_diag'))
    noise = fixed_noise(self.event_size).astype(np.float32)
    z = ops.zeros_like(loc) + noise  # [b, 128, n]
    for layer in self._networks:
      z = layer.keras3_call(z, context, keras)
    z = loc + scale * z
    return {'loc': ops.mean(z, axis=1), 'scale_diag': ops.std(z, axis=1)}

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | self.settings | {
        'num_layers': self.num_layers, 'num_bins': self.num_bins,
        'bound': self.bound, 'hidden_units': list(self.hidden_units),
        'activation': self.activation}
