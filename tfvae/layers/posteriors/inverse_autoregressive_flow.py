"""Posterior layer of an inverse autoregressive flow."""

from collections.abc import Sequence
import functools
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.base.autoregressive_network import AutoregressiveNetwork
from tfvae.layers.base.posterior import Posterior
from tfvae.layers.base.posterior import POSTERIORS
from tfvae.layers.posteriors.flowed_normal import fixed_noise
from tfvae.layers.posteriors.flowed_normal import FlowedNormal
from tfvae.layers.posteriors.multivariate_normal_diag import (
  MultivariateNormalDiag,
)
from tfvae.layers.posteriors.multivariate_normal_tril import (
  MultivariateNormalTriL,
)

tfb, tfd = tfp.bijectors, tfp.distributions

# Distributions that the flow transforms.
BASES: dict[str, type[Posterior]] = {
    'normal_diag': MultivariateNormalDiag,
    'normal_tril': MultivariateNormalTriL,
}


@POSTERIORS.register('iaf_tril', base='normal_tril')
@POSTERIORS.register('iaf', base='normal_diag')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class InverseAutoregressiveFlow(Posterior):
  """Emits q(z|x) of z = f_T(… f_1(z_0)), z_0 ~ N(μ, Σ).

    f_t(z)_i = (z_i − m_i) exp(−s_i),  (m_i, s_i) = NN_t(z_1 … z_{i−1}, h),
    log q(z|x) = log N(z_0; μ, Σ) + Σ_t Σ_i s_i,

  every second f_t in the reverse order of dimensions: Kingma et al., Improving
  Variational Inference with Inverse Autoregressive Flow, 2016. μ, Σ and the
  context h are functions of x; the networks are the same for all x. Initially
  each f_t is the identity. s is bounded smoothly to ±3.

  A draw together with its log q(z|x) takes one pass. The density of any other z
  takes as many passes as z has dimensions. The KL divergence is the Monte Carlo
  estimate; mean and standard deviation are estimates too, see `FlowedNormal`.

  Call arguments:
    params: Float tensor `[..., params_size(event_size, **settings)]`:
      parameters of the base, then h.

  Returns, when called:
    A `tfd.TransformedDistribution`, batch shape `[...]`, event shape
    `[event_size]`.
  """

  def __init__(
      self,
      event_size: int | None = None,
      base: str = 'normal_diag',
      num_flows: int = 2,
      hidden_units: Sequence[int] = (64,),
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
      base: 'normal_diag', a diagonal Σ, or 'normal_tril', a full one.
      num_flows: T, at least 1; from 2 on every dimension can depend on every
        other.
      hidden_units: Width of each hidden layer of each NN_t.
      context_size: Dimensions of h, at least 1.
      activation: Activation of the hidden layers, a name that Keras knows.
      convert_to_tensor_fn: Conversion to a tensor: 'sample' (reparameterized),
        'mean', …
      activity_regularizer: Typically a `KLDivergenceRegularizer`.
      **kwargs: Arguments of `tf_keras.layers.Layer`.

    Raises:
      ValueError: If a size is not a positive integer, or the base is unknown.
    """
    _check(num_flows=num_flows, context_size=context_size)
    for units in hidden_units:
      _check(hidden_units=units)
    if base not in BASES:
      raise ValueError(f'`base` must be one of {sorted(BASES)}. Received: '
                       f'base={base!r}')
    super().__init__(
        event_size, convert_to_tensor_fn, activity_regularizer, **kwargs)
    self.num_flows = num_flows
    self.hidden_units, self.activation = tuple(hidden_units), activation
    self.base, self.context_size = base, context_size
    self._networks = [] if event_size is None else [
        AutoregressiveNetwork(
            event_size, hidden_units, activation, reverse=index % 2 == 1,
            context_size=context_size, dtype=self.dtype, name=f'flow_{index}')
        for index in range(num_flows)]

  @property
  def settings(self) -> dict[str, Any]:
    """Arguments of `params_size` besides the size of an event."""
    return {'base': self.base, 'context_size': self.context_size}

  @property
  def networks(self) -> list[AutoregressiveNetwork]:
    """NN_1 … NN_T."""
    return list(self._networks)

  def _new(self, params: tf.Tensor) -> FlowedNormal:
    expected = self.params_size(self.event_size, **self.settings)
    if params.shape[-1] != expected:
      raise ValueError(
          'InverseAutoregressiveFlow takes params_size(event_size, **settings)'
          f' = {expected} parameters. Received: params.shape={params.shape}, '
          f'event_size={self.event_size}, settings={self.settings}')
    context = params[..., -self.context_size:]
    flows = [
        tfb.Invert(tfb.MaskedAutoregressiveFlow(
            functools.partial(network, context=context)))
        for network in self._networks]
    return FlowedNormal(
        BASES[self.base].new(
            params[..., :-self.context_size], self.event_size),
        tfb.Chain(flows[::-1]))  # A chain applies its last bijector first.

  @staticmethod
  def params_size(event_size: int, base: str = 'normal_diag',
                  context_size: int = 16) -> int:
    """Returns the number of parameters of one event, of the base and of h."""
    return BASES[base].params_size(event_size) + context_size

  def keras3_moments(self, params: Any, keras: Any) -> dict[str, Any]:
    """Returns mean and σ of 128 fixed draws; see `FlowedNormal`."""
    ops = keras.ops
    noise = fixed_noise(self.event_size).astype(np.float32)
    params, context = ops.split(
        params, [params.shape[-1] - self.context_size], axis=-1)
    base = BASES[self.base](self.event_size).keras3_moments(params, keras)
    deviation = (
        ops.einsum('bij,kj->bki', base['scale_tril'], noise)
        if 'scale_tril' in base
        else ops.expand_dims(base['scale_diag'], 1) * noise)
    z = ops.expand_dims(base['loc'], 1) + deviation  # [b, 128, n]
    for network in self._networks:
      shift, log_scale = network.keras3_call(z, context, keras)
      z = (z - shift) * ops.exp(-log_scale)
    return {'loc': ops.mean(z, axis=1), 'scale_diag': ops.std(z, axis=1)}

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | self.settings | {
        'num_flows': self.num_flows,
        'hidden_units': list(self.hidden_units), 'activation': self.activation}


def _check(**sizes: int):
  for name, size in sizes.items():
    if not isinstance(size, int) or size < 1:
      raise ValueError(f'InverseAutoregressiveFlow needs a {name} that is an '
                       f'integer of at least 1. Received: {name}={size!r}')
