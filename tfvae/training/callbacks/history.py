"""History of a training, a row per epoch."""

import time
from typing import Any

import tf_keras

from tfvae.training import workdir as workdir_lib


class History(tf_keras.callbacks.Callback):
  """Writes a row an epoch to `history.csv`."""

  def __init__(self, workdir: str, num_images: int, writes: bool = True):
    """Initialises the callback.

    Args:
      workdir: gets the file.
      num_images: of an epoch.
      writes: whether it does; only one of several workers is to.
    """
    super().__init__()
    self._workdir, self._num_images = workdir, num_images
    self._writes, self._rows = writes, []
    self._seconds_before = self._train_seconds = 0.0
    self._start = time.monotonic()

  def resume(self, epochs_done: int, seconds: float):
    """Goes on in an epoch; rows of epochs not done are dropped.

    Args:
      epochs_done: before it.
      seconds: that it has taken already.
    """
    self._rows = workdir_lib.read_history(self._workdir, epochs_done)
    self._seconds_before = seconds

  @property
  def epoch_seconds(self) -> float:
    """The time that the present epoch has taken so far."""
    return self._seconds_before + time.monotonic() - self._start

  def total(self, column: str) -> float:
    """Returns the sum of a column over all epochs, resumed ones included."""
    return sum(float(row[column]) for row in self._rows)

  def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None):
    """Notes the time."""
    self._start = time.monotonic()

  def on_test_begin(self, logs: dict[str, Any] | None = None):
    """Notes the time that the epoch's training took."""
    self._train_seconds = self.epoch_seconds

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Adds the epoch's row and replaces the file."""
    self._rows.append(
        {'epoch': epoch + 1} | logs | {
            'learning_rate': float(
                self.model.optimizer.learning_rate.numpy()),
            'images_per_second': round(
                self._num_images / max(self._train_seconds, 1e-9)),
            'seconds': round(self.epoch_seconds, 3)})
    self._seconds_before = 0.0
    if self._writes:
      workdir_lib.write_history(self._workdir, self._rows)
