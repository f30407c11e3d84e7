"""The averaged weights that an optimizer with `use_ema` keeps."""

from collections.abc import Iterator, Sequence
import contextlib
from typing import Any

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
  own = _swap_in(model)
  try:
    yield
  finally:
    _put_back(model, own)


class AveragedValidation(tf_keras.callbacks.Callback):
  """Makes `fit` validate with the averaged weights, and train with its own.

  `fit` ends by replacing the weights with their averages, from which a further
  `fit` would start; the callback restores the weights there too.
  """

  _own: Sequence[tf.Tensor] = ()

  def on_test_begin(self, logs: dict[str, Any] | None = None):
    """Sets the model to its averaged weights."""
    self._own = _swap_in(self.model)

  def on_test_end(self, logs: dict[str, Any] | None = None):
    """Restores the weights of the model."""
    _put_back(self.model, self._own)

  def on_train_end(self, logs: dict[str, Any] | None = None):
    """Restores the weights of the model after the last validation."""
    _put_back(self.model, self._own)


def _swap_in(model: tf_keras.Model) -> list[tf.Tensor]:
  """Replaces the weights with their averages, and returns the weights."""
  if not model.optimizer.use_ema:
    return []
  own = [tf.identity(weight) for weight in model.trainable_variables]
  model.optimizer.finalize_variable_values(model.trainable_variables)
  return own


def _put_back(model: tf_keras.Model, own: Sequence[tf.Tensor]):
  if own:
    for weight, value in zip(model.trainable_variables, own, strict=True):
      weight.assign(value)
