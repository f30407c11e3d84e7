"""Tables as a data set: a number for each column of a row."""

from collections.abc import Mapping
import hashlib
import json
import logging
import os

import numpy as np
import pandas as pd

from tfvae.data.sources.arrays.array_source import ArraySource
from tfvae.data.sources.arrays.labels import checked_labels
from tfvae.data.sources.arrays.labels import label_values
from tfvae.data.sources.arrays.labels import numbered_classes
from tfvae.data.sources.data_set import DataSet
from tfvae.data.sources.tables.files import digest
from tfvae.data.sources.tables.files import is_table
from tfvae.data.sources.tables.files import read_tables
from tfvae.data.sources.tables.files import table_files
from tfvae.data.sources.tables.recognition import recognized
from tfvae.tables import coded
from tfvae.tables import Schema

_LOGGER = logging.getLogger(__name__)

MISSING = ('refuse', 'drop')


class TableData(DataSet):
  """The rows of a table, coded as `tfvae.tables.Column` describes.

  Attributes:
    schema: Description of the columns, without that of the labels.
  """

  def __init__(self, name: str, frames: Mapping[str, pd.DataFrame],
               content: Mapping[str, str], schema: Schema | None = None,
               label_key: str | None = None, missing: str = 'refuse'):
    """Initializes the data set.

    Args:
      name: Name of the data set.
      frames: Table of each part.
      content: Digest of each file; that of the schema is added.
      schema: Description of the columns; by default as recognized in the part
        'train'.
      label_key: Column of the labels, which is not part of x, or None. The
        default of the program, 'label', may be missing.
      missing: 'refuse' for an error if a value is missing, or 'drop' to leave
        such rows out.

    Raises:
      ValueError: If a column is missing, or values are missing or do not fit
        the schema.
    """
    frames = dict(frames)
    first = frames['train']
    schema = schema or recognized(first)
    _check_columns(name, frames, schema)
    label_key = _label_key(name, first, label_key)
    if label_key is not None:
      schema = schema.without(label_key)
    used = [c.name for c in schema.modeled] + (
        [label_key] if label_key else [])
    for part, frame in frames.items():
      frames[part] = _complete(name, part, frame[used], missing)
    for column in schema:
      _LOGGER.info('%s, column %s: %s%s.', name, column.name, column.kind,
                   f', {len(column.categories)} categories'
                   if column.categories else '')
    self._x = [np.stack([coded(column, frame[column.name])
                         for column in schema.modeled], axis=1)
               for frame in frames.values()]
    ends = np.cumsum([len(x) for x in self._x])
    rows = np.split(np.arange(ends[-1]), ends[:-1])
    super().__init__(
        name, dict(zip(frames, rows, strict=True)),
        {**content, 'schema': _schema_digest(schema)})
    self.schema = schema
    self._label, self._labels = (None, None) if label_key is None else (
        numbered_classes(label_key, [
            checked_labels(name, label_key, label_values(frame[label_key]))
            for frame in frames.values()]))

  @classmethod
  def open(cls, path: str, schema: str | None = None,
           label_key: str | None = None,
           missing: str = 'refuse') -> 'TableData':
    """Opens files.

    Args:
      path: Path of a CSV, TSV or Parquet file, or of a folder of them.
      schema: Path of a schema, or None to recognize it.
      label_key: See the class.
      missing: See the class.
    """
    name = os.path.splitext(os.path.basename(os.path.normpath(path)))[0]
    files = table_files(path)
    root = path if os.path.isdir(path) else os.path.dirname(path)
    return cls(
        name, {part: read_tables(paths) for part, paths in files.items()},
        {os.path.relpath(file, root or '.'): digest(file)
         for paths in files.values() for file in paths},
        None if schema is None else Schema.load(schema), label_key, missing)

  @classmethod
  def of(cls, frame: pd.DataFrame, schema: str | None = None,
         label_key: str | None = None,
         missing: str = 'refuse') -> 'TableData':
    """Opens a data frame; see `open`."""
    frame = frame.rename(columns=str)
    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return cls('table', {'train': frame},
               {'frame': hashlib.blake2b(
                   hashes.tobytes(), digest_size=16).hexdigest()},
               None if schema is None else Schema.load(schema), label_key,
               missing)

  def source(self, split: str, rows: np.ndarray) -> ArraySource:
    """Returns some of the rows as a source."""
    # The codes also depend on the rows that are left out.
    counts = '-'.join(str(len(x)) for x in self._x)
    return ArraySource(
        self.name, f'{self.full_name}/{counts}', split, 'columns', self._x,
        rows, self._label,
        None if self._labels is None else self._labels[rows])


def _schema_digest(schema: Schema) -> str:
  text = json.dumps([column.to_dict() for column in schema])
  return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def table_schema(path: str, schema: str | None = None) -> Schema:
  """Returns the description of the columns of a table.

  Args:
    path: Path of a table, or of a folder of tables.
    schema: Path of a schema that is known; None to recognize the columns of the
      part 'train'.

  Raises:
    ValueError: If the path is no table, or it cannot be read.
  """
  if not is_table(path):
    raise ValueError(
        'Only a table has a schema: a .csv, .tsv or .parquet file, or a folder '
        f'of them. Received: dataset={path!r}')
  frame = read_tables(table_files(os.path.expanduser(path))['train'])
  if schema is None:
    return recognized(frame)
  known = Schema.load(schema)
  _check_columns(path, {'train': frame}, known)
  return known


def _label_key(name: str, frame: pd.DataFrame,
               key: str | None) -> str | None:
  """Returns the column of the labels, or None."""
  names = list(map(str, frame.columns))
  if key is None or (key == 'label' and key not in names):
    return None
  if key not in names:
    raise ValueError(
        'The table has no such column. Set `label_key` to one of '
        f'{", ".join(names)}. Received: label_key={key!r} for {name!r}')
  return key


def _check_columns(name: str, frames: Mapping[str, pd.DataFrame],
                   schema: Schema) -> None:
  """Raises a ValueError if a column that the schema has is missing."""
  for part, frame in frames.items():
    lacking = [column.name for column in schema.modeled
               if column.name not in frame.columns]
    if lacking:
      raise ValueError(
          'The table lacks columns of the schema; add them, or take them out '
          f'of the schema. Received: {", ".join(map(repr, lacking))} missing '
          f'in {part!r} of {name!r}, which has {", ".join(frame.columns)}')


def _complete(name: str, part: str, frame: pd.DataFrame,
              missing: str) -> pd.DataFrame:
  """Returns the rows without missing values.

  Raises:
    ValueError: If values are missing and that is refused, or nothing is left.
  """
  holes = frame.isna()
  counts = {column: int(count) for column, count in holes.sum().items()
            if count}
  if not counts:
    return frame
  listed = ', '.join(f'{column!r}: {count:,}'
                     for column, count in counts.items())
  rows = int(holes.any(axis=1).sum())
  if missing == 'refuse':
    raise ValueError(
        'Values are missing. Leave these rows out with `missing=drop`, or take '
        'the columns out of the schema, with the kind identifier. Received: '
        f'{rows:,} of {len(frame):,} rows of {part!r} of {name!r} with missing '
        f'values ({listed})')
  if rows == len(frame):
    raise ValueError(
        'Each row has a missing value, so that none is left. Take columns out '
        'of the schema, with the kind identifier. Received: missing=drop for '
        f'{name!r} with missing values ({listed})')
  _LOGGER.warning('%s, %s: %d of %d rows with missing values are left out '
                  '(%s).', name, part, rows, len(frame), listed)
  return frame[~holes.any(axis=1)]
