"""Smooth bounds of parameters, in the operations of TensorFlow or of Keras 3.

Two functions with one purpose, which differ in their rounding. `soft_bound` is
the identity to the last bit inside the bounds. `bound_log_variance` computes
c − (c − v) there, which rounds to the spacing of floating-point numbers at c.
The results of trained models depend on those bits, so neither replaces the
other.
"""

from typing import Any

from tfvae.layers.base.operations import TENSORFLOW

# σ between 4.5e-5 and 148: wider than any posterior of standardized latents,
# and far from where exp(log σ²) or its inverse leaves float32.
MIN_LOG_VARIANCE = -20.0
MAX_LOG_VARIANCE = 10.0


def soft_bound(value: Any, lower: float, upper: float,
               ops: Any = TENSORFLOW) -> Any:
  """Bounds a parameter smoothly to (lower, upper).

  The identity, to the last bit, up to 1 from a bound; from there on the bound
  is approached exponentially: b(v) = min(v, c) + 1 − exp(−max(v − c, 0)) with
  c = upper − 1, and the same way below. The gradient is continuous, and
  positive until it underflows.

  Args:
    value: Float tensor v of any shape.
    lower: Lower bound, more than 2 below `upper`.
    upper: Upper bound.
    ops: Namespace of the operations, such as `keras.ops`; those of TensorFlow
      by default.

  Returns:
    A tensor of the same shape and dtype.
  """
  # Where both arguments are equal, `minimum` gives the gradient to the first
  # and `relu` has none, so that it is counted once.
  low, high = lower + 1., upper - 1.
  value = ops.minimum(value, high) - ops.expm1(-ops.relu(value - high))
  return ops.maximum(value, low) + ops.expm1(-ops.relu(low - value))


def bound_log_variance(log_variance: Any, ops: Any = TENSORFLOW) -> Any:
  """Bounds log σ² smoothly to (`MIN_LOG_VARIANCE`, `MAX_LOG_VARIANCE`).

  The identity, up to rounding, to within one nat of a bound; from there on the
  bound is approached exponentially, so the gradient is continuous, positive
  until it underflows, and never NaN:

    b(v) = c − ELU(c − v), c = MAX_LOG_VARIANCE − 1, and the same way below.

  Args:
    log_variance: Float tensor v of any shape.
    ops: Namespace of the operations, as for `soft_bound`.

  Returns:
    A tensor of the same shape and dtype.
  """
  upper, lower = MAX_LOG_VARIANCE - 1., MIN_LOG_VARIANCE + 1.
  log_variance = upper - ops.elu(upper - log_variance)
  return lower + ops.elu(log_variance - lower)
