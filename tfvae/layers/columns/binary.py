"""Columns of two values: Bernoulli distributions."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.columns.block import Block
from tfvae.layers.columns.block import BLOCKS

tfd = tfp.distributions


@BLOCKS.register('binary')
class Binary(Block):
  """p(x|z) = Bernoulli(x; l), l the logit of the second value."""

  @property
  def num_params(self) -> int:
    """One logit a column."""
    return len(self.columns)

  def distribution(self, params: tf.Tensor) -> tfd.Bernoulli:
    """Returns the Bernoulli distributions; see `Block`."""
    return tfd.Bernoulli(logits=params)

  def probabilities(self, params: tf.Tensor) -> tf.Tensor:
    """Returns the probabilities of both values; see `Block`."""
    return tf.stack([tf.sigmoid(-params), tf.sigmoid(params)], axis=-1)

  def mean(self, params: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns the more probable value; see `Block`."""
    return ops.cast(params > 0, 'float32')
