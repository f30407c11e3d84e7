"""The averaged weights that an optimizer with `use_ema` keeps."""

from collections.abc import Iterator, Sequence
import contextlib

import tensorflow as tf
import tf_keras


@contextlib.contextmanager
def averaged(model: tf_keras.Model) -> Iterator[None]:
  """Sets a model to its averaged weights inside the block.

    average_t = γ average_{t−1} + (1 − γ) weight_t, the initial weight at t = 0.

  Does nothing if the optimizer keeps no average.

  Args:
    model: Compiled model whose optimizer is built.

  Yields:
    Nothing.
  """
  own = swap_in(model)
  try:
    yield
  finally:
    put_back(model, own)


def swap_in(model: tf_keras.Model) -> list[tf.Tensor]:
  """Replaces the weights with their averages, if any; returns the weights."""
  if not model.optimizer.use_ema:
    return []
  own = [tf.identity(weight) for weight in model.trainable_variables]
  model.optimizer.finalize_variable_values(model.trainable_variables)
  return own


def put_back(model: tf_keras.Model, own: Sequence[tf.Tensor]):
  """Sets the weights of a model to what `swap_in` returned."""
  if own:
    for weight, value in zip(model.trainable_variables, own, strict=True):
      weight.assign(value)
