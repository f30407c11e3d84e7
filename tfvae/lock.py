"""Lock of a directory against other processes."""

from collections.abc import Iterator
import contextlib
import fcntl
import logging
import os

_LOGGER = logging.getLogger(__name__)


@contextlib.contextmanager
def held(directory: str, argument: str = 'workdir') -> Iterator[None]:
  """Locks a directory against other processes while the block runs.

  Args:
    directory: Directory that one process at a time writes to.
    argument: Argument that named it, for messages.

  Yields:
    Nothing.

  Raises:
    ValueError: If another process runs there.
  """
  if not os.path.isdir(directory):  # Reading a file there will raise.
    yield
    return
  descriptor = os.open(directory, os.O_RDONLY)
  try:
    try:
      # The lock ends with the process, even if it is killed.
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise ValueError(
          f'Another process runs in the {argument}; wait for it, or choose '
          f'another `{argument}`. Received: {argument}={directory}') from None
    except OSError as error:
      _LOGGER.warning('%s does not support locks (%s); make sure that no other '
                      'process runs there.', directory, error.strerror)
    yield
  finally:
    os.close(descriptor)
