"""Tables as a data set: a number for each column of a row."""

from collections.abc import Mapping, Sequence
import hashlib
import json
import logging
import os

import numpy as np
import pandas as pd

from tfvae.data.sources.arrays.array_source import ArraySource
from tfvae.data.sources.arrays.labels import merged_classes
from tfvae.data.sources.data_set import DataSet
from tfvae.data.sources.findings import Findings
from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.sources.source import Source
from tfvae.data.sources.tables.chunks import FrameRows
from tfvae.data.sources.tables.chunks import Rows
from tfvae.data.sources.tables.files import check_names
from tfvae.data.sources.tables.files import is_table
from tfvae.data.sources.tables.files import opened_tables
from tfvae.data.sources.tables.files import table_files
from tfvae.data.sources.tables.recognition import Recognition
from tfvae.data.sources.tables.scan import Scan
from tfvae.data.sources.tables.table_source import CodedRows
from tfvae.data.sources.tables.table_source import TableSource
from tfvae.files import digest
from tfvae.tables import Schema

_LOGGER = logging.getLogger(__name__)


class TableData(DataSet):
  """The rows of a table, coded as `tfvae.tables.Column` describes.

  The codes of a data frame are in memory. Rows that are read in chunks are
  coded when they are needed; only their labels are in memory.

  Attributes:
    schema: Description of the columns, without that of the labels.
  """

  def __init__(self, name: str, parts: Mapping[str, Sequence[Rows]],
               content: Mapping[str, str], schema: Schema | None = None,
               label_key: str | None = None, missing: str = 'refuse',
               weight_key: str | None = None, missing_labels: bool = False,
               id_key: str | None = None):
    """Initializes the data set.

    Args:
      name: Name of the data set.
      parts: Groups of rows of each part.
      content: Digest of each file; that of the schema is added.
      schema: Description of the columns; by default as recognized in the part
        'train'.
      label_key: Column of the labels, which is not part of x, or None. The
        default of the program, 'label', may be missing.
      missing: 'refuse' for an error if a value is missing, 'drop' to leave
        such rows out, or 'allow' to keep them, with NaN as codes.
      weight_key: Column of the sample weights, which is not part of x, or None.
      missing_labels: Whether labels may be missing; see `checked_labels`.
      id_key: Column that names the rows, which may be part of x, or None.

    Raises:
      ValueError: If a column is missing, or values are missing or do not fit
        the schema.
    """
    schema = schema or _recognized(parts['train'])
    _check_columns(name, parts, schema)
    names = parts['train'][0].columns
    label_key = _label_key(name, names, label_key)
    if weight_key is not None:
      _check_has(name, names, 'weight_key', weight_key)
    others = [key for key in (label_key, weight_key) if key is not None]
    for key in others:
      schema = schema.without(key)
    if id_key is not None:
      _check_has(name, names, 'id_key', id_key)
      others.append(id_key)
    modeled = [column.name for column in schema.modeled]
    # Labels and weights last, as `Scan` takes them.
    used = modeled + [
        key for key in reversed(others) if key not in modeled]
    scans = {part: Scan(
        name, part, groups, used, label_key, missing, weight_key,
        missing_labels)
             for part, groups in parts.items()}
    for column in schema:
      _LOGGER.info('%s, column %s: %s%s.', name, column.name, column.kind,
                   f', {len(column.categories)} categories'
                   if column.categories else '')
    self.allows_missing = missing == 'allow'
    if missing_labels:  # A row is complete without its label.
      used = [key for key in used if key != label_key]
    self._groups = [CodedRows(group, schema, used, self.allows_missing)
                    for groups in parts.values() for group in groups]
    self._sizes = [size for scan in scans.values() for size in scan.sizes]
    self._id_key, self._x = id_key, None
    if all(isinstance(group, FrameRows)
           for groups in parts.values() for group in groups):
      self._x = [np.concatenate(list(group.chunks()))
                 for group in self._groups]
    self._ids = None if self._x is None or id_key is None else np.concatenate(
        [ids for group in self._groups for ids in group.values(id_key)])
    self._counts = [sum(scan.sizes) for scan in scans.values()]
    super().__init__(
        name, RowNumbers.by_part(dict(zip(parts, self._counts, strict=True))),
        {**content, 'schema': _schema_digest(schema)})
    self.schema = schema
    self.findings = Findings(
        missing={part: scan.missing for part, scan in scans.items()
                 if scan.missing},
        dropped={part: scan.dropped for part, scan in scans.items()
                 if scan.dropped})
    self._label, self._labels = (None, None) if label_key is None else (
        merged_classes(label_key, [
            found for scan in scans.values() for found in scan.labels],
                       missing_labels))
    self.weights = None if weight_key is None else np.concatenate(
        [part for scan in scans.values() for part in scan.weights])

  @classmethod
  def open(cls, path: str, schema: str | Schema | None = None,
           label_key: str | None = None, missing: str = 'refuse',
           weight_key: str | None = None, missing_labels: bool = False,
           id_key: str | None = None) -> 'TableData':
    """Opens files.

    Args:
      path: Path of a CSV, TSV or Parquet file, or of a folder of them.
      schema: Schema, or the path of one, or None to recognize it.
      label_key: See the class.
      missing: See the class.
      weight_key: See the class.
      missing_labels: See the class.
      id_key: See the class.
    """
    name = os.path.splitext(os.path.basename(os.path.normpath(path)))[0]
    files = table_files(path)
    root = path if os.path.isdir(path) else os.path.dirname(path)
    return cls(
        name, {part: opened_tables(paths) for part, paths in files.items()},
        {os.path.relpath(file, root or '.'): digest(file)
         for paths in files.values() for file in paths},
        _schema_of(schema), label_key, missing, weight_key, missing_labels,
        id_key)

  @classmethod
  def of(cls, frame: pd.DataFrame, schema: str | Schema | None = None,
         label_key: str | None = None, missing: str = 'refuse',
         weight_key: str | None = None, missing_labels: bool = False,
         id_key: str | None = None) -> 'TableData':
    """Opens a data frame; see `open`."""
    frame = frame.rename(columns=str)
    check_names('table', list(frame.columns), len(frame) > 0)
    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return cls('table', {'train': [FrameRows(frame)]},
               {'frame': hashlib.blake2b(
                   hashes.tobytes(), digest_size=16).hexdigest()},
               _schema_of(schema), label_key, missing, weight_key,
               missing_labels, id_key)

  def source(self, split: str, rows: RowNumbers) -> Source:
    """Returns some of the rows as a source."""
    # The codes also depend on the rows that are left out.
    full_name = f'{self.full_name}/{"-".join(map(str, self._counts))}'
    if self._x is not None:
      return ArraySource(
          self.name, full_name, split, 'columns', self._x, rows, self._label,
          self._labels, self._ids)
    return TableSource(
        self.name, full_name, split, self._groups, self._sizes,
        len(self.schema.modeled), rows, self._label, self._labels, self._id_key)


def _schema_of(schema: str | Schema | None) -> Schema | None:
  return Schema.load(schema) if isinstance(schema, str | os.PathLike) else (
      schema)


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
  groups = opened_tables(table_files(os.path.expanduser(path))['train'])
  if schema is None:
    return _recognized(groups)
  known = Schema.load(schema)
  _check_columns(path, {'train': groups}, known)
  return known


def _recognized(groups: Sequence[Rows]) -> Schema:
  """Returns the description of the columns, in one pass over the rows."""
  recognition = Recognition()
  for group in groups:
    for frame in group.chunks():
      recognition.update(frame)
  return recognition.schema()


def _label_key(name: str, names: Sequence[str],
               key: str | None) -> str | None:
  """Returns the column of the labels, or None."""
  if key is None or (key == 'label' and key not in names):
    return None
  _check_has(name, names, 'label_key', key)
  return key


def _check_has(name: str, names: Sequence[str], argument: str,
               key: str) -> None:
  """Raises a ValueError unless a table has a column."""
  if key not in names:
    raise ValueError(
        f'The table has no such column. Set `{argument}` to one of '
        f'{", ".join(names)}. Received: {argument}={key!r} for {name!r}')


def _check_columns(name: str, parts: Mapping[str, Sequence[Rows]],
                   schema: Schema) -> None:
  """Raises a ValueError if a column that the schema has is missing."""
  for part, groups in parts.items():
    names = groups[0].columns
    lacking = [column.name for column in schema.modeled
               if column.name not in names]
    if lacking:
      raise ValueError(
          'The table lacks columns of the schema; add them, or take them out '
          f'of the schema. Received: {", ".join(map(repr, lacking))} missing '
          f'in {part!r} of {name!r}, which has {", ".join(names)}')
