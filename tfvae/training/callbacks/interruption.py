"""Signals that end a run: first its state is saved."""

from collections.abc import Iterator
import contextlib
import signal
import threading

# Of sysexits.h, EX_TEMPFAIL: the same command may be run again, and goes on.
REQUEUE_EXIT_CODE = 75

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class TrainingInterruptedError(Exception):
  """A signal has ended the run, and the same command goes on from there."""


class Interruption:
  """Whether a signal to end has come, which does not end the process here."""

  def __init__(self):
    """Initialises it: none has come."""
    self.signal: signal.Signals | None = None

  @contextlib.contextmanager
  def awaited(self) -> Iterator[None]:
    """Takes SIGTERM and SIGINT inside the block; the second one ends it.

    Does nothing outside the main thread, where Python handles no signals.

    Yields:
      Nothing.
    """
    if threading.current_thread() is not threading.main_thread():
      yield
      return
    before = {number: signal.signal(number, self._take)
              for number in _SIGNALS}
    try:
      yield
    finally:
      for number, handler in before.items():
        signal.signal(number, handler)

  def _take(self, number, frame):
    del frame
    if self.signal is not None:
      raise KeyboardInterrupt
    self.signal = signal.Signals(number)
