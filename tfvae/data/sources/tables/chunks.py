"""Tables that are read a chunk of rows at a time."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

# A chunk of Parquet has at most this many rows, and values in all columns.
_MAX_ROWS, _MAX_VALUES = 2**16, 2**20
# Bytes of a column of Parquet that are read at once.
_BUFFER_BYTES = 2**18


class Rows(Protocol):
  """Successive rows of a table.

  Attributes:
    columns: Names of the columns.
  """

  columns: list[str]

  def chunks(self, columns: Sequence[str] | None = None,
             max_rows: int = _MAX_ROWS) -> Iterator[pd.DataFrame]:
    """Yields the rows in order.

    Args:
      columns: Names of the columns to read; by default all of them.
      max_rows: Largest number of rows of a chunk that has to be read.
    """


class FrameRows:
  """Rows in a data frame, one chunk; see `Rows`."""

  def __init__(self, frame: pd.DataFrame):
    """Initializes the rows."""
    self._frame, self.columns = frame, list(frame.columns)

  def chunks(self, columns: Sequence[str] | None = None,
             max_rows: int = _MAX_ROWS) -> Iterator[pd.DataFrame]:
    """Yields the frame."""
    del max_rows  # It is in memory.
    yield self._frame if columns is None else self._frame[list(columns)]


class RowGroup:
  """Rows of one row group of a Parquet file; see `Rows`.

  The index of a chunk has the numbers of the rows in the file.
  """

  def __init__(self, path: str, number: int, start: int, columns: list[str]):
    """Initializes the rows.

    Args:
      path: Path of the file.
      number: Number of the row group.
      start: Rows of the file before it.
      columns: Names of the columns.
    """
    self._path, self._number, self._start = path, number, start
    self.columns = columns

  def chunks(self, columns: Sequence[str] | None = None,
             max_rows: int = _MAX_ROWS) -> Iterator[pd.DataFrame]:
    """Yields the rows in chunks, so that the size of the group is no matter."""
    columns = self.columns if columns is None else list(columns)
    size = max(1, min(max_rows, _MAX_VALUES // max(1, len(columns))))
    start = self._start
    # Without buffers, whole columns of the group would be read.
    with _opened(self._path, buffer_size=_BUFFER_BYTES) as file:
      for batch in file.iter_batches(size, [self._number], columns):
        frame = pa.Table.from_batches([batch]).to_pandas()
        frame.columns = frame.columns.map(str)
        frame.index = pd.RangeIndex(start, start + len(frame))
        start += len(frame)
        yield frame[columns]


def row_groups(path: str) -> list[RowGroup]:
  """Returns the row groups of a Parquet file that have rows.

  Raises:
    ValueError: If it cannot be read.
  """
  with _opened(path) as file:
    # Without those of the index of pandas.
    columns = list(map(str, file.schema_arrow.empty_table().to_pandas()))
    groups, start = [], 0
    for number in range(file.num_row_groups):
      size = file.metadata.row_group(number).num_rows
      if size:
        groups.append(RowGroup(path, number, start, columns))
      start += size
  return groups


def _opened(path: str, **options) -> parquet.ParquetFile:
  return parquet.ParquetFile(path, pre_buffer=False, **options)
