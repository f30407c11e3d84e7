"""Lock of a run's directory."""

from collections.abc import Iterator
import contextlib
import fcntl
import logging
import os

_LOGGER = logging.getLogger(__name__)


@contextlib.contextmanager
def held(workdir: str) -> Iterator[None]:
  """Locks a directory against other processes while the block runs.

  Args:
    workdir: Directory of the run.

  Yields:
    Nothing.

  Raises:
    ValueError: If another process runs there.
  """
  if not os.path.isdir(workdir):  # Reading a file there will raise.
    yield
    return
  descriptor = os.open(workdir, os.O_RDONLY)
  try:
    try:
      # The lock ends with the process, even if it is killed.
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise ValueError(
          'Another process runs in the workdir; wait for it, or choose another '
          f'`workdir`. Received: workdir={workdir}') from None
    except OSError as error:
      _LOGGER.warning('%s does not support locks (%s); make sure that no other '
                      'process runs there.', workdir, error.strerror)
    yield
  finally:
    os.close(descriptor)
