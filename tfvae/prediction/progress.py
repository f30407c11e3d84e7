"""Progress of a job: a bar on a terminal, and lines in a log."""

import logging
import sys
import time

import tf_keras

_LOGGER = logging.getLogger(__name__)

_SECONDS = 30  # Between two lines.


class Progress:
  """Number of rows that are done, and the speed."""

  def __init__(self, total: int, done: int, verbose: bool):
    """Initializes the progress.

    Args:
      total: Number of rows.
      done: Rows that an earlier process has done.
      verbose: Whether to show it.
    """
    self._total, self._done, self._before = total, done, done
    self._start = self._last = time.monotonic()
    self._verbose = verbose
    if verbose and done:
      _LOGGER.info('%s of %s rows are done; the rest follows.', f'{done:,}',
                   f'{total:,}')
    self._bar = tf_keras.utils.Progbar(
        total, unit_name='row', verbose=int(verbose and sys.stdout.isatty()))

  def add(self, count: int):
    """Adds rows that are done."""
    self._done += count
    self._bar.update(self._done)
    now = time.monotonic()
    if self._verbose and not self._bar.verbose and (
        now - self._last > _SECONDS):
      self._last = now
      self._log(now)

  def end(self):
    """Shows the speed of the whole job."""
    if self._verbose:
      self._log(time.monotonic())

  def _log(self, now: float):
    speed = (self._done - self._before) / max(now - self._start, 1e-9)
    _LOGGER.info('%s of %s rows, %s rows a second.', f'{self._done:,}',
                 f'{self._total:,}', f'{speed:,.0f}')
