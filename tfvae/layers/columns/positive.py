"""Positive columns: log-normal distributions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.columns.block import BLOCKS
from tfvae.layers.columns.block import LocationScale
from tfvae.tables.column import Column

tfd = tfp.distributions


@BLOCKS.register('positive')
class Positive(LocationScale):
  """p(x|z) = N(log x; μ, σ²) / x for x > 0, in the unit of the column."""

  def __init__(self, columns: Sequence[Column]):
    """Initializes the block; see `Block`."""
    super().__init__(columns)
    self.fill = np.exp(self.loc)

  @staticmethod
  def transformed(codes: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns log x, finite also where learned inputs leave x > 0."""
    return ops.log(ops.maximum(codes, 1e-30))

  def distribution(self, params: tf.Tensor) -> tfd.LogNormal:
    """Returns the log-normals; see `Block`."""
    return tfd.LogNormal(self.location(params), tf.exp(self.log_scale(params)))

  def mean(self, params: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns exp(μ + σ² / 2); see `Block`."""
    variance = ops.exp(2.0 * self.log_scale(params, ops))
    return ops.exp(self.location(params) + 0.5 * variance)
