"""Measurements that a training process takes of itself."""

import contextlib
import json
import time
from typing import Any

import numpy as np

from benchmarks import machine


class Ended(SystemExit):
  """Exception that ends a training after its first step."""


class Watch:
  """Records the first step, each epoch, and the memory of the training.

  Attributes:
    record: Measurements, which `print` prints.
  """

  def __init__(self, started: float, ends_at_first_step: bool = False):
    """Initializes the watch.

    Args:
      started: `time.time()` at the start of the process.
      ends_at_first_step: Whether to measure only the first step.
    """
    self._started, self._ends_at_first_step = started, ends_at_first_step
    self.record = {'epochs': []}

  def step_done(self):
    """Records the time since the start of the process, in the first call.

    Raises:
      Ended: If only the first step is measured.
    """
    self.record.setdefault('first_step_seconds', time.time() - self._started)
    if self._ends_at_first_step:
      raise Ended()

  @contextlib.contextmanager
  def epoch(self, images: int):
    """Times an epoch with this number of images."""
    start, cpu_start = time.perf_counter(), time.process_time()
    yield
    self.record['epochs'].append({
        'images': images, 'seconds': time.perf_counter() - start,
        'cpu_seconds': time.process_time() - cpu_start})

  def training_done(self):
    """Records the peak memory, without that of an evaluation."""
    self.record['peak_mebibytes'] = machine.peak_mebibytes()

  def print(self):
    """Prints the measurements as the last line of the output."""
    print(json.dumps(self.record), flush=True)


def watched_fit(fit: Any, callback_class: type, watch: Watch,
                images: int) -> Any:
  """Returns a `fit` that records its first step and its epochs.

  It adds no hook to a batch, because a hook would add time to each batch.

  Args:
    fit: `tf_keras.Model.fit` or `keras.Model.fit`.
    callback_class: `Callback` of the same Keras.
    watch: Watch that records the measurements.
    images: Number of images per epoch.
  """
  running = contextlib.ExitStack()

  class Begin(callback_class):
    """Last callback, which begins to time the training part of an epoch."""

    def on_epoch_begin(self, epoch, logs=None):
      running.enter_context(watch.epoch(images))

  class End(callback_class):
    """First callback, which ends the time before a validation."""

    def on_test_begin(self, logs=None):
      running.close()

    def on_epoch_end(self, epoch, logs=None):
      running.close()

  def timed(model, *args, callbacks=(), **kwargs):
    _report_first_step(model, watch)
    history = fit(
        model, *args, callbacks=[End(), *callbacks, Begin()], **kwargs)
    watch.training_done()
    return history

  return timed


def _report_first_step(model: Any, watch: Watch):
  """Makes a model report the end of the first call of its training step."""
  make = model.make_train_function

  def make_reporting(force=False):
    step = make(force) or model.train_function  # Keras 3 returns None.

    def report(iterator):
      logs = step(iterator)
      for value in logs.values():
        np.asarray(value)  # Waits for the value.
      watch.step_done()
      model.train_function = step  # Removes this function.
      return logs

    model.train_function = report
    return report

  model.make_train_function = make_reporting
