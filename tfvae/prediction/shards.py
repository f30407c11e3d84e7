"""A folder of Parquet files that is complete or not there, and resumes."""

from collections.abc import Callable, Mapping
import json
import os
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tfvae import files
from tfvae import lock

# Readers of Parquet folders skip names that begin with an underscore.
JOB_FILE = '_job.json'
_INCOMPLETE = '.incomplete'


class Shards:
  """Files of successive rows, `part-00000-of-00012.parquet` and so on.

  They are written to a folder whose name ends in '.incomplete', each of them
  atomically, and the folder gets its name when all of them are there. After a
  kill, the same job keeps the files that are finished.

  Attributes:
    output: Path of the folder.
    count: Number of files.
  """

  def __init__(self, output: str, num_rows: int, shard_rows: int,
               settings: Mapping[str, Any]):
    """Initializes the files; writes nothing.

    Args:
      output: Path of the folder.
      num_rows: Number of rows, at least 1.
      shard_rows: Rows of each file but the last.
      settings: Facts that the content depends on, as plain data.
    """
    self.output = os.path.normpath(output)
    self.count = -(-num_rows // shard_rows)
    self._num_rows, self._shard_rows = num_rows, shard_rows
    self._job = {'rows': num_rows, 'rows_per_file': shard_rows, **settings}

  @property
  def incomplete(self) -> str:
    """Path of the folder before it is complete."""
    return self.output + _INCOMPLETE

  def prepare(self) -> bool:
    """Makes the folder of the files, or checks what is there.

    Returns:
      Whether all files are there already.

    Raises:
      ValueError: If the folder has the files of another job, or cannot be made.
    """
    if os.path.exists(self.output):
      self._check_same(self.output)
      return True
    try:
      os.makedirs(self.incomplete, exist_ok=True)
    except OSError as error:
      raise ValueError(
          f'Cannot write to the folder of `output`: {error.strerror}; choose '
          f'another one. Received: output={self.output}') from error
    if os.path.exists(os.path.join(self.incomplete, JOB_FILE)):
      self._check_same(self.incomplete)
    elif os.listdir(self.incomplete):
      raise _taken(self.incomplete, 'files of something else')
    else:
      path = os.path.join(self.incomplete, JOB_FILE)
      with (files.replacing(path) as temporary,
            open(temporary, 'w', encoding='utf-8') as file):
        json.dump(self._job, file, indent=2)
    return False

  def write(self, table_of: Callable[[int, int], pa.Table]):
    """Writes the files that are not there, and completes the folder.

    Args:
      table_of: Function from a first row, and the row after the last one, to
        their table.

    Raises:
      ValueError: If another process writes them.
    """
    with lock.held(self.incomplete, 'output'):
      for number in range(self.count):
        path = os.path.join(self.incomplete, self._name(number))
        if os.path.exists(path):
          continue
        start = number * self._shard_rows
        table = table_of(start, min(start + self._shard_rows, self._num_rows))
        with files.replacing(path) as temporary:
          parquet.write_table(table, temporary)
      files.sync_tree(self.incomplete)
      files.rename(self.incomplete, self.output)

  def rows_done(self) -> int:
    """Returns the number of rows in files that are there."""
    done = [number for number in range(self.count) if os.path.exists(
        os.path.join(self.incomplete, self._name(number)))]
    rows = len(done) * self._shard_rows
    if self.count - 1 in done:
      rows += self._num_rows - self.count * self._shard_rows
    return rows

  def _name(self, number: int) -> str:
    return f'part-{number:05d}-of-{self.count:05d}.parquet'

  def _check_same(self, folder: str):
    try:
      with open(os.path.join(folder, JOB_FILE), encoding='utf-8') as file:
        before = json.load(file)
    except (OSError, ValueError) as error:
      raise _taken(folder, 'no results of such a job') from error
    # As JSON has them: tuples are lists.
    now = json.loads(json.dumps(self._job))
    different = sorted(key for key in {*before, *now}
                       if before.get(key) != now.get(key))
    if different:
      raise _taken(folder, 'results of a job with other values of '
                   + ', '.join(different).replace('_', ' '))


def _taken(folder: str, content: str) -> ValueError:
  return ValueError(f'The folder has {content}; remove it, or choose another '
                    f'`output`. Received: {folder}')
