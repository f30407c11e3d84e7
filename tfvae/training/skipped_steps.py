"""What a run makes of training steps that were skipped: see `FiniteSteps`."""

from typing import Any

import numpy as np
import tf_keras


class SkippedSteps(tf_keras.callbacks.Callback):
  """Reports the skipped steps of each epoch, and ends a run of them.

  `skipped_steps` is put among the epoch's logs, for the callbacks that follow.
  """

  def __init__(self, max_in_a_row: int, before: int = 0):
    """Initialises the callback.

    Args:
      max_in_a_row: how many end the training.
      before: the steps skipped in the epochs that are done.
    """
    super().__init__()
    self._supports_tf_logs = True  # Which are not copied for each batch then.
    self._max_in_a_row = max_in_a_row
    self._before = before

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None):
    """Raises a FloatingPointError after too many skipped steps in a row."""
    steps = self.model.finite_steps
    in_a_row = int(steps.in_a_row.numpy())
    if in_a_row >= self._max_in_a_row:
      raise FloatingPointError(
          f'Training stopped in step {int(steps.first.numpy()) + in_a_row - 1}:'
          f' {in_a_row} steps in a row had a loss or a gradient that is not '
          'finite, and were skipped; the last good checkpoint is kept. '
          f'{_REMEDY} Received: max_skipped_steps={self._max_in_a_row}')

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Adds the epoch's count to the logs."""
    skipped = int(self.model.skipped_steps.numpy())
    logs['skipped_steps'] = skipped - self._before
    self._before = skipped


def check_finite(model: tf_keras.Model):
  """Refuses a state that is not worth keeping.

  Args:
    model: compiled, and its optimizer built.

  Raises:
    FloatingPointError: if a weight, or what the optimizer keeps of one, is NaN
      or infinite.
  """
  for variable in (*model.weights, *model.optimizer.variables):
    if not np.isfinite(variable.numpy()).all():
      steps = model.optimizer.iterations.numpy() + model.skipped_steps.numpy()
      raise FloatingPointError(
          f'A variable is not finite after step {steps}; the last good '
          f'checkpoint is kept. {_REMEDY} Received: {variable.name}')


_REMEDY = ('Try a lower --learning_rate, or --clip_norm=1, in a new workdir; '
           'with --precision=float16, bfloat16.')
