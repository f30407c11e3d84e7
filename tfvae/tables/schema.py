"""The columns of a table, and their file."""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import json
import os
from typing import Any

import numpy as np

from tfvae.files import replacing
from tfvae.tables.coding import decoded
from tfvae.tables.column import Column


@dataclasses.dataclass(frozen=True)
class Schema:
  """Columns of a table in the order of the table.

  Attributes:
    columns: Description of each column.
  """

  columns: tuple[Column, ...]

  def __post_init__(self):
    """Checks that the names differ and that something is modeled."""
    names = [column.name for column in self.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
      raise ValueError('Columns must have different names; rename one. '
                       f'Received: {", ".join(map(repr, repeated))} repeated')
    if not self.modeled:
      raise ValueError(
          'A table needs at least one column that is modeled, besides '
          'identifiers and constants. Received: columns '
          f'{", ".join(f"{c.name!r} ({c.kind})" for c in self.columns)}')

  @property
  def modeled(self) -> tuple[Column, ...]:
    """The columns that are part of x, in the order of its elements."""
    return tuple(column for column in self.columns if column.is_modeled)

  def __iter__(self) -> Iterator[Column]:
    return iter(self.columns)

  def without(self, name: str) -> 'Schema':
    """Returns the schema without a column."""
    return Schema(tuple(c for c in self.columns if c.name != name))

  def decoded(self, x: np.ndarray) -> dict[str, np.ndarray]:
    """Returns values by name of the column.

    Args:
      x: Codes of the modeled columns, `[n, d]`.
    """
    return {column.name: decoded(column, codes)
            for column, codes in zip(self.modeled, np.asarray(x).T,
                                     strict=True)}

  def save(self, path: str | os.PathLike[str]) -> None:
    """Writes the schema as JSON, which a person can edit."""
    text = json.dumps({'columns': [c.to_dict() for c in self.columns]},
                      indent=2, ensure_ascii=False)
    with (replacing(os.fspath(path)) as temporary,
          open(temporary, 'w', encoding='utf-8') as file):
      file.write(text + '\n')

  @classmethod
  def load(cls, path: str | os.PathLike[str]) -> 'Schema':
    """Reads the file of `save`.

    Raises:
      ValueError: If it cannot be read, or does not describe columns.
    """
    try:
      with open(path, encoding='utf-8') as file:
        content = json.load(file)
      return cls.from_list(content['columns'])
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, KeyError,
            TypeError) as error:
      raise ValueError(
          f'The schema cannot be read: {type(error).__name__}: {error}. Write '
          'one with `mode=schema`, and edit it. Received: '
          f'schema={os.fspath(path)!r}') from error

  @classmethod
  def from_list(cls, columns: Sequence[Mapping[str, Any]]) -> 'Schema':
    """Makes the schema from the arguments of each `Column`."""
    return cls(tuple(Column(**column) for column in columns))
