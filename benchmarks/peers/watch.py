"""What a process that trains measures of itself."""

import contextlib
import json
import time
from typing import Any

import numpy as np

from benchmarks import machine


class Ended(SystemExit):
  """Ends a training early: at its first step, if nothing else is asked for."""


class Watch:
  """Notes the first step, each epoch, and the memory that training took.

  Attributes:
    record: the measurements, which `print` prints.
  """

  def __init__(self, started: float, ends_at_first_step: bool = False):
    """Initialises the watch.

    Args:
      started: `time.time()` when the process was started.
      ends_at_first_step: whether the first step is all that is measured.
    """
    self._started, self._ends_at_first_step = started, ends_at_first_step
    self.record = {'epochs': []}

  def step_done(self):
    """Notes the time since the process was started; the first call counts.

    Raises:
      Ended: if that is all that is measured.
    """
    self.record.setdefault('first_step_seconds', time.time() - self._started)
    if self._ends_at_first_step:
      raise Ended()

  @contextlib.contextmanager
  def epoch(self, images: int):
    """Times an epoch of so many images."""
    start, cpu_start = time.perf_counter(), time.process_time()
    yield
    self.record['epochs'].append({
        'images': images, 'seconds': time.perf_counter() - start,
        'cpu_seconds': time.process_time() - cpu_start})

  def training_done(self):
    """Notes the peak memory; what an evaluation takes is none of it."""
    self.record['peak_mebibytes'] = machine.peak_mebibytes()

  def print(self):
    """Prints the measurements as the last line of the output."""
    print(json.dumps(self.record), flush=True)


def watched_fit(fit: Any, callback_class: type, watch: Watch,
                images: int) -> Any:
  """Returns `fit` of a Keras that notes its first step and its epochs.

  It adds no hook to a batch, which would cost each of them something.

  Args:
    fit: `tf_keras.Model.fit` or `keras.Model.fit`.
    callback_class: `Callback` of the same Keras.
    watch: gets the measurements.
    images: that an epoch has.
  """

  class EpochTimer(callback_class):
    """Times the part of each epoch that trains."""

    def __init__(self):
      super().__init__()
      self._running = contextlib.ExitStack()

    def on_epoch_begin(self, epoch, logs=None):
      self._running.enter_context(watch.epoch(images))

    def on_test_begin(self, logs=None):
      self._running.close()

    def on_epoch_end(self, epoch, logs=None):
      self._running.close()

  def timed(model, *args, callbacks=(), **kwargs):
    _report_first_step(model, watch)
    # The last in the list, so that it times no other's work at epoch ends.
    history = fit(model, *args, callbacks=[*callbacks, EpochTimer()], **kwargs)
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
        np.asarray(value)  # Waits for it.
      watch.step_done()
      model.train_function = step  # From now on without this.
      return logs

    model.train_function = report
    return report

  model.make_train_function = make_reporting
