"""Files that are there whole or not at all."""

from collections.abc import Iterator
import contextlib
import os


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
  """Yields a temporary path, whose file then replaces `path` atomically.

  A reader sees the old file or the new one, and a process that is killed leaves
  the old one. An error inside the block removes the temporary file.

  Args:
    path: Path of a file in an existing directory.

  Yields:
    A path in the same directory to write to.
  """
  directory, name = os.path.split(path)
  temporary = os.path.join(directory, f'tmp.{name}')
  try:
    yield temporary
    with open(temporary, 'rb') as file:
      os.fsync(file.fileno())  # The content before the name.
    os.replace(temporary, path)
  except BaseException:  # A full disk leaves a part, and its space is needed.
    with contextlib.suppress(FileNotFoundError):
      os.remove(temporary)
    raise
