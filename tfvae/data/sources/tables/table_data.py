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
from tfvae.data.sources.arrays.labels import numbered_classes
from tfvae.data.sources.arrays.weights import checked_weights
from tfvae.data.sources.data_set import DataSet
from tfvae.data.sources.findings import Findings
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
               label_key: str | None = None, missing: str = 'refuse',
               weight_key: str | None = None):
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
      weight_key: Column of the sample weights, which is not part of x, or None.

    Raises:
      ValueError: If a column is missing, or values are missing or do not fit
        the schema.
    """
    frames = dict(frames)
    first = frames['train']
    schema = schema or recognized(first)
    _check_columns(name, frames, schema)
    label_key = _label_key(name, first, label_key)
    if weight_key is not None:
      _check_has(name, first, 'weight_key', weight_key)
    others = [key for key in (label_key, weight_key) if key is not None]
    for key in others:
      schema = schema.without(key)
    used = [c.name for c in schema.modeled] + others
    counts, dropped = {}, {}
    for part, frame in frames.items():
      frames[part], counts[part] = _complete(name, part, frame[used], missing)
      dropped[part] = len(frame) - len(frames[part])
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
    self.findings = Findings(
        missing={part: found for part, found in counts.items() if found},
        dropped={part: count for part, count in dropped.items() if count})
    self._label, self._labels = (None, None) if label_key is None else (
        numbered_classes(label_key, [
            checked_labels(name, label_key, _label_values(frame[label_key]))
            for frame in frames.values()]))
    self._weights = None if weight_key is None else np.concatenate([
        checked_weights(name, weight_key, frame[weight_key].to_numpy())
        for frame in frames.values()])

  @classmethod
  def open(cls, path: str, schema: str | None = None,
           label_key: str | None = None, missing: str = 'refuse',
           weight_key: str | None = None) -> 'TableData':
    """Opens files.

    Args:
      path: Path of a CSV, TSV or Parquet file, or of a folder of them.
      schema: Path of a schema, or None to recognize it.
      label_key: See the class.
      missing: See the class.
      weight_key: See the class.
    """
    name = os.path.splitext(os.path.basename(os.path.normpath(path)))[0]
    files = table_files(path)
    root = path if os.path.isdir(path) else os.path.dirname(path)
    return cls(
        name, {part: read_tables(paths) for part, paths in files.items()},
        {os.path.relpath(file, root or '.'): digest(file)
         for paths in files.values() for file in paths},
        None if schema is None else Schema.load(schema), label_key, missing,
        weight_key)

  @classmethod
  def of(cls, frame: pd.DataFrame, schema: str | None = None,
         label_key: str | None = None, missing: str = 'refuse',
         weight_key: str | None = None) -> 'TableData':
    """Opens a data frame; see `open`."""
    frame = frame.rename(columns=str)
    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return cls('table', {'train': frame},
               {'frame': hashlib.blake2b(
                   hashes.tobytes(), digest_size=16).hexdigest()},
               None if schema is None else Schema.load(schema), label_key,
               missing, weight_key)

  def source(self, split: str, rows: np.ndarray) -> ArraySource:
    """Returns some of the rows as a source."""
    # The codes also depend on the rows that are left out.
    counts = '-'.join(str(len(x)) for x in self._x)
    return ArraySource(
        self.name, f'{self.full_name}/{counts}', split, 'columns', self._x,
        rows, self._label,
        None if self._labels is None else self._labels[rows],
        None if self._weights is None else self._weights[rows])


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


def _label_values(series: pd.Series) -> np.ndarray:
  if pd.api.types.is_numeric_dtype(series):
    return series.to_numpy()
  return series.astype(str).to_numpy('U')


def _label_key(name: str, frame: pd.DataFrame,
               key: str | None) -> str | None:
  """Returns the column of the labels, or None."""
  if key is None or (key == 'label' and key not in frame.columns):
    return None
  _check_has(name, frame, 'label_key', key)
  return key


def _check_has(name: str, frame: pd.DataFrame, argument: str, key: str) -> None:
  """Raises a ValueError unless a table has a column."""
  if key not in frame.columns:
    raise ValueError(
        f'The table has no such column. Set `{argument}` to one of '
        f'{", ".join(frame.columns)}. Received: {argument}={key!r} for '
        f'{name!r}')


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
              missing: str) -> tuple[pd.DataFrame, dict[str, int]]:
  """Returns the rows without missing values, and their number by column.

  Raises:
    ValueError: If values are missing and that is refused, or nothing is left.
  """
  holes = frame.isna()
  counts = {column: int(count) for column, count in holes.sum().items()
            if count}
  if not counts:
    return frame, counts
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
  return frame[~holes.any(axis=1)], counts
