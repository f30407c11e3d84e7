"""Files that are there whole or not at all, and are written once."""

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
  """Makes sure that a file is there whole; writes it if it is not.

  One process writes at a time, under an advisory lock on `<path>.lock`, which
  the kernel releases with the process; those that wait find the file written. A
  writer that is killed leaves no file of this name.

  Args:
    path: of the file; its directory is made too.
    num_bytes: its length.
    pieces: returns its content, arrays that follow each other. Called only if
      the file has to be written.

  Raises:
    OSError: if it cannot be written, as on a full disk; nothing is left then.
    ValueError: if the pieces have another length than `num_bytes`.
  """
  os.makedirs(os.path.dirname(path), exist_ok=True)
  if _is_whole(path, num_bytes):
    return
  with _locked(f'{path}.lock'):
    if not _is_whole(path, num_bytes):
      _write(path, num_bytes, pieces)


def _is_whole(path: str, num_bytes: int) -> bool:
  return os.path.exists(path) and os.path.getsize(path) == num_bytes


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
  with open(path, 'wb') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      _LOGGER.info('Another process writes %s; waiting for it.',
                   path.removesuffix('.lock'))
      fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _write(path: str, num_bytes: int,
           pieces: Callable[[], Iterable[np.ndarray]]) -> None:
  with replacing(path) as temporary:
    free = shutil.disk_usage(os.path.dirname(path)).free
    if free < num_bytes:  # Known before the work.
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    with open(temporary, 'wb') as file:
      for piece in pieces():
        file.write(np.ascontiguousarray(piece).data)
      if file.tell() != num_bytes:
        raise ValueError(
            'The data set has other images than its description says; prepare '
            f'it again. Received: {file.tell()} bytes, of {num_bytes}')
