"""Layer from x with missing elements to what a network sees of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.layers.base.operations import TENSORFLOW


@tf_keras.saving.register_keras_serializable(package='tfvae')
class MissingInputs(tf_keras.layers.Layer):
  """Zeros where x is missing, followed by mask inputs: 1 where it is missing.

    y = (x_d if observed else 0, 1[x_e is missing])

  over the last axis, for all d, and for those e that have a mask input. A NaN
  is a missing element. Without missing elements all mask inputs are 0, and a
  network computes what it computes of x alone.

  Reference: C. Ma, S. Tschiatschek, K. Palla, J. M. Hernández-Lobato, S.
  Nowozin and C. Zhang, EDDI: Efficient Dynamic Discovery of High-Value
  Information with Partial VAE, 2019, whose baseline has these inputs.

  Call arguments:
    x: Float tensor `[b, *event_shape]`, NaN where a value is missing.

  Returns, when called:
    A tensor `[b, *event_shape[:-1], c + m]`, c = event_shape[-1], with m mask
    inputs; m is c unless x is a vector.
  """

  def __init__(self, mask_inputs: Sequence[Any] | None = None, **kwargs):
    """Initializes the layer.

    Args:
      mask_inputs: Booleans of the event shape, true for the elements that have
        a mask input; by default all. Unless x is a vector, all elements have
        one if any has.
      **kwargs: Arguments of `tf_keras.layers.Layer`.
    """
    super().__init__(**{'dtype': 'float32'} | kwargs)
    self.mask_inputs = None if mask_inputs is None else np.asarray(
        mask_inputs, bool).tolist()

  def call(self, x: tf.Tensor) -> tf.Tensor:
    """Returns the inputs of a network; see the class."""
    return self.features(x, TENSORFLOW)

  def features(self, x: Any, ops: Any) -> Any:
    """Returns the inputs of a network by the operations of a namespace.

    Args:
      x: Data `[b, *event_shape]`.
      ops: Namespace such as `keras.ops`, for models of Keras 3.
    """
    is_missing = ops.isnan(x)
    return with_mask_inputs(
        ops.where(is_missing, 0.0, x), is_missing, self.mask_inputs, ops)

  def compute_output_shape(self, input_shape: Any) -> tf.TensorShape:
    """Returns the shape of the inputs of a network."""
    shape = tf.TensorShape(input_shape).as_list()
    added = shape[-1] if self.mask_inputs is None else len(
        mask_indices(self.mask_inputs, len(shape) - 1, shape[-1]))
    return tf.TensorShape([*shape[:-1], shape[-1] + added])

  def get_config(self) -> dict[str, Any]:
    """Returns the settings as plain data."""
    return super().get_config() | {'mask_inputs': self.mask_inputs}


def with_mask_inputs(features: Any, is_missing: Any,
                     mask_inputs: Any, ops: Any) -> Any:
  """Returns features, followed by the mask inputs of x.

  Args:
    features: Numbers that a network sees of x, `[b, …, f]`.
    is_missing: Booleans `[b, *event_shape]`.
    mask_inputs: Booleans of the event shape, true for the elements with a mask
      input; None for all.
    ops: Namespace of the operations.
  """
  size = is_missing.shape[-1]
  indices = (np.arange(size) if mask_inputs is None else
             mask_indices(mask_inputs, len(is_missing.shape) - 1, size))
  if not len(indices):
    return features
  return ops.concatenate([
      features, ops.cast(ops.take(is_missing, np.int32(indices), axis=-1),
                         'float32')], axis=-1)


def mask_indices(mask_inputs: Any, rank: int, size: int) -> np.ndarray:
  """Returns the positions in the last axis of x that have a mask input.

  Args:
    mask_inputs: Booleans of the event shape.
    rank: Rank of the event.
    size: Length of its last axis.
  """
  mask = np.asarray(mask_inputs, bool)
  if mask.ndim != rank or mask.shape[-1] != size:
    raise ValueError(
        '`mask_inputs` must have the event shape, true for the elements that '
        f'may be missing. Received: shape {mask.shape} for x of rank {rank} '
        f'with {size} values in the last axis')
  if rank > 1:
    return np.arange(size if mask.any() else 0)
  return np.flatnonzero(mask)
