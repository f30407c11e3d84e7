"""Layer from the codes of a row to what a network sees of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.layers.base.operations import TENSORFLOW
from tfvae.layers.columns.layout import Layout
from tfvae.tables.column import Column


@tf_keras.saving.register_keras_serializable(package='tfvae')
class ColumnFeatures(tf_keras.layers.Layer):
  """Standardized numbers, one-hot categories and phases of dates.

  Call arguments:
    x: Codes `[b, d]`, as `tfvae.tables.Column` describes them.

  Returns, when called:
    A tensor `[b, f]`.
  """

  def __init__(self, columns: Sequence[Column | Mapping[str, Any]], **kwargs):
    """Initializes the layer.

    Args:
      columns: Columns of x in order, `tfvae.tables.Column`s or their arguments.
      **kwargs: Arguments of `tf_keras.layers.Layer`.
    """
    super().__init__(**{'dtype': 'float32'} | kwargs)
    self.columns = tuple(
        column if isinstance(column, Column) else Column(**column)
        for column in columns)
    self._layout = Layout(self.columns)

  def call(self, x: tf.Tensor) -> tf.Tensor:
    """Returns the features; see the class."""
    return self.features(x, TENSORFLOW)

  def features(self, x: Any, ops: Any) -> Any:
    """Returns the features by the operations of a namespace.

    Args:
      x: Codes `[b, d]`.
      ops: Namespace such as `keras.ops`, for models of Keras 3.
    """
    return ops.concatenate([
        block.features(ops.take(x, np.int32(indices), axis=-1), ops)
        for block, indices in zip(
            self._layout.blocks, self._layout.indices, strict=True)], axis=-1)

  def get_config(self) -> dict[str, Any]:
    """Returns the columns as plain data."""
    return super().get_config() | {
        'columns': [column.to_dict() for column in self.columns]}
