"""Categories in order: ordered logistic distributions."""

from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.base.soft_bound import soft_bound
from tfvae.layers.columns.block import Block
from tfvae.layers.columns.block import BLOCKS
from tfvae.layers.columns.block import LOG_SCALE_BOUNDS
from tfvae.tables.column import Column

tfd = tfp.distributions


@BLOCKS.register('ordinal')
class Ordinal(Block):
  """P(x ≤ k|z) = sigmoid((c_k − m) / exp b(s)), with cutpoints c_k.

  The cutpoints are the logits of the cumulative frequencies of the training
  data, so that m = s = 0 gives these frequencies. P. McCullagh, Regression
  Models for Ordinal Data, 1980.
  """

  has_one_column = True

  def __init__(self, columns: Sequence[Column]):
    """Initializes the block; see `Block`."""
    super().__init__(columns)
    column, = columns
    shares = np.float64(column.frequencies) if column.frequencies else (
        np.full(column.num_codes, 1 / column.num_codes))
    below = np.cumsum(shares)[:-1]
    self._cutpoints = np.float32(np.log(below) - np.log1p(-below))

  @classmethod
  def fitted(cls, column: Column, codes: np.ndarray) -> Column:
    """Returns the description with the frequencies of the codes."""
    counts = np.bincount(codes.astype(int), minlength=column.num_codes)
    # One more of each: a code that is missing keeps its place.
    shares = (counts + 1) / (counts.sum() + len(counts))
    return dataclasses.replace(
        super().fitted(column, codes), frequencies=tuple(shares.tolist()))

  @property
  def num_params(self) -> int:
    """The parameters m and s."""
    return 2

  def distribution(self, params: tf.Tensor) -> tfd.OrderedLogistic:
    """Returns the ordered logistic distributions; see `Block`."""
    cutpoints = self._scaled(params, TENSORFLOW)[..., tf.newaxis, :]
    return tfd.OrderedLogistic(cutpoints, tf.zeros_like(cutpoints[..., 0]))

  def mean(self, params: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns the most probable code; see `Block`."""
    below = ops.sigmoid(self._scaled(params, ops))
    zero = ops.zeros_like(below[..., :1])
    upper = ops.concatenate([below, zero + 1.0], axis=-1)
    lower = ops.concatenate([zero, below], axis=-1)
    code = ops.argmax(upper - lower, axis=-1)
    return ops.cast(code, 'float32')[..., None]

  def _scaled(self, params: Any, ops: Any) -> Any:
    """Returns (c_k − m) / exp b(s), `[..., K − 1]`."""
    scale = ops.exp(soft_bound(params[..., 1:], *LOG_SCALE_BOUNDS, ops))
    # The tensor first: NumPy would take the symbolic one for an array.
    return (-params[..., :1] + self._cutpoints) / scale
