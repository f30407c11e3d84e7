"""Means of p(x|z) for Keras 3, by `keras.ops` alone.

The formulas are those of `tfvae.layers`, which has the references. A file of a
model that is made of them loads where only Keras is installed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from tfvae import layers
from tfvae.layers.likelihoods.discretized_logistic import MAX_LOG_SCALE
from tfvae.layers.likelihoods.discretized_logistic import MIN_LOG_SCALE
from tfvae.layers.likelihoods.independent_continuous_bernoulli import MAX_LOGIT
from tfvae.layers.likelihoods.independent_poisson import MAX_LOG_RATE

# A Keras 3 tensor, symbolic here.
Tensor = Any


def likelihood_mean(head: layers.Likelihood, params: Tensor) -> Tensor:
  """Returns the mean of p(x|z), `[b, *event_shape]`.

  Args:
    head: the layer whose distribution it is.
    params: what the layer takes, `[b, *params_shape]` or flat.

  Raises:
    ValueError: if the layer is none of the likelihoods of `tfvae.layers`.
  """
  if type(head) not in _MEANS:
    raise ValueError(
        'Keras 3 has the means of '
        f'{", ".join(kind.__name__ for kind in _MEANS)}; give the decoder one '
        f'of these likelihoods. Received: likelihood={head}')
  shape = head.params_shape(head.event_shape, **head.settings)
  if shape and params.shape[-len(shape):] != shape:
    params = keras.layers.Reshape(shape)(params)
  count = head.params_per_dim(**head.settings)
  parts = ops.split(params, count, axis=-1) if count > 1 else [params]
  return _MEANS[type(head)](head, parts)


def soft_bound(value: Tensor, lower: float, upper: float) -> Tensor:
  """Bounds a parameter as `soft_bound` of `tfvae.layers` does."""
  low, high = lower + 1., upper - 1.
  value = ops.minimum(value, high) - ops.expm1(ops.minimum(high - value, 0.))
  return ops.maximum(value, low) + ops.expm1(ops.minimum(value - low, 0.))


def _exp_of_first(head: layers.Likelihood, parts: Sequence[Tensor]) -> Tensor:
  del head
  return ops.exp(soft_bound(parts[0], -MAX_LOG_RATE, MAX_LOG_RATE))


def _continuous_bernoulli(head: layers.Likelihood,
                          parts: Sequence[Tensor]) -> Tensor:
  del head
  logits = soft_bound(parts[0], -MAX_LOGIT, MAX_LOGIT)
  # 1 / (1 − exp(−l)) − 1 / l of |l|, whose exponential cannot overflow, but
  # where the two nearly cancel the series ½ + l/12 − l³/720 + l⁵/30240, of
  # which the next term is below 1e-8.
  size = ops.abs(logits)
  is_small = size < 0.5
  square = ops.square(logits)
  series = 0.5 + logits * (
      1 / 12 + square * (-1 / 720 + square * (1 / 30240)))
  size = ops.where(is_small, 1., size)
  low = 1. / size + ops.exp(-size) / ops.expm1(-size)
  return ops.where(
      is_small, series, ops.where(logits > 0., 1. - low, low))


def _discretized_logistic(head: layers.Likelihood,
                          parts: Sequence[Tensor]) -> Tensor:
  del head
  count = max(1, len(parts) // 3)  # One component has no logits.
  *logits, locs, log_scales = (
      ops.stack(parts[start:start + count], axis=-1)
      for start in range(0, len(parts), count))
  # In grey levels, as in `EightBitLogistic`:
  #   E[clip(Y, 0, 255)] = s (softplus(μ / s) − softplus((μ − 255) / s)).
  loc = 127.5 * (locs + 1.)
  scale = 127.5 * ops.exp(soft_bound(log_scales, MIN_LOG_SCALE, MAX_LOG_SCALE))

  def rest(distance):
    return scale * ops.log1p(ops.exp(-ops.abs(distance) / scale))

  mean = (ops.clip(loc, 0., 255.) + rest(loc) - rest(loc - 255.)) / 255.
  if logits:
    mean = mean * ops.softmax(logits[0], axis=-1)  # Σ_i π_i E_i[x]
  return ops.sum(mean, axis=-1)


# From the layer and the parameters, each a tensor of the shape of x, to the
# mean.
_MEANS: dict[type[layers.Likelihood],
             Callable[[Any, Sequence[Tensor]], Tensor]] = {
    layers.IndependentBernoulli: lambda head, parts: ops.sigmoid(parts[0]),
    layers.IndependentContinuousBernoulli: _continuous_bernoulli,
    layers.IndependentNormal: lambda head, parts: (
        head.data_loc + head.data_scale * parts[0]),
    layers.DiscretizedLogistic: _discretized_logistic,
    layers.IndependentPoisson: _exp_of_first,
    layers.IndependentNegativeBinomial: _exp_of_first,
}
