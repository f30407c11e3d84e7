"""Signals that end a run after its state is saved."""

from collections.abc import Iterator
import contextlib
import signal
import threading

# EX_TEMPFAIL of sysexits.h: the same command may be run again, and resumes.
REQUEUE_EXIT_CODE = 75

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class TrainingInterruptedError(Exception):
  """A signal ended the run, and the same command resumes it."""


class Interruption:
  """Record of a signal, which does not end the process at once."""

  def __init__(self):
    """Initializes the record: no signal."""
    self.signal: signal.Signals | None = None

  @contextlib.contextmanager
  def awaited(self) -> Iterator[None]:
    """Records SIGTERM and SIGINT inside the block; a second one ends it.

    Does nothing outside the main thread, where Python cannot handle signals.

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
