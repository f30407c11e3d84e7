"""Numbered versions under a base path, each of them whole or not there."""

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

# The number is another exporter's, or a file of that name is in the way.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
_MAX_VERSION = 2**63 - 1


def publish(base_path: str | os.PathLike[str], write: Callable[[str], None],
            keep: int | None = None) -> str:
  """Publishes what `write` writes as the next integer version.

  TF Serving watches `base_path` and serves its highest integer at once, also
  one that is only half there. So `write` fills a temporary sibling, whose name
  is no integer; it is brought to the disk, then renamed, which happens whole or
  not at all. Exporters may run at once: each gets a number of its own. One that
  is killed leaves at most a temporary, which the next one on the same host
  removes, if the file system has locks.

  Args:
    base_path: the model's directory; made if it is not there.
    write: called with the path of an empty directory to fill.
    keep: how many versions stay, this one and those before it; None is all.
      They are renamed away before they are removed. Two or more leave a version
      to go back to. What is no integer directory is never touched.

  Returns:
    The path of the version, `<base_path>/<N>`.

  Raises:
    ValueError: if `keep` is below 1, or `base_path` cannot be written.
    Exception: what `write` raises, or an OSError of the disk; no version has
      changed then.
  """
  if keep is not None and keep < 1:
    raise ValueError('keep counts the new version too, so it is at least 1, or '
                     f'None for all. Received: keep={keep}')
  with contextlib.ExitStack() as stack:
    try:
      os.makedirs(base_path, exist_ok=True)
      temporary = _enter_temporary(stack, base_path)
    except OSError as error:
      raise ValueError(
          f'Cannot write to the base path: {error.strerror}; choose another. '
          f'Received: base_path={base_path}') from error
    write(temporary)
    files.sync_tree(temporary)
    with _locked(base_path):  # So that a later one gets a higher number.
      version = _rename_to_next_version(temporary, base_path)
  if keep is not None:
    _remove_old_versions(base_path, version, keep)
  return os.path.join(base_path, str(version))


def _enter_temporary(stack: contextlib.ExitStack, base_path: str) -> str:
  """Makes a temporary that is removed at the end, and locked until then."""
  # Under the lock of the base path nobody takes a temporary for a leftover
  # between its making and its locking.
  with _locked(base_path):
    _remove_leftovers(base_path)
    temporary = _temporary_path(base_path)
    stack.enter_context(files.temporary_directory(temporary))
    stack.enter_context(_locked(temporary))
  return temporary


@contextlib.contextmanager
def _locked(directory: str, wait: bool = True) -> Iterator[bool]:
  """Holds a directory's lock, which a kill ends too; gives whether it does."""
  descriptor = os.open(directory, os.O_RDONLY)
  try:
    try:
      fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
      is_held = True
    except OSError:  # Another holds it, or the file system has no locks.
      is_held = False
    yield is_held
  finally:
    os.close(descriptor)


def _temporary_path(base_path: str) -> str:
  return os.path.join(
      base_path,
      f'.tmp-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}')


def _remove_leftovers(base_path: str):
  """Removes the temporaries of this host whose process has ended."""
  # Not by the process id, which containers share and a reboot hands out again;
  # nor those of other hosts, since not every file system shares its locks.
  ours = re.compile(
      rf'\.tmp-{re.escape(socket.gethostname())}-[0-9]+-[0-9a-f]{{8}}')
  for name in filter(ours.fullmatch, os.listdir(base_path)):
    path = os.path.join(base_path, name)
    with contextlib.suppress(OSError), _locked(path, wait=False) as is_held:
      if is_held:
        shutil.rmtree(path, ignore_errors=True)


def _rename_to_next_version(temporary: str, base_path: str) -> int:
  while True:
    # Files and empty directories take a number too.
    version = 1 + max(map(_version, os.listdir(base_path)), default=0)
    try:
      files.rename(temporary, os.path.join(base_path, str(version)))
    except OSError as error:
      if error.errno not in _TAKEN:
        raise
    else:
      return version


def _version(name: str) -> int:
  """Returns the version that a server reads in a name, 0 if none."""
  is_version = re.fullmatch('[0-9]{1,19}', name) and int(name) < _MAX_VERSION
  return int(name) if is_version else 0


def _remove_old_versions(base_path: str, newest: int, keep: int):
  """Removes all but the last `keep` versions up to `newest`."""
  # Those above are of exporters that run now; a link is someone else's.
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
      pass  # Another exporter was faster.
    except OSError as error:
      logging.warning('Could not remove an old version: %s', error)
