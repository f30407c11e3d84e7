"""Reports of skipped training steps; see `FiniteSteps`."""

import logging
from typing import Any

import numpy as np
import tf_keras

_LOGGER = logging.getLogger(__name__)

# Skipped share of an epoch's steps beyond which training stops.
_MAX_SHARE = 0.5

_REMEDY = ('Look for NaN or infinite values in the data, lower the learning '
           'rate, or set clipnorm or global_clipnorm of the optimizer.')


class SkippedSteps(tf_keras.callbacks.Callback):
  """Reports the skipped steps of each epoch, and stops after too many.

  A warning at the end of an epoch states how many of its steps were skipped.
  With loss scaling some steps overflow by design; the warning then comes only
  if more than half of the steps were skipped.
  """

  def __init__(self, max_in_a_row: int = 10, before: int | None = None,
               remedy: str = _REMEDY, adds_to_logs: bool = False,
               every: int = 1):
    """Initializes the callback.

    Args:
      max_in_a_row: Number of steps skipped in a row that ends the training.
      before: Number of steps skipped in earlier epochs; None is the count of
        the model when training begins.
      remedy: Sentence that ends the messages.
      adds_to_logs: Whether the count of an epoch is added to its logs as
        'skipped_steps', for the callbacks that follow.
      every: Steps between two readings of the counts, each of which waits for
        the device; the counts are also read after each epoch.
    """
    super().__init__()
    self._supports_tf_logs = True  # So logs are not copied for each batch.
    self._max_in_a_row, self._remedy = max_in_a_row, remedy
    self._before, self._is_given = before, before is not None
    self._adds_to_logs, self._every = adds_to_logs, every
    self._steps = self._looked_at = 0

  def on_train_begin(self, logs: dict[str, Any] | None = None):
    """Reads the number of steps skipped before."""
    if not self._is_given:
      self._before = int(self.model.skipped_steps.numpy())

  def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None):
    """Begins to count the steps of the epoch."""
    self._steps = self._looked_at = 0

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None):
    """Raises a FloatingPointError after too many skipped steps in a row."""
    self._steps = batch + 1
    if self._steps - self._looked_at >= self._every:
      self._check_in_a_row()

  def _check_in_a_row(self):
    self._looked_at = self._steps
    steps = self.model.finite_steps
    in_a_row = int(steps.in_a_row.numpy())
    if in_a_row >= self._max_in_a_row:
      raise FloatingPointError(
          f'Training stopped in step {int(steps.first.numpy()) + in_a_row - 1}:'
          f' {in_a_row} steps in a row had a loss or a gradient that is not '
          f'finite, and were skipped. {self._remedy} Received: '
          f'max_skipped_steps={self._max_in_a_row}')

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Warns if steps of the epoch were skipped.

    Raises:
      FloatingPointError: If more than half of the epoch's steps, and at least
        `max_in_a_row` of them, were skipped.
    """
    self._check_in_a_row()
    total = int(self.model.skipped_steps.numpy())
    skipped, self._before = total - self._before, total
    if self._adds_to_logs:
      logs['skipped_steps'] = skipped
    if not skipped or not self._steps:
      return
    share = skipped / self._steps
    message = (f'{skipped} of {self._steps} steps ({share:.0%}) of epoch '
               f'{epoch + 1} were skipped, as their loss or gradient was not '
               'finite.')
    if share > _MAX_SHARE and skipped >= self._max_in_a_row:
      raise FloatingPointError(
          f'Training stopped: {message} {self._remedy} Received: '
          f'skipped_steps={skipped}')
    if share > _MAX_SHARE or not isinstance(
        self.model.optimizer, tf_keras.mixed_precision.LossScaleOptimizer):
      _LOGGER.warning('%s %s', message, self._remedy)


def check_finite(model: tf_keras.Model, remedy: str = _REMEDY):
  """Raises if a weight or an optimizer variable is not finite.

  Args:
    model: Compiled model whose optimizer is built.
    remedy: Sentence that ends the message.

  Raises:
    FloatingPointError: If a weight, or what the optimizer keeps of one, is NaN
      or infinite.
  """
  for variable in (*model.weights, *model.optimizer.variables):
    if not np.isfinite(variable.numpy()).all():
      steps = model.optimizer.iterations.numpy() + model.skipped_steps.numpy()
      raise FloatingPointError(
          f'A variable is not finite after step {steps}; the last good '
          f'checkpoint is kept. {remedy} Received: {variable.name}')
