"""The averaged weights that an optimizer with `use_ema` keeps."""

from collections.abc import Iterator, Sequence
import contextlib
from typing import Any

import tensorflow as tf
import tf_keras


@contextlib.contextmanager
def averaged(model: tf_keras.Model) -> Iterator[None]:
  """Gives a model its averaged weights inside the block, then its own back.

    average_t = γ average_{t−1} + (1 − γ) weight_t, the initial weight at t = 0.

  Nothing happens where the optimizer keeps no average.

  Args:
    model: compiled, and its optimizer built.

  Yields:
    Nothing.
  """
  own = _swap_in(model)
  try:
    yield
  finally:
    _put_back(model, own)


class AveragedValidation(tf_keras.callbacks.Callback):
  """Has `fit` validate with the averaged weights, and train on with its own.

  At its end `fit` leaves the averages in the place of the weights, which a
  further `fit` would begin with; the weights are put back there too.
  """

  _own: Sequence[tf.Tensor] = ()

  def on_test_begin(self, logs: dict[str, Any] | None = None):
    """Gives the model its averaged weights."""
    self._own = _swap_in(self.model)

  def on_test_end(self, logs: dict[str, Any] | None = None):
    """Gives the model its own weights back."""
    _put_back(self.model, self._own)

  def on_train_end(self, logs: dict[str, Any] | None = None):
    """Gives the model its own weights back, which are those of validation."""
    _put_back(self.model, self._own)


def _swap_in(model: tf_keras.Model) -> list[tf.Tensor]:
  """Returns the weights, in the place of which their averages are then."""
  if not model.optimizer.use_ema:
    return []
  own = [tf.identity(weight) for weight in model.trainable_variables]
  model.optimizer.finalize_variable_values(model.trainable_variables)
  return own


def _put_back(model: tf_keras.Model, own: Sequence[tf.Tensor]):
  if own:
    for weight, value in zip(model.trainable_variables, own, strict=True):
      weight.assign(value)
