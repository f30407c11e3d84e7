"""Real columns: normal distributions."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.columns.block import BLOCKS
from tfvae.layers.columns.block import LocationScale

tfd = tfp.distributions


@BLOCKS.register('real')
class Real(LocationScale):
  """p(x|z) = N(x; μ, σ²), in the unit of the column."""

  def distribution(self, params: tf.Tensor) -> tfd.Normal:
    """Returns the normals; see `Block`."""
    return tfd.Normal(self.location(params), tf.exp(self.log_scale(params)))

  def mean(self, params: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns μ; see `Block`."""
    del ops
    return self.location(params)
