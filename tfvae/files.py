"""Files and directories that are complete on the disk, or not there."""

from collections.abc import Iterator
import contextlib
import functools
import hashlib
import os
import shutil


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str],
              temporary_name: str | None = None) -> Iterator[str]:
  """Yields a temporary path, whose file then replaces `path` atomically.

  Readers see the old file or the new one, also after a kill or a power failure.
  An error inside the block removes the temporary file; after a kill the next
  call removes it.

  Args:
    path: Path of a file in an existing directory.
    temporary_name: Name of the temporary file in the same directory, by default
      'tmp.' and the name of the file.

  Yields:
    The temporary path to write to.

  Raises:
    OSError: If the file cannot be written; the old file stays.
  """
  directory, name = os.path.split(path)
  temporary = os.path.join(directory, temporary_name or f'tmp.{name}')
  # The last two are the names that earlier versions used.
  for leftover in (temporary, f'{path}.tmp', f'{path}.partial'):
    _remove(leftover)
  try:
    yield temporary
    _sync(temporary)
    rename(temporary, path)
  except BaseException:  # A full disk needs the space of the partial file.
    _remove(temporary)
    raise


@contextlib.contextmanager
def temporary_directory(path: str) -> Iterator[str]:
  """Makes a directory that is removed at the end, unless it has a new name.

  Write into it, then call `sync_tree` and `rename`.

  Args:
    path: Path of the directory, a sibling of its later name.

  Yields:
    The path.
  """
  os.mkdir(path)  # Readable by other users, unlike the directories of tempfile.
  try:
    yield path
  finally:
    shutil.rmtree(path, ignore_errors=True)


def sync_tree(directory: str) -> None:
  """Flushes a directory and all files below it to the disk."""
  for folder, _, files in os.walk(directory, topdown=False):
    for name in files:
      _sync(os.path.join(folder, name))
    _sync(folder)


def rename(temporary: str, path: str | os.PathLike[str]) -> None:
  """Renames a file or a directory atomically, and flushes the new name.

  Args:
    temporary: Path of a file or a directory that is on the disk.
    path: New path in the same directory; a file there is replaced by a file.

  Raises:
    OSError: If a directory cannot take the place of what is there.
  """
  os.replace(temporary, path)
  _sync(os.path.dirname(path) or os.curdir)


def digest(path: str | os.PathLike[str]) -> str:
  """Returns a digest of the content of a file."""
  with open(path, 'rb') as file:
    return hashlib.file_digest(
        file, functools.partial(hashlib.blake2b, digest_size=16)).hexdigest()


def _sync(path: str):
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def _remove(path: str):
  with contextlib.suppress(OSError):  # Writing reports what is wrong.
    os.remove(path)
