"""Categories without an order: categorical distributions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.columns.block import Block
from tfvae.layers.columns.block import BLOCKS
from tfvae.tables.column import Column

tfd = tfp.distributions

_IMPOSSIBLE = -1e9  # Logit of a code that a column does not have.


@BLOCKS.register('categorical')
class Categorical(Block):
  """p(x|z) = softmax(l)_x, l a logit for each code.

  Columns have different numbers of codes. Their logits follow each other, and
  are spread to the largest number for one distribution of all columns.
  """

  is_unordered = True

  def __init__(self, columns: Sequence[Column]):
    """Initializes the block; see `Block`."""
    super().__init__(columns)
    self._sizes = [column.num_codes for column in columns]
    starts = np.cumsum([0, *self._sizes])
    code = np.arange(max(self._sizes))
    self._exists = code < np.array(self._sizes)[:, np.newaxis]
    # Position of each logit of `[n, most]`, of the first where there is none.
    self._position = np.where(
        self._exists, starts[:-1, np.newaxis] + code, 0).astype(np.int32)

  @property
  def num_params(self) -> int:
    """One logit for each code of each column."""
    return sum(self._sizes)

  def features(self, codes: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns the one-hot codes; see `Block`."""
    codes = ops.cast(codes, 'int32')
    return ops.concatenate([ops.one_hot(codes[:, i], size)
                            for i, size in enumerate(self._sizes)], axis=-1)

  @property
  def feature_columns(self) -> np.ndarray:
    """Position of the column of each feature; see `Block`."""
    return np.repeat(super().feature_columns, self._sizes)

  def distribution(self, params: tf.Tensor) -> tfd.Categorical:
    """Returns the categorical distributions; see `Block`."""
    return tfd.Categorical(logits=self._logits(params, TENSORFLOW))

  def probabilities(self, params: tf.Tensor) -> tf.Tensor:
    """Returns the probabilities of the codes; see `Block`."""
    return tf.nn.softmax(self._logits(params, TENSORFLOW))

  def mean(self, params: Any, ops: Any = TENSORFLOW) -> Any:
    """Returns the most probable code; see `Block`."""
    return ops.cast(ops.argmax(self._logits(params, ops), axis=-1), 'float32')

  def _logits(self, params: Any, ops: Any) -> Any:
    """Returns the logits of each column, `[..., n, most]`."""
    return ops.where(self._exists, ops.take(params, self._position, axis=-1),
                     np.float32(_IMPOSSIBLE))
