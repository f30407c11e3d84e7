"""Numbered versions under a base path, each complete or not there."""

from collections.abc import Callable, Iterator
import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import socket

from absl import logging

from tfvae import files

# Another exporter has taken the number, or a file has this name.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
_MAX_VERSION = 2**63 - 1


def publish(base_path: str | os.PathLike[str], write: Callable[[str], None],
            keep: int | None = None) -> str:
  """Publishes the files that `write` creates as the next integer version.

  TF Serving watches `base_path` and immediately serves its highest integer,
  even if it is incomplete. Therefore `write` fills a temporary directory, whose
  name is not an integer. It is flushed to the disk and then renamed, which is
  atomic. Exporters may run concurrently: each gets its own number. An exporter
  that is killed leaves at most a temporary directory, which the next one on the
  same host removes if the file system supports locks.

  Args:
    base_path: Directory of the model; it is made if necessary.
    write: Function that fills an empty directory, whose path it receives.
    keep: Number of versions to keep, including this one; by default all. Two or
      more leave a version to roll back to. Older versions are renamed before
      they are removed. Other files and directories are unchanged.

  Returns:
    The path of the version, `<base_path>/<N>`.

  Raises:
    ValueError: If `keep` is below 1, or `base_path` cannot be written.
    Exception: Any error of `write`, or an OSError of the disk; the versions are
      unchanged.
  """
  if keep is not None and keep < 1:
    raise ValueError('`keep` includes the new version, so it must be at least '
                     f'1, or None for all. Received: keep={keep}')
  with contextlib.ExitStack() as stack:
    try:
      os.makedirs(base_path, exist_ok=True)
      temporary = _enter_temporary(stack, base_path)
    except OSError as error:
      raise ValueError(
          f'Cannot write to `base_path`: {error.strerror}; choose another '
          f'directory. Received: base_path={base_path}') from error
    write(temporary)
    files.sync_tree(temporary)
    with _locked(base_path):  # So that a later version gets a higher number.
      version = _rename_to_next_version(temporary, base_path)
  if keep is not None:
    _remove_old_versions(base_path, version, keep)
  return os.path.join(base_path, str(version))


def _enter_temporary(stack: contextlib.ExitStack, base_path: str) -> str:
  """Makes a temporary directory, which is locked until it is removed."""
  # The lock of the base path keeps other exporters from removing the directory
  # as a leftover before it is locked.
  with _locked(base_path):
    _remove_leftovers(base_path)
    temporary = _temporary_path(base_path)
    stack.enter_context(files.temporary_directory(temporary))
    stack.enter_context(_locked(temporary))
  return temporary


@contextlib.contextmanager
def _locked(directory: str, wait: bool = True) -> Iterator[bool]:
  """Locks a directory and yields whether it is locked; a kill releases it."""
  descriptor = os.open(directory, os.O_RDONLY)
  try:
    try:
      fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
      is_held = True
    except OSError:  # Locked by another process, or locks are not supported.
      is_held = False
    yield is_held
  finally:
    os.close(descriptor)


def _temporary_path(base_path: str) -> str:
  return os.path.join(
      base_path,
      f'.tmp-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}')


def _remove_leftovers(base_path: str):
  """Removes temporary directories of this host whose process has ended."""
  # By the lock, as containers share process ids and a reboot reuses them. Only
  # of this host, as not every file system shares its locks.
  ours = re.compile(
      rf'\.tmp-{re.escape(socket.gethostname())}-[0-9]+-[0-9a-f]{{8}}')
  for name in filter(ours.fullmatch, os.listdir(base_path)):
    path = os.path.join(base_path, name)
    with contextlib.suppress(OSError), _locked(path, wait=False) as is_held:
      if is_held:
        shutil.rmtree(path, ignore_errors=True)


def _rename_to_next_version(temporary: str, base_path: str) -> int:
  while True:
    # Files and empty directories also take a number.
    version = 1 + max(map(_version, os.listdir(base_path)), default=0)
    try:
      files.rename(temporary, os.path.join(base_path, str(version)))
    except OSError as error:
      if error.errno not in _TAKEN:
        raise
    else:
      return version


def _version(name: str) -> int:
  """Returns the version that a server reads from a name, or 0."""
  is_version = re.fullmatch('[0-9]{1,19}', name) and int(name) < _MAX_VERSION
  return int(name) if is_version else 0


def _remove_old_versions(base_path: str, newest: int, keep: int):
  """Removes all but the last `keep` versions up to `newest`."""
  # Higher versions belong to concurrent exporters, and links to the user.
  with os.scandir(base_path) as entries:
    versions = sorted(
        (_version(entry.name), entry.path) for entry in entries
        if entry.is_dir(follow_symlinks=False)
        and 0 < _version(entry.name) <= newest)
  for _, path in versions[:-keep]:
    temporary = _temporary_path(base_path)
    try:
      os.rename(path, temporary)
      shutil.rmtree(temporary)
    except FileNotFoundError:
      pass  # Another exporter has removed it.
    except OSError as error:
      logging.warning('Could not remove an old version: %s', error)
