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
  def fitted(cls, column: Column, loc: float, scale: float,
             counts: np.ndarray) -> Column:
    """Returns the description with the frequencies of the codes."""
    # One more of each: a code that is missing keeps its place.
    shares = (counts + 1) / (counts.sum() + len(counts))
    return dataclasses.replace(
        super().fitted(column, loc, scale, counts),
        frequencies=tuple(shares.tolist()))

  @property
  def num_params(self) -> int:
    """The parameters m and s."""
    return 2

  def distribution(self, params: tf.Tensor) -> tfd.Categorical:
    """Returns the ordered logistic distributions; see `Block`.

    That of TFP takes a difference of probabilities that may both be 0 or 1 in
    float32, so that its logarithm or gradient is not finite.
    """
    return tfd.Categorical(
        logits=self._log_probs(params, TENSORFLOW)[..., tf.newaxis, :])

  def probabilities(self, params: tf.Tensor) -> tf.Tensor:
    """Returns the probabilities of the codes; see `Block`."""
    return tf.exp(self._log_probs(params, TENSORFLOW))[..., tf.newaxis, :]

  def mean(self, params: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns the most probable code; see `Block`."""
    code = ops.argmax(self._log_probs(params, ops), axis=-1)
    return ops.cast(code, 'float32')[..., None]

  def _log_probs(self, params: Any, ops: Any) -> Any:
    """Returns log P(x = k|z), `[..., K]`.

    With u_k = (c_k − m) / exp b(s), sigmoid(u_k) − sigmoid(u_{k−1}) =
    sigmoid(u_k) sigmoid(−u_{k−1}) (1 − exp(u_{k−1} − u_k)).
    """
    u = self._scaled(params, ops)
    below, above = u[..., :-1], u[..., 1:]
    inner = ops.log_sigmoid(above) + ops.log_sigmoid(-below) + ops.log(
        -ops.expm1(below - above))
    return ops.concatenate([
        ops.log_sigmoid(u[..., :1]), inner, ops.log_sigmoid(-u[..., -1:])],
                           axis=-1)

  def _scaled(self, params: Any, ops: Any) -> Any:
    """Returns (c_k − m) / exp b(s), `[..., K − 1]`."""
    scale = ops.exp(soft_bound(params[..., 1:], *LOG_SCALE_BOUNDS, ops))
    # The tensor first: NumPy would take the symbolic one for an array.
    return (-params[..., :1] + self._cutpoints) / scale
