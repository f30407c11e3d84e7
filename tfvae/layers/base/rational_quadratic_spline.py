"""Monotonic rational-quadratic splines on an interval."""

from typing import Any

from tfvae.layers.base.operations import TENSORFLOW

# Smallest bin as a fraction of the mean one. Far smaller bins make f so flat or
# so steep that float32 loses its inverse.
_MIN_BIN = 0.1
# Slopes at the knots lie between e⁻³ ≈ 1/20 and e³ ≈ 20.
_MAX_LOG_SLOPE = 3.0


def check_spline(num_bins: int, bound: float):
  """Raises unless a spline has at least 2 bins and a bound above 0."""
  if not isinstance(num_bins, int) or num_bins < 2:
    raise ValueError('`num_bins` must be an integer of at least 2. Received: '
                     f'num_bins={num_bins!r}')
  if not 0 < bound < float('inf'):
    raise ValueError('`bound` must be finite and above 0. Received: '
                     f'bound={bound}')


def num_parameters(num_bins: int) -> int:
  """Returns the number of parameters of a spline with K bins: 3K − 1."""
  return 3 * num_bins - 1


def rational_quadratic_spline(
    value: Any, params: Any, bound: float, inverse: bool = False,
    ops: Any = TENSORFLOW) -> tuple[Any, Any]:
  """Returns f(x), or x = f⁻¹(y), and log f′(x) of a monotonic spline f.

  Between the knots (x_k, y_k), with w = x_{k+1} − x_k, h = y_{k+1} − y_k,
  s = h / w, the slopes d_k at the knots and ξ = (x − x_k) / w,

    f(x) = y_k + h (s ξ² + d_k ξ (1 − ξ)) / D,
    f′(x) = s² (d_{k+1} ξ² + 2 s ξ (1 − ξ) + d_k (1 − ξ)²) / D²,
    D = s + (d_{k+1} + d_k − 2 s) ξ (1 − ξ):

  Gregory and Delbourgo, Piecewise Rational Quadratic Interpolation to Monotonic
  Data, 1982; Durkan, Bekasov, Murray and Papamakarios, Neural Spline Flows,
  2019. The first and the last knot are (−B, −B) and (B, B), with slope 1, and
  outside of them f is the identity. With parameters of 0 it is so everywhere.

  Args:
    value: Float tensor x, or y for the inverse, `[...]`.
    params: Float tensor `[..., num_parameters(K)]` for at least 2 bins: logits
      of the K widths and of the K heights, and K − 1 values that `tanh` bounds
      to the log slopes.
    bound: B, above 0.
    inverse: Whether `value` is y.
    ops: Namespace of the operations, such as `keras.ops`.

  Returns:
    The other one of x and y, and log f′(x), `[...]` each.
  """
  num_bins = (params.shape[-1] + 1) // 3
  left, width, right_knots = _bins(params[..., :num_bins], bound, ops)
  bottom, height, top_knots = _bins(
      params[..., num_bins:2 * num_bins], bound, ops)
  slopes = ops.exp(_MAX_LOG_SLOPE * ops.tanh(
      params[..., 2 * num_bins:] / _MAX_LOG_SLOPE))
  one = ops.ones_like(slopes[..., :1])
  # A value outside has a value in its place that keeps gradients finite.
  inner = ops.clip(value, -bound, bound)
  is_bin = _one_hot(inner, top_knots if inverse else right_knots, ops)
  left, width, bottom, height, d_0, d_1 = (
      ops.sum(is_bin * part, axis=-1) for part in (
          left, width, bottom, height,
          ops.concatenate([one, slopes], axis=-1),
          ops.concatenate([slopes, one], axis=-1)))
  s = height / width
  if inverse:
    xi = _position(s, d_0, d_1, (inner - bottom) / height, ops)
    result = left + width * xi
  else:
    xi = (inner - left) / width
  rest = 1.0 - xi
  denominator = s + (d_0 + d_1 - 2.0 * s) * xi * rest
  if not inverse:
    result = bottom + height * xi * (s * xi + d_0 * rest) / denominator
  log_slope = (
      2.0 * ops.log(s / denominator)
      + ops.log(d_1 * xi * xi + 2.0 * s * xi * rest + d_0 * rest * rest))
  is_inside = ops.abs(value) < bound
  return (ops.where(is_inside, result, value),
          ops.where(is_inside, log_slope, ops.zeros_like(log_slope)))


def _bins(logits: Any, bound: float, ops: Any) -> tuple[Any, Any, Any]:
  """Returns where bins begin, their sizes, `[..., K]`, and the inner knots."""
  num_bins = logits.shape[-1]
  sizes = _MIN_BIN / num_bins + (1.0 - _MIN_BIN) * ops.softmax(logits, axis=-1)
  knots = bound * (2.0 * ops.cumsum(sizes[..., :-1], axis=-1) - 1.0)
  end = bound * ops.ones_like(knots[..., :1])
  begins = ops.concatenate([-end, knots], axis=-1)
  return begins, ops.concatenate([knots, end], axis=-1) - begins, knots


def _one_hot(value: Any, knots: Any, ops: Any) -> Any:
  """Returns 1 for the bin that has the value and 0 for others, `[..., K]`."""
  # For sums over all bins: LiteRT and Keras 3 have no search along an axis.
  above = ops.cast(value[..., None] >= knots, knots.dtype)
  one = ops.ones_like(above[..., :1])
  return (ops.concatenate([one, above], axis=-1)
          - ops.concatenate([above, 0.0 * one], axis=-1))


def _position(s: Any, d_0: Any, d_1: Any, eta: Any, ops: Any) -> Any:
  """Returns ξ of η = (y − y_k) / h, the root of a quadratic equation.

  With u = d_k (1 − η) − d_{k+1} η, it is

    ξ = 2 s η / (2 s η + u + √(u² + 4 s² η (1 − η))),

  the root 2c / (−b − √(b² − 4ac)) of the paper in a form in which neither the
  radicand nor the denominator can be negative.
  """
  rest = 1.0 - eta
  u = d_0 * rest - d_1 * eta
  twice = 2.0 * s * eta
  return twice / (twice + u + ops.sqrt(
      u * u + 4.0 * s * s * eta * rest))
