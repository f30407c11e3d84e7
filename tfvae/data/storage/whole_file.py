"""Files that are written once and are complete or not there."""

from collections.abc import Callable, Iterable, Iterator
import contextlib
import errno
import fcntl
import logging
import os
import shutil

import numpy as np

from tfvae.files import replacing

_LOGGER = logging.getLogger(__name__)


def write_once(path: str, num_bytes: int,
               pieces: Callable[[], Iterable[np.ndarray]]) -> None:
  """Writes a file unless it is complete already.

  One process writes at a time, under an advisory lock on `<path>.lock`, which
  the kernel releases when the process ends. Processes that wait for the lock
  then find the complete file. A writer that is killed leaves no file of this
  name.

  Args:
    path: Path of the file; its directory is made if necessary.
    num_bytes: Length of the file.
    pieces: Function that returns the content as successive arrays. It is called
      only if the file has to be written.

  Raises:
    OSError: If the file cannot be written, as on a full disk; no part is left.
    ValueError: If the length of the pieces is not `num_bytes`.
  """
  os.makedirs(os.path.dirname(path), exist_ok=True)
  if _is_complete(path, num_bytes):
    return
  with _locked(f'{path}.lock'):
    if not _is_complete(path, num_bytes):
      _write(path, num_bytes, pieces)


def _is_complete(path: str, num_bytes: int) -> bool:
  return os.path.exists(path) and os.path.getsize(path) == num_bytes


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
  with open(path, 'wb') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      _LOGGER.info('Another process is writing %s; waiting for it.',
                   path.removesuffix('.lock'))
      fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _write(path: str, num_bytes: int,
           pieces: Callable[[], Iterable[np.ndarray]]) -> None:
  with replacing(path) as temporary:
    free = shutil.disk_usage(os.path.dirname(path)).free
    if free < num_bytes:  # Before the work of decoding.
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    with open(temporary, 'wb') as file:
      for piece in pieces():
        file.write(np.ascontiguousarray(piece).data)
      if file.tell() != num_bytes:
        raise ValueError(
            'The images do not match the description of the data set; prepare '
            f'it again. Received: {file.tell()} bytes, of {num_bytes}')
