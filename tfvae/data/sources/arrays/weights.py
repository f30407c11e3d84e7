"""Sample weights of arrays and of tables."""

import numpy as np


def checked_weights(name: str, key: str, weights: np.ndarray) -> np.ndarray:
  """Returns sample weights, float32 `[n]`.

  Args:
    name: Name of the data set, for messages.
    key: Name of the array or column, for messages.
    weights: Numbers, `[n]` or `[n, 1]`.

  Raises:
    ValueError: If they are no numbers, or one is negative or not finite.
  """
  weights = np.asarray(weights)
  received = f'Received: {key!r} of {name!r}'
  if weights.ndim == 2 and weights.shape[1] == 1:
    weights = weights[:, 0]
  if weights.ndim != 1 or weights.dtype.kind not in 'buif':
    raise ValueError(
        'Sample weights must be a number for each example. Set `weight_key` to '
        f'other values, or leave it out. {received}, {weights.dtype} of shape '
        f'{weights.shape}')
  bad = ~(np.isfinite(weights) & (weights >= 0))
  if bad.any():
    raise ValueError(
        'Sample weights must be finite and at least 0; 0 leaves an example '
        f'out. {received} with {weights[bad][0]} in row {np.argmax(bad)}')
  return weights.astype(np.float32)
