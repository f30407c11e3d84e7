"""The structure of a batch, as `fit` and `evaluate` take it."""

from typing import Any


def batch_of(x: Any, y: Any = None, weights: Any = None) -> Any:
  """Returns a batch of the variables that are given.

  Args:
    x: Examples.
    y: One-hot labels, or None.
    weights: Sample weights, or None.

  Returns:
    x, or a dictionary of 'x' and 'y'; with weights, a tuple of one of them, x
    and the weights.
  """
  inputs = x if y is None else {'x': x, 'y': y}
  return inputs if weights is None else (inputs, x, weights)
