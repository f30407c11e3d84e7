"""Moments of q(z|x) for Keras 3, by its layers and `keras.ops` alone.

The formulas are those of `tfvae.layers`, which has the references.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops
import numpy as np

from tfvae import layers
from tfvae.layers.base.autoregressive_network import autoregressive_masks
from tfvae.layers.base.autoregressive_network import AutoregressiveNetwork
from tfvae.layers.base.autoregressive_network import MAX_LOG_SCALE
from tfvae.layers.posteriors.inverse_autoregressive_flow import fixed_noise
from tfvae.layers.posteriors.multivariate_normal_diag import MAX_LOG_VARIANCE
from tfvae.layers.posteriors.multivariate_normal_diag import MIN_LOG_VARIANCE
from tfvae.layers.posteriors.multivariate_normal_tril import triangle_order
from tfvae.serving.keras3.likelihoods import soft_bound
from tfvae.serving.keras3.likelihoods import Tensor

Moments = dict[str, Tensor]


def posterior_moments(head: layers.DistributionLayer, params: Tensor,
                      prior_params: Tensor | None = None) -> Moments:
  """Returns mean and standard deviations of q(z_j|Pa_q(z_j)).

  Args:
    head: the layer whose distribution it is.
    params: what the layer takes, `[b, params_size]`.
    prior_params: μ and log σ² of p(z_j|Pa_p(z_j)), where that is merged in.

  Returns:
    The moments by the names that `PosteriorMoments` has.

  Raises:
    ValueError: if the layer is none of the posteriors of `tfvae.layers`.
  """
  if type(head) not in _MOMENTS:
    raise ValueError(
        'Keras 3 has the moments of '
        f'{", ".join(kind.__name__ for kind in _MOMENTS)}; give the encoder '
        f'one of these posteriors. Received: posterior={head}')
  moments = _MOMENTS[type(head)](head, params)
  if prior_params is None:
    return moments
  prior = _normal_diag(head, prior_params)
  # σ⁻² = σ_1⁻² + σ_2⁻²,  μ = σ² (μ_1 σ_1⁻² + μ_2 σ_2⁻²)
  precision, prior_precision = (
      1. / ops.square(part['scale_diag']) for part in (moments, prior))
  variance = 1. / (precision + prior_precision)
  return {'loc': variance * (moments['loc'] * precision
                             + prior['loc'] * prior_precision),
          'scale_diag': ops.sqrt(variance)}


def _normal_diag(head: layers.DistributionLayer, params: Tensor) -> Moments:
  del head
  loc, log_variance = ops.split(params, 2, axis=-1)
  return {'loc': loc, 'scale_diag': _standard_deviation(log_variance)}


def _normal_tril(head: layers.DistributionLayer, params: Tensor) -> Moments:
  n = head.event_size
  loc, triangle = ops.split(params, [n], axis=-1)
  matrix = ops.reshape(ops.take(
      triangle, triangle_order(n).ravel().tolist(), axis=-1), [-1, n, n])
  diagonal = _standard_deviation(ops.diagonal(matrix, axis1=1, axis2=2))
  scale = ops.tril(matrix, -1) + (
      ops.expand_dims(diagonal, -1) * np.eye(n, dtype=np.float32))
  # Var z_i = (L Lᵀ)_ii = Σ_j L_ij²
  return {'loc': loc, 'scale_tril': scale,
          'scale_diag': ops.sqrt(ops.sum(ops.square(scale), axis=-1))}


def _flowed(head: layers.InverseAutoregressiveFlow, params: Tensor) -> Moments:
  """Returns the moments of 128 fixed draws; see `FlowedNormal`."""
  noise = fixed_noise(head.event_size).astype(np.float32)
  params, context = ops.split(
      params, [params.shape[-1] - head.context_size], axis=-1)
  if head.base == 'normal_diag':
    base = _normal_diag(head, params)
    deviation = ops.expand_dims(base['scale_diag'], 1) * noise
  else:
    base = _normal_tril(head, params)
    deviation = ops.einsum('bij,kj->bki', base['scale_tril'], noise)
  z = ops.expand_dims(base['loc'], 1) + deviation  # [b, 128, n]
  for network in head.networks:
    shift, log_scale = _autoregressive(network, z, context)
    z = (z - shift) * ops.exp(-log_scale)
  return {'loc': ops.mean(z, axis=1), 'scale_diag': ops.std(z, axis=1)}


def _autoregressive(network: AutoregressiveNetwork, z: Tensor,
                    context: Tensor) -> tuple[Tensor, Tensor]:
  """Returns t and s, the network's masks multiplied into its kernels."""
  *weights, context_kernel = network.get_weights()
  kernels = [kernel * mask for kernel, mask in zip(
      weights[::2], autoregressive_masks(
          network.event_size, network.hidden_units, 2, network.reverse, True),
      strict=True)]
  biases = weights[1::2]
  h = _dense(z, kernels[0], biases[0]) + ops.expand_dims(
      _dense(context, context_kernel), 1)
  for kernel, bias in zip(kernels[1:], biases[1:], strict=True):
    h = _dense(keras.layers.Activation(network.activation)(h), kernel, bias)
  shift, log_scale = ops.split(h, 2, axis=-1)
  return shift, MAX_LOG_SCALE * ops.tanh(log_scale / MAX_LOG_SCALE)


def _dense(inputs: Tensor, *weights: np.ndarray) -> Tensor:
  layer = keras.layers.Dense(
      weights[0].shape[1], use_bias=len(weights) == 2, dtype='float32')
  outputs = layer(inputs)
  layer.set_weights(weights)
  return outputs


def _standard_deviation(log_variance: Tensor) -> Tensor:
  # σ = exp(½ log σ²)
  return ops.exp(
      0.5 * soft_bound(log_variance, MIN_LOG_VARIANCE, MAX_LOG_VARIANCE))


_MOMENTS: dict[type[layers.DistributionLayer],
               Callable[[Any, Tensor], Moments]] = {
    layers.MultivariateNormalDiag: _normal_diag,
    layers.MultivariateNormalTriL: _normal_tril,
    layers.InverseAutoregressiveFlow: _flowed,
}
