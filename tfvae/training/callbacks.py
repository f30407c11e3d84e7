"""Callbacks: checkpoints and history."""

import math
import os
import time
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.training import workdir as workdir_lib
from tfvae.training.averaging import averaged
from tfvae.training.skipped_steps import check_finite


class Checkpoint(tf_keras.callbacks.Callback):
  """Keeps what resuming needs, and the weights that validated best.

  After each epoch the model, the optimizer's state, the number of epochs done
  and the best validation ELBO go to `checkpoints/latest`. Data order and noise
  are functions of the seed, the epoch and the step, so nothing of them needs
  saving. The weights with the best validation ELBO, averaged where the
  optimizer averages them, go to `checkpoints/best`.
  """

  def __init__(self, model: tf_keras.Model, workdir: str):
    """Initialises the callback for a compiled model."""
    super().__init__()
    with model.distribute_strategy.scope():
      model.optimizer.build(model.trainable_variables)
    self.epochs_done = tf.Variable(0, dtype=tf.int64)
    self.best_epoch = tf.Variable(0, dtype=tf.int64)
    self.best_elbo = tf.Variable(-math.inf)
    directory = os.path.join(workdir, 'checkpoints')
    self._latest = tf.train.CheckpointManager(
        tf.train.Checkpoint(
            model=model, epochs_done=self.epochs_done,
            best_epoch=self.best_epoch, best_elbo=self.best_elbo),
        os.path.join(directory, 'latest'), max_to_keep=2)
    self._best = tf.train.CheckpointManager(
        # The weights alone: the optimizer's state would treble the file.
        tf.train.Checkpoint(weights=list(model.weights)),
        os.path.join(directory, 'best'), max_to_keep=1)

  def restore(self) -> int:
    """Restores the latest checkpoint; returns the number of epochs done."""
    path = self._latest.latest_checkpoint
    if path:
      self._latest.checkpoint.restore(path).assert_existing_objects_matched()
    return int(self.epochs_done)

  def restore_best(self):
    """Gives the model the weights that validated best."""
    self._best.checkpoint.restore(
        self._best.latest_checkpoint).assert_existing_objects_matched()

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Saves; a kill at any moment leaves the last epoch's state or this."""
    check_finite(self.model)
    self.epochs_done.assign(epoch + 1)
    if logs['val_elbo'] > float(self.best_elbo):
      self.best_elbo.assign(logs['val_elbo'])
      self.best_epoch.assign(epoch + 1)
      with averaged(self.model):
        self._best.save(checkpoint_number=epoch + 1)
    self._latest.save(checkpoint_number=epoch + 1)


class History(tf_keras.callbacks.Callback):
  """Writes a row an epoch to `history.csv`."""

  def __init__(self, workdir: str, epochs_done: int):
    """Initialises the callback; rows of epochs not done are dropped."""
    super().__init__()
    self._workdir = workdir
    self._rows = workdir_lib.read_history(workdir, epochs_done)
    self._start = None

  @property
  def seconds(self) -> float:
    """The training time of all epochs, those before a resume included."""
    return sum(float(row['seconds']) for row in self._rows)

  def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None):
    """Notes the time."""
    self._start = time.monotonic()

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Adds the epoch's row and replaces the file."""
    learning_rate = self.model.optimizer.learning_rate
    if isinstance(learning_rate,
                  tf_keras.optimizers.schedules.LearningRateSchedule):
      learning_rate = learning_rate(self.model.optimizer.iterations)
    self._rows.append(
        {'epoch': epoch + 1} | logs | {
            'learning_rate': float(learning_rate),
            'seconds': round(time.monotonic() - self._start, 3)})
    workdir_lib.write_history(self._workdir, self._rows)
