"""Reading of tables, by pandas and pyarrow."""

import csv
import os

import pandas as pd

from tfvae.data.sources.images.files import EXTENSIONS as IMAGE_EXTENSIONS
from tfvae.data.sources.tables.chunks import FrameRows
from tfvae.data.sources.tables.chunks import row_groups
from tfvae.data.sources.tables.chunks import RowGroup
from tfvae.data.sources.tables.chunks import Rows

EXTENSIONS = ('.csv', '.tsv', '.parquet')
_PARTS = ('train', 'validation', 'test')


def is_table(path: str | os.PathLike[str]) -> bool:
  """Returns whether this is the path of a table, or of a folder of tables.

  A folder of tables has no images, and no subfolders besides those of parts.
  """
  path = os.path.expanduser(os.fspath(path))
  if not os.path.isdir(path):
    return path.lower().endswith(EXTENSIONS)
  found = False
  for folder in (path, *(os.path.join(path, part) for part in _PARTS)):
    if not os.path.isdir(folder):
      continue
    with os.scandir(folder) as entries:
      for entry in entries:
        name = entry.name.lower()
        if name.startswith('.'):
          continue
        if name.endswith(IMAGE_EXTENSIONS) or entry.is_dir() and (
            folder != path or name not in _PARTS):
          return False
        found = found or name.endswith(EXTENSIONS)
  return found


def table_files(path: str) -> dict[str, list[str]]:
  """Returns the files of each part.

  A file is the part 'train'. So are the files of a folder, but those named
  'train', 'validation' and 'test', in any of the formats, and the files of
  subfolders of these names, are these parts.

  Args:
    path: Path of a file, or of a folder of files.

  Raises:
    ValueError: If a folder has parts and other tables.
  """
  if not os.path.isdir(path):
    return {'train': [path]}
  found: dict[str, list[str]] = {}
  for file in _tables_in(path):
    name = os.path.relpath(file, path).split(os.sep)[0].split('.')[0].lower()
    found.setdefault(name if name in _PARTS else '', []).append(file)
  if '' in found and len(found) > 1:
    raise ValueError(
        'A folder of tables has parts such as train.csv and test.csv, or '
        f'tables that are read as one. Received: {found[""][0]!r} next to '
        f'{", ".join(sorted(part for part in found if part))}')
  if '' in found:
    return {'train': found['']}
  if 'train' not in found:
    raise ValueError("A folder of tables needs the part 'train'. Received: "
                     f'{path!r} with {", ".join(found)}')
  return {part: found[part] for part in _PARTS if part in found}


def table_extension(path: str | os.PathLike[str]) -> str:
  """Returns the extension of a table, or of the tables in a folder."""
  path = os.path.expanduser(os.fspath(path))
  if os.path.isdir(path):
    path = (_tables_in(path) or ['.csv'])[0]
  return os.path.splitext(path)[1].lower()


def opened_tables(paths: list[str]) -> list[Rows]:
  """Opens files of the same columns as one table.

  Parquet is read later, a chunk at a time; other files are read now.

  Args:
    paths: Paths of files.

  Raises:
    ValueError: If a file cannot be read or is empty, or the columns differ.
  """
  if not all(path.lower().endswith('.parquet') for path in paths):
    return [FrameRows(read_tables(paths))]
  groups = [_row_groups(path) for path in paths]
  _check_same(paths, [found[0].columns for found in groups])
  return [group for found in groups for group in found]


def read_tables(paths: list[str]) -> pd.DataFrame:
  """Reads files of the same columns as one table.

  Args:
    paths: Paths of files.

  Raises:
    ValueError: If a file cannot be read or is empty, or the columns differ.
  """
  frames = [_read(path) for path in paths]
  _check_same(paths, [list(frame.columns) for frame in frames])
  return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _tables_in(folder: str) -> list[str]:
  """Returns the tables in a folder and in those of its parts, in order."""
  return sorted(
      os.path.join(root, name)
      for root in (folder, *(os.path.join(folder, part) for part in _PARTS))
      if os.path.isdir(root) for name in os.listdir(root)
      if name.lower().endswith(EXTENSIONS) and not name.startswith('.'))


def _check_same(paths: list[str], columns: list[list[str]]) -> None:
  for path, names in zip(paths, columns, strict=True):
    if names != columns[0]:
      differing = set(names) ^ set(columns[0])
      raise ValueError(
          'All tables must have the same columns, in the same order. Received: '
          f'{paths[0]!r} and {path!r}, which differ in '
          f'{", ".join(sorted(map(repr, differing))) or "their order"}')


def _row_groups(path: str) -> list[RowGroup]:
  try:
    groups = row_groups(path)
  except (ValueError, OSError) as error:  # Those of pyarrow are both.
    raise _unreadable(path, error) from error
  check_names(path, groups[0].columns if groups else [], bool(groups))
  return groups


def _read(path: str) -> pd.DataFrame:
  try:
    if path.lower().endswith('.parquet'):
      frame = pd.read_parquet(path)
      names = list(map(str, frame.columns))
    else:
      separator = '\t' if path.lower().endswith('.tsv') else ','
      names = _header(path, separator)
      frame = pd.read_csv(path, sep=separator, low_memory=False)
  except (ValueError, OSError) as error:  # Those of pyarrow are both.
    raise _unreadable(path, error) from error
  _check_header(path, names)
  check_names(path, names, len(frame) > 0)
  frame.columns = names
  return frame


def _unreadable(path: str, error: Exception) -> ValueError:
  return ValueError(
      f'The table cannot be read: {error}. Save it in UTF-8 with a line of '
      f'column names, or as Parquet. Received: name={path!r}')


def check_names(path: str, names: list[str], has_rows: bool) -> None:
  """Raises a ValueError unless names differ and there are rows.

  Args:
    path: Path or name of the table, for the message.
    names: Names of the columns.
    has_rows: Whether there are rows.
  """
  repeated = sorted({name for name in names if names.count(name) > 1})
  if repeated:
    raise ValueError(
        'Columns must have different names; rename one. Received: '
        f'{", ".join(map(repr, repeated))} repeated in {path!r}')
  if not has_rows:
    raise ValueError(f'The table has no rows. Received: name={path!r}')


def _header(path: str, separator: str) -> list[str]:
  """Returns the first line of a file, which pandas would make unique."""
  with open(path, encoding='utf-8-sig', newline='') as file:
    names = next(csv.reader(file, delimiter=separator), [])
  # pandas names a column without a name, such as the index that it writes.
  return [name or f'Unnamed: {i}' for i, name in enumerate(names)]


def _check_header(path: str, names: list[str]) -> None:
  """Raises a ValueError if the first line has values in place of names."""
  def is_number(text):
    try:
      float(text)
    except ValueError:
      return False
    return True

  if path.lower().endswith('.parquet'):
    return
  values = [name for name in names if is_number(name)]
  if values and 2 * len(values) >= len(names):
    raise ValueError(
        'A table needs a first line with the names of the columns, and this '
        f'line seems to have values. Add names. Received: {values[:3]} in the '
        f'first line of {path!r}')
