"""The states of a training on the disk: whole, or skipped."""

import contextlib
import logging
import os
import re
import shutil

import tensorflow as tf

from tfvae import files

_LOGGER = logging.getLogger(__name__)

_FILES = 'state'  # What TensorFlow puts its suffixes to.

# What TensorFlow raises of a damaged file; of a shortened one an IndexError.
_UNREADABLE = (tf.errors.OpError, ValueError, IndexError)


class CheckpointStore:
  """Numbered checkpoints in a directory, each of them whole or not there.

  A checkpoint is written to a temporary sibling, brought to the disk and then
  renamed, so that a kill leaves the one before. One that cannot be read all the
  same, since the disk failed, is put aside as `<number>.corrupt`, and the one
  before is taken.
  """

  def __init__(self, directory: str, keep: int):
    """Initialises the store.

    Args:
      directory: made when it is first written to.
      keep: how many checkpoints stay, the newest.
    """
    self._directory, self._keep = directory, keep

  def save(self, checkpoint: tf.train.Checkpoint, number: int):
    """Writes a checkpoint.

    Args:
      checkpoint: what is saved.
      number: its number, higher than that of the ones there.

    Raises:
      OSError: if it cannot be written; those there stay.
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
      checkpoint: what is restored.

    Returns:
      Its number; None if there are no checkpoints.

    Raises:
      ValueError: if there are some, and none can be read.
    """
    numbers, torn = self._numbers(), []
    for number in reversed(numbers):
      prefix = os.path.join(self._path(number), _FILES)
      try:
        _read_through(prefix)
      except _UNREADABLE as error:
        _LOGGER.warning(
            'Skipping the checkpoint %s, which cannot be read (%s); the one '
            'before is taken.', self._path(number), _first_line(error))
        torn.append(number)
        continue
      checkpoint.read(prefix).assert_existing_objects_matched()
      self._put_aside(torn)
      return number
    if numbers:
      raise ValueError(
          'None of the checkpoints can be read; remove the workdir to begin '
          f'anew, or choose another. Received: {self._directory}')
    return None

  def remove_leftovers(self):
    """Removes what writers that were killed left, and old corrupt checkpoints.

    Of those that were put aside the newest stays, as a witness of the disk.
    Nobody may be writing meanwhile: it is for the process that holds the
    workdir, after `restore_latest`.
    """
    leftovers = [f'.{number}.tmp' for number in self._numbers(r'\.(\d+)\.tmp')]
    corrupt = [f'{number}.corrupt'
               for number in self._numbers(r'(\d+)\.corrupt')]
    for name in (*leftovers, *corrupt[:-1]):
      shutil.rmtree(os.path.join(self._directory, name), ignore_errors=True)

  def _put_aside(self, numbers: list[int]):
    """Makes room for the checkpoints that will have these numbers."""
    for number in numbers:
      aside = f'{self._path(number)}.corrupt'
      shutil.rmtree(aside, ignore_errors=True)
      # Another worker may have been faster.
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
  except tf.errors.OpError as error:  # TensorFlow's, of a full disk.
    raise OSError(None, _first_line(error), prefix) from error


def _read_through(prefix: str):
  """Reads every tensor of a checkpoint, which compares its checksums."""
  reader = tf.train.load_checkpoint(prefix)
  for name in reader.get_variable_to_shape_map():
    reader.get_tensor(name)


def _first_line(error: Exception) -> str:
  line = str(getattr(error, 'message', error)).split('\n', 1)[0]
  return re.sub(r'^\{\{.*?\}\} ?', '', line)  # TensorFlow's node.
