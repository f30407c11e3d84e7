"""History of a training, a row per epoch."""

import time
from typing import Any

import tf_keras

from tfvae.training import workdir as workdir_lib


class History(tf_keras.callbacks.Callback):
  """Keeps a row per epoch, for `history.csv`."""

  def __init__(self, workdir: str, num_images: int, writes: bool = True):
    """Initializes the callback.

    Args:
      workdir: Directory for `history.csv`.
      num_images: Images per epoch.
      writes: Whether this worker writes the file (the chief only).
    """
    super().__init__()
    self._supports_tf_logs = True  # Avoids a copy of the logs per batch.
    self._workdir, self._num_images = workdir, num_images
    self._writes, self._rows = writes, []
    self._seconds_before = self._train_seconds = 0.0
    self._start = time.monotonic()

  def resume(self, epochs_done: int, seconds: float):
    """Resumes within an epoch, without the rows of later epochs.

    Args:
      epochs_done: Number of complete epochs.
      seconds: Seconds that the current epoch has taken.
    """
    self._rows = workdir_lib.read_history(self._workdir, epochs_done)
    self._seconds_before = seconds

  @property
  def epoch_seconds(self) -> float:
    """Seconds that the current epoch has taken."""
    return self._seconds_before + time.monotonic() - self._start

  def total(self, column: str) -> float:
    """Returns the sum of a column over all epochs, including resumed ones."""
    return sum(float(row[column]) for row in self._rows)

  def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None):
    """Starts the clock of the epoch."""
    self._start = time.monotonic()

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None):
    """Records the training time of the epoch so far."""
    self._train_seconds = self.epoch_seconds

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Adds the row of the epoch."""
    self._rows.append(
        {'epoch': epoch + 1} | logs | {
            'learning_rate': float(
                self.model.optimizer.learning_rate.numpy()),
            'images_per_second': round(
                self._num_images / max(self._train_seconds, 1e-9)),
            'seconds': round(self.epoch_seconds, 3)})
    self._seconds_before = 0.0

  def write(self):
    """Replaces the file by the rows so far."""
    if self._writes and self._rows:
      workdir_lib.write_history(self._workdir, self._rows)
