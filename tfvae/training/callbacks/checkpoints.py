"""Checkpoints of a training on the disk."""

import contextlib
import logging
import os
import re
import shutil

import tensorflow as tf

from tfvae import files

_LOGGER = logging.getLogger(__name__)

_FILES = 'state'  # TensorFlow adds suffixes.

# Errors of TensorFlow for a damaged file; IndexError for a truncated one.
_UNREADABLE = (tf.errors.OpError, ValueError, IndexError)


class CheckpointStore:
  """Numbered checkpoints in a directory, each complete or absent.

  A checkpoint is written to a temporary directory, flushed to the disk and then
  renamed, so that a kill leaves the previous one. A checkpoint that cannot be
  read, because the disk failed, is renamed to `<number>.corrupt`, and the
  previous one is used.
  """

  def __init__(self, directory: str, keep: int):
    """Initializes the store.

    Args:
      directory: Path of the directory, which the first checkpoint creates.
      keep: Number of checkpoints to keep, the newest.
    """
    self._directory, self._keep = directory, keep

  def save(self, checkpoint: tf.train.Checkpoint, number: int):
    """Writes a checkpoint.

    Args:
      checkpoint: Checkpoint to save.
      number: Number of the checkpoint, higher than those in the directory.

    Raises:
      OSError: If it cannot be written; the previous checkpoints stay.
    """
    os.makedirs(self._directory, exist_ok=True)
    temporary = os.path.join(self._directory, f'.{number}.tmp')
    shutil.rmtree(temporary, ignore_errors=True)
    with files.temporary_directory(temporary):
      _write(checkpoint, os.path.join(temporary, _FILES))
      files.sync_tree(temporary)
      files.rename(temporary, self._path(number))
    for old in self._numbers()[:-self._keep]:
      shutil.rmtree(self._path(old), ignore_errors=True)

  def restore_latest(self, checkpoint: tf.train.Checkpoint) -> int | None:
    """Restores the newest checkpoint that can be read.

    Args:
      checkpoint: Checkpoint to restore.

    Returns:
      Its number; None if there are no checkpoints.

    Raises:
      ValueError: If there are checkpoints, and none can be read.
    """
    numbers, torn = self._numbers(), []
    for number in reversed(numbers):
      prefix = os.path.join(self._path(number), _FILES)
      try:
        _read_through(prefix)
      except _UNREADABLE as error:
        _LOGGER.warning(
            'Skipping the checkpoint %s, which cannot be read (%s); resuming '
            'from the previous one.', self._path(number), _first_line(error))
        torn.append(number)
        continue
      checkpoint.read(prefix).assert_existing_objects_matched()
      self._put_aside(torn)
      return number
    if numbers:
      raise ValueError(
          'None of the checkpoints can be read; remove the workdir, or choose '
          f'another `workdir`. Received: directory={self._directory}')
    return None

  def remove_leftovers(self):
    """Removes temporary files of killed processes, and corrupt checkpoints.

    The newest corrupt checkpoint stays, for a diagnosis of the disk. Only the
    process that holds the workdir may call this, after `restore_latest`.
    """
    leftovers = [f'.{number}.tmp' for number in self._numbers(r'\.(\d+)\.tmp')]
    corrupt = [f'{number}.corrupt'
               for number in self._numbers(r'(\d+)\.corrupt')]
    for name in (*leftovers, *corrupt[:-1]):
      shutil.rmtree(os.path.join(self._directory, name), ignore_errors=True)

  def _put_aside(self, numbers: list[int]):
    """Renames checkpoints whose numbers will be used again."""
    for number in numbers:
      aside = f'{self._path(number)}.corrupt'
      shutil.rmtree(aside, ignore_errors=True)
      # Another worker may have renamed it.
      with contextlib.suppress(FileNotFoundError):
        os.rename(self._path(number), aside)

  def _path(self, number: int) -> str:
    return os.path.join(self._directory, str(number))

  def _numbers(self, pattern: str = r'(\d+)') -> list[int]:
    """Returns the numbers in the names of a kind, in order: of checkpoints."""
    with contextlib.suppress(FileNotFoundError):
      found = [re.fullmatch(pattern, name, re.ASCII)
               for name in os.listdir(self._directory)]
      return sorted(int(match[1]) for match in found if match)
    return []


def _write(checkpoint: tf.train.Checkpoint, prefix: str):
  try:
    checkpoint.write(prefix)
  except tf.errors.OpError as error:  # A full disk, for example.
    raise OSError(None, _first_line(error), prefix) from error


def _read_through(prefix: str):
  """Reads every tensor of a checkpoint, which validates the checksums."""
  reader = tf.train.load_checkpoint(prefix)
  for name in reader.get_variable_to_shape_map():
    reader.get_tensor(name)


def _first_line(error: Exception) -> str:
  line = str(getattr(error, 'message', error)).split('\n', 1)[0]
  return re.sub(r'^\{\{.*?\}\} ?', '', line)  # Name of the node.
