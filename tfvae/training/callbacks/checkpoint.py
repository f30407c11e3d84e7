"""Checkpoints of a training, and the weights that it keeps."""

from collections.abc import Callable
import contextlib
import math
import os
import tempfile
import time
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import autograph
from tfvae.models.steps.global_batch import is_on_one_device
from tfvae.models.steps.skipped_steps import check_finite
from tfvae.training import strategies
from tfvae.training.callbacks.averaging import averaged
from tfvae.training.callbacks.checkpoints import CheckpointStore
from tfvae.training.callbacks.history import History
from tfvae.training.callbacks.interruption import Interruption
from tfvae.training.callbacks.interruption import TrainingInterruptedError
from tfvae.training.config import TrainingConfig


class Checkpoint(tf_keras.callbacks.Callback):
  """Saves the state of the training, and selects the weights of the run.

  A checkpoint holds the model, the state of the optimizer, the number of steps,
  the means of the current epoch, and the weights of the best epoch by
  `select_by`, averaged if the optimizer averages them. Data order, noise and
  schedules are functions of the seed and the step, so they have no state. A
  checkpoint is written after an epoch, unless the last one was written seconds
  ago, within epochs as often as the settings require, and when a signal ends
  the run.

  With several workers all of them take part, since some variables are summed
  when they are saved, and the checkpoint of the chief is kept. They need one
  workdir. Workers of a parameter server have a common state only at the end of
  an epoch.

  Attributes:
    before_save: Functions that are called before a checkpoint is written, to
      write what a run that resumes from it does not repeat.
  """

  def __init__(self, model: tf_keras.Model, workdir: str,
               config: TrainingConfig, steps_per_epoch: int, history: History):
    """Initializes the callback.

    Args:
      model: Compiled model.
      workdir: Directory that receives `checkpoints/`.
      config: Settings of the training.
      steps_per_epoch: Training steps per epoch.
      history: History, which resumes with the checkpoint, and is written
        before it.
    """
    super().__init__()
    self._supports_tf_logs = True  # Avoids a copy of the logs per batch.
    self._config, self._history = config, history
    self._steps_per_epoch = steps_per_epoch
    self._strategy = model.distribute_strategy
    self.before_save: list[Callable[[], Any]] = [history.write]
    with self._strategy.scope():
      model.optimizer.build(model.trainable_variables)
    self._interruption = Interruption()
    self._means, self._saved = None, time.monotonic()
    with tf.device('CPU'):
      self.step = tf.Variable(0, dtype=tf.int64)
      self.best_epoch = tf.Variable(0, dtype=tf.int64)
      self.best_score = tf.Variable(-math.inf)
      self._seconds = tf.Variable(0, dtype=tf.float64)
    is_whole = is_on_one_device(self._strategy)
    # On one device the copy stays there; others have a part of each weight.
    with contextlib.nullcontext() if is_whole else tf.device('CPU'):
      self._best = [tf.Variable(weight.numpy()) for weight in model.weights]
    compiled = autograph.function if is_whole else lambda function: function
    self._keep, self._all_finite = (
        compiled(function) for function in (self._kept, self._are_finite))
    self._checkpoint = tf.train.Checkpoint(
        model=model, step=self.step, best_epoch=self.best_epoch,
        # The name from when the ELBO was the only score.
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
      raise ValueError(
          'Several workers need one `workdir`, on a shared file system; this '
          'worker found other checkpoints than the others. Received: a '
          f'checkpoint of step {steps}')
    epoch, steps_in_epoch = divmod(steps, self._steps_per_epoch)
    self._history.resume(epoch, float(self._seconds))
    if steps_in_epoch:
      self._means = [v.numpy() for m in model.metrics for v in m.variables]
    if strategies.is_chief(self._strategy):
      self._store.remove_leftovers()  # The chief holds the workdir.
    else:
      self._store = CheckpointStore(self._stores.enter_context(
          tempfile.TemporaryDirectory()), keep=1)
    return steps

  @contextlib.contextmanager
  def awaiting_signals(self):
    """Makes a signal inside save and raise `TrainingInterruptedError`."""
    with self._stores, self._interruption.awaited():
      try:
        yield
      except FloatingPointError:  # The rows so far show how it came about.
        self._before_save()
        raise

  def best_weights(self) -> list[np.ndarray]:
    """Returns the weights of the selected epoch."""
    return [weight.numpy() for weight in self._best]

  def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None):
    """Restores the means of an interrupted epoch."""
    self._first_step = self._steps_per_epoch * epoch
    if self._means is not None:
      self._first_step = int(self.step)
      variables = [v for m in self.model.metrics for v in m.variables]
      for variable, value in zip(variables, self._means, strict=True):
        variable.assign(value)
      self._means = None

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None):
    """Saves when a checkpoint is due, and ends the run after a signal."""
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
    """Saves if due; a kill leaves the previous checkpoint or this one."""
    if not self._all_finite():
      check_finite(self.model)  # Names the variable.
    score = self._score(epoch, logs)
    if score > float(self.best_score):
      self.best_score.assign(score)
      self.best_epoch.assign(epoch + 1)
      with averaged(self.model):
        self._keep()
    step = (epoch + 1) * self._steps_per_epoch
    is_due = (
        time.monotonic() - self._saved >= self._config.checkpoint_min_seconds
        or epoch + 1 == self.params['epochs'])
    has_signal, is_due = strategies.sum_over_workers(
        self._strategy,
        [int(self._interruption.signal is not None), int(is_due)])
    if has_signal or is_due:
      self._save(step, 0.0)
    if has_signal:
      self._stop(step)

  def _kept(self):
    """Copies the weights of the model."""
    for kept, weight in zip(self._best, self.model.weights, strict=True):
      kept.assign(weight)

  def _are_finite(self) -> tf.Tensor:
    return tf.reduce_all([
        tf.reduce_all(tf.math.is_finite(variable)) for variable in (
            *self.model.weights, *self.model.optimizer.variables)
        if variable.dtype.is_floating])

  def _score(self, epoch: int, logs: dict[str, Any]) -> float:
    """Returns the score of an epoch; the epoch with the highest is selected."""
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
    self._before_save()
    self._store.save(self._checkpoint, step)
    self._saved = time.monotonic()

  def _before_save(self):
    for function in self.before_save:
      function()

  def _stop(self, step: int):
    epoch = -(-step // self._steps_per_epoch)
    raise TrainingInterruptedError(
        f'stopped by a signal after step {step}, in epoch {epoch} of '
        f'{self._config.epochs}; the same command resumes from there')
