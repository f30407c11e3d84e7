"""Callbacks: checkpoints and history."""

import contextlib
import math
import os
import tempfile
import time
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.models.steps.skipped_steps import check_finite
from tfvae.training import strategies
from tfvae.training import workdir as workdir_lib
from tfvae.training.callbacks.averaging import averaged
from tfvae.training.callbacks.checkpoints import CheckpointStore
from tfvae.training.callbacks.interruption import Interruption
from tfvae.training.callbacks.interruption import TrainingInterruptedError
from tfvae.training.config import TrainingConfig


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


class Checkpoint(tf_keras.callbacks.Callback):
  """Keeps what resuming needs, and the weights that are delivered.

  A checkpoint holds the model, the optimizer's state, the number of steps done,
  the means of the epoch so far, and the weights of the epoch that is best by
  `--select_by`, averaged where the optimizer averages them. Data order,
  noise and schedules are functions of the seed and the step, so nothing of them
  needs saving. There is one after each epoch, and within epochs as often as the
  settings say and when a signal ends the run.

  With several workers all of them take part, as some variables are summed when
  they are saved, and the chief's stays. They need one workdir. Where they train
  at their own pace, the epochs' ends alone are moments of which all is known.
  """

  def __init__(self, model: tf_keras.Model, workdir: str,
               config: TrainingConfig, steps_per_epoch: int, history: History):
    """Initialises the callback for a compiled model."""
    super().__init__()
    self._supports_tf_logs = True  # Which are not copied for each batch then.
    self._config, self._history = config, history
    self._steps_per_epoch = steps_per_epoch
    self._strategy = model.distribute_strategy
    with self._strategy.scope():
      model.optimizer.build(model.trainable_variables)
    self._interruption = Interruption()
    self._means, self._saved = None, time.monotonic()
    with tf.device('CPU'):
      self.step = tf.Variable(0, dtype=tf.int64)
      self.best_epoch = tf.Variable(0, dtype=tf.int64)
      self.best_score = tf.Variable(-math.inf)
      self._seconds = tf.Variable(0, dtype=tf.float64)
      self._best = [tf.Variable(weight.numpy()) for weight in model.weights]
    self._checkpoint = tf.train.Checkpoint(
        model=model, step=self.step, best_epoch=self.best_epoch,
        # Under the name it had when the ELBO was the only score.
        best_elbo=self.best_score, best=self._best, means=list(model.metrics),
        seconds=self._seconds)
    self._stores = contextlib.ExitStack()
    self._store = CheckpointStore(
        os.path.join(workdir, 'checkpoints'), config.checkpoint_keep)

  def restore(self, model: tf_keras.Model) -> int:
    """Restores the latest checkpoint; returns the number of steps done."""
    self._store.restore_latest(self._checkpoint)
    steps = int(self.step)
    if strategies.sum_over_workers(self._strategy, [steps])[0] != (
        steps * strategies.num_workers(self._strategy)):
      raise ValueError('Several workers need one workdir, on a file system '
                       'that they share; this one found other checkpoints than '
                       f'the others. Received: a checkpoint of step {steps}')
    epoch, steps_in_epoch = divmod(steps, self._steps_per_epoch)
    self._history.resume(epoch, float(self._seconds))
    if steps_in_epoch:
      self._means = [v.numpy() for m in model.metrics for v in m.variables]
    if strategies.is_chief(self._strategy):
      self._store.remove_leftovers()  # It holds the workdir.
    else:
      self._store = CheckpointStore(self._stores.enter_context(
          tempfile.TemporaryDirectory()), keep=1)
    return steps

  @contextlib.contextmanager
  def awaiting_signals(self):
    """Saves and raises `TrainingInterruptedError` if a signal comes inside."""
    with self._stores, self._interruption.awaited():
      yield

  def best_weights(self) -> list[np.ndarray]:
    """Returns the weights of the epoch that is kept."""
    return [weight.numpy() for weight in self._best]

  def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None):
    """Takes up the means of an epoch that was broken off."""
    self._first_step = self._steps_per_epoch * epoch
    if self._means is not None:
      self._first_step = int(self.step)
      variables = [v for m in self.model.metrics for v in m.variables]
      for variable, value in zip(variables, self._means, strict=True):
        variable.assign(value)
      self._means = None

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None):
    """Saves if it is time, or if a signal is to end the run."""
    step = self._first_step + batch + 1
    if strategies.is_asynchronous(self._strategy):
      if self._interruption.signal is not None:
        self._stop(int(self.step))
      return
    has_signal, is_due = strategies.sum_over_workers(
        self._strategy, [int(self._interruption.signal is not None),
                         int(self._is_due(step))])
    if step % self._steps_per_epoch and (has_signal or is_due):
      self._save(step, self._history.epoch_seconds)
    if has_signal and step % self._steps_per_epoch:
      self._stop(step)

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Saves; a kill at any moment leaves the last state or this."""
    check_finite(self.model)
    score = self._score(epoch, logs)
    if score > float(self.best_score):
      self.best_score.assign(score)
      self.best_epoch.assign(epoch + 1)
      with averaged(self.model):
        for kept, weight in zip(self._best, self.model.weights, strict=True):
          kept.assign(weight.numpy())
    step = (epoch + 1) * self._steps_per_epoch
    self._save(step, 0.0)
    if strategies.sum_over_workers(
        self._strategy, [int(self._interruption.signal is not None)])[0]:
      self._stop(step)

  def _score(self, epoch: int, logs: dict[str, Any]) -> float:
    """Returns the figure by which the epoch with the highest is kept."""
    match self._config.select_by:
      case 'objective':
        return -logs['val_loss']
      case 'elbo':
        return logs['val_elbo']
    return float(epoch)

  def _is_due(self, step: int) -> bool:
    steps = self._config.checkpoint_every_steps
    minutes = self._config.checkpoint_every_minutes
    return (steps is not None and step - int(self.step) >= steps) or (
        minutes is not None
        and time.monotonic() - self._saved >= 60 * minutes)

  def _save(self, step: int, seconds: float):
    self.step.assign(step)
    self._seconds.assign(seconds)
    self._store.save(self._checkpoint, step)
    self._saved = time.monotonic()

  def _stop(self, step: int):
    epoch = -(-step // self._steps_per_epoch)
    raise TrainingInterruptedError(
        f'stopped by a signal after step {step}, in epoch {epoch} of '
        f'{self._config.epochs}; run the same command to go on from there')
