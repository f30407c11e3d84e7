"""Layer from the codes of a row to what a network sees of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.layers.base.missing_inputs import with_mask_inputs
from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.columns.block import Block
from tfvae.layers.columns.layout import Layout
from tfvae.tables.column import Column


@tf_keras.saving.register_keras_serializable(package='tfvae')
class ColumnFeatures(tf_keras.layers.Layer):
  """Standardized numbers, one-hot categories and phases of dates.

  With mask inputs, as `MissingInputs` has them, a NaN is a missing code, whose
  features are 0.

  Call arguments:
    x: Codes `[b, d]`, as `tfvae.tables.Column` describes them.

  Returns, when called:
    A tensor `[b, f]`.
  """

  def __init__(self, columns: Sequence[Column | Mapping[str, Any]],
               mask_inputs: Sequence[bool] | None = None, **kwargs):
    """Initializes the layer.

    Args:
      columns: Columns of x in order, `tfvae.tables.Column`s or their arguments.
      mask_inputs: Booleans `[d]`, true for the columns that have a mask input;
        None if no code may be missing.
      **kwargs: Arguments of `tf_keras.layers.Layer`.
    """
    super().__init__(**{'dtype': 'float32'} | kwargs)
    self.columns = tuple(
        column if isinstance(column, Column) else Column(**column)
        for column in columns)
    self._layout = Layout(self.columns)
    self.mask_inputs = None if mask_inputs is None else np.asarray(
        mask_inputs, bool).tolist()

  def call(self, x: tf.Tensor) -> tf.Tensor:
    """Returns the features; see the class."""
    return self.features(x, TENSORFLOW)

  def features(self, x: Any, ops: Any) -> Any:
    """Returns the features by the operations of a namespace.

    Args:
      x: Codes `[b, d]`.
      ops: Namespace such as `keras.ops`, for models of Keras 3.
    """
    features = ops.concatenate([
        self._of_block(block, ops.take(x, np.int32(indices), axis=-1), ops)
        for block, indices in zip(
            self._layout.blocks, self._layout.indices, strict=True)], axis=-1)
    return features if self.mask_inputs is None else with_mask_inputs(
        features, ops.isnan(x), self.mask_inputs, ops)

  def _of_block(self, block: Block, codes: Any, ops: Any) -> Any:
    """Returns the features of the columns of a block, 0 of missing codes."""
    if self.mask_inputs is None:
      return block.features(codes, ops)
    is_missing = ops.isnan(codes)
    return ops.where(
        ops.take(is_missing, np.int32(block.feature_columns), axis=-1), 0.0,
        block.features(ops.where(is_missing, block.fill, codes), ops))

  def get_config(self) -> dict[str, Any]:
    """Returns the columns as plain data."""
    return super().get_config() | {
        'columns': [column.to_dict() for column in self.columns],
        'mask_inputs': self.mask_inputs}
