"""Rows of a table that are read and coded when they are needed."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import tensorflow as tf

from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.sources.row_source import RowSource
from tfvae.data.sources.source import ExampleSpec
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import LabelSpec
from tfvae.data.sources.tables.chunks import Rows
from tfvae.tables import coded
from tfvae.tables import Schema

# Groups of rows that take turns, and rows of each turn, in a shuffled order.
_CYCLE_LENGTH, _BLOCK_LENGTH = 16, 16
# Rows of one group that are coded at once while others take turns.
_TURN_ROWS = 2**13


class CodedRows:
  """The codes of successive rows of a table that are kept."""

  def __init__(self, rows: Rows, schema: Schema, used: Sequence[str],
               keeps_incomplete: bool = False):
    """Initializes the rows.

    Args:
      rows: Rows of the table.
      schema: Description of the columns.
      used: Columns of which a row must have a value.
      keeps_incomplete: Whether rows with missing values are kept; their codes
        are NaN.
    """
    self._rows, self._schema, self._used = rows, schema, list(used)
    self._keeps_incomplete = keeps_incomplete

  def chunks(self, skip: int = 0, take: int | None = None,
             **options) -> Iterator[np.ndarray]:
    """Yields codes in order, float32 `[b, d]`.

    Args:
      skip: Rows, of those that are kept, before the first.
      take: Rows after those; by default all.
      **options: Arguments of `Rows.chunks`.
    """
    for frame in self._frames(skip, take, **options):
      yield np.stack([coded(column, frame[column.name])
                      for column in self._schema.modeled], axis=1)

  def values(self, key: str, skip: int = 0,
             take: int | None = None) -> Iterator[np.ndarray]:
    """Yields the values of a used column, in the chunks of `chunks`."""
    for frame in self._frames(skip, take):
      yield frame[key].to_numpy()

  def _frames(self, skip: int, take: int | None,
              **options) -> Iterator[pd.DataFrame]:
    first, stop = 0, np.inf if take is None else skip + take
    for frame in self._rows.chunks(self._used, **options):
      if first >= stop:
        return
      if not self._keeps_incomplete:
        holes = frame.isna().to_numpy().any(axis=1)
        frame = frame[~holes] if holes.any() else frame
      front, end = max(0, skip - first), min(len(frame), stop - first)
      first += len(frame)
      if front < end:
        yield frame.iloc[front:int(end)]


class TableSource(RowSource):
  """Some of the rows of a table; x is the codes of a row.

  A file of `Files` is a run of successive rows in a group, and its path is the
  number of the group.
  """

  def __init__(self, name: str, full_name: str, split: str,
               groups: Sequence[CodedRows], sizes: Sequence[int],
               num_columns: int, rows: RowNumbers, label: LabelSpec | None,
               labels: np.ndarray | None, id_key: str | None = None):
    """Initializes the source.

    Args:
      name: Name of the data set.
      full_name: Name that identifies the content.
      split: Name of the rows.
      groups: Groups of rows, which are numbered through.
      sizes: Number of rows of each group that are kept.
      num_columns: Number of codes of a row.
      rows: Row numbers.
      label: Description of the classes, or None.
      labels: Class of each row of the data set, int64 `[m]`, or None.
      id_key: Column that names the rows, or None for their numbers.
    """
    super().__init__(
        name, full_name, split,
        ExampleSpec('columns', (num_columns,), np.float32, is_image=False),
        rows, label, labels)
    self._groups, self._id_key = groups, id_key
    self._files = Files.of_runs(rows, sizes)

  def files(self) -> Files:
    """Returns the runs of successive rows."""
    return self._files

  def records(self, files: Files, in_order: bool = True) -> tf.data.Dataset:
    """Returns pairs of a row number and the bytes of a row."""

    def run(group, skip, take, first):
      rows = tf.data.Dataset.from_generator(
          self._bytes, args=(group, skip, take),
          output_signature=tf.TensorSpec([None], tf.string))
      return tf.data.Dataset.zip(
          tf.data.Dataset.range(first, first + take), rows.unbatch())

    runs = tf.data.Dataset.from_tensor_slices(tuple(files))
    return runs.flat_map(run) if in_order else runs.interleave(
        run, cycle_length=_CYCLE_LENGTH, block_length=_BLOCK_LENGTH)

  def pieces(self, image: bool = True, start: int = 0,
             stop: int | None = None) -> Iterator[dict[str, np.ndarray]]:
    """Yields the rows in order, with the names of them in a column."""
    found = super().pieces(image, start, stop)
    if self._id_key is None or not image:
      yield from found
      return
    stop = len(self) if stop is None else stop
    # Both read the same chunks, so that the names are read once as well.
    for piece, ids in zip(found, self._ids(start, stop), strict=True):
      yield piece | {'ids': ids}

  def _ids(self, start: int, stop: int) -> Iterator[np.ndarray]:
    for path, skip, take, _ in zip(
        *self._files.between(start, stop), strict=True):
      yield from self._groups[int(path)].values(self._id_key, skip, take)

  def _values(self, start: int, stop: int) -> Iterator[np.ndarray]:
    for path, skip, take, _ in zip(
        *self._files.between(start, stop), strict=True):
      yield from self._groups[int(path)].chunks(skip, take)

  def _bytes(self, group: bytes, skip: int, take: int) -> Iterator[list[bytes]]:
    for codes in self._groups[int(group)].chunks(
        skip, take, max_rows=_TURN_ROWS):
      yield [row.tobytes() for row in codes]
