"""Steps that turn tables into valid rows, and other rows into failures.

A row is `((id, source), values)`: the id, the file that the row is from, and
the values of the model's inputs in order, the last of which is the seed of the
row if the model takes one. A failure is a dictionary of `id`, `source` and
`error`, in the output `failed`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from tfvae.inference.rows import row_seeds
from tfvae.pipelines.worker.columns import Field
from tfvae.pipelines.worker.columns import is_text
from tfvae.pipelines.worker.columns import takes
from tfvae.pipelines.worker.columns import values_of

FAILED = 'failed'
_CHUNK = 4096  # Rows of a table that are converted together.


def failure(row_id: Any, source: str,
            error: object) -> beam.pvalue.TaggedOutput:
  """Returns a failure as an element of the output `failed`.

  Args:
    row_id: Id; None if it is unknown.
    source: File.
    error: Reason.
  """
  return beam.pvalue.TaggedOutput(FAILED, {
      'id': row_id, 'source': source, 'error': str(error)})


class Rows(beam.DoFn):
  """Base class of the steps."""

  def __init__(self, fields: Sequence[Field], id_key: str | None = None,
               seed: int | None = None):
    """Initializes the step.

    Args:
      fields: Inputs of the model, except the seed.
      id_key: Column of the ids.
      seed: Seed of all rows; None if the model takes none.
    """
    self._fields, self._id_key, self._seed = tuple(fields), id_key, seed
    self._failures = beam.metrics.Metrics.counter('tfvae', 'failed')

  def _seeds(self, ids: Sequence[Any]) -> list[np.ndarray]:
    """Returns the seed of each id, or nothing if the model takes none."""
    return [] if self._seed is None else [row_seeds(ids, self._seed)]

  def _failed(self, row_id: Any, source: str,
              error: object) -> beam.pvalue.TaggedOutput:
    self._failures.inc()
    return failure(row_id, source, error)


class TableRows(Rows):
  """Returns the rows of `(source, pyarrow.Table)`."""

  def __init__(self, fields: Sequence[Field], id_key: str,
               has_integer_ids: bool, seed: int | None = None,
               are_texts: bool = False):
    """Initializes the step.

    Args:
      fields: Inputs of the model, except the seed.
      id_key: Column of the ids.
      has_integer_ids: Whether ids are integers, not strings.
      seed: Seed of all rows; None if the model takes none.
      are_texts: Whether the columns have the texts of CSV files.
    """
    super().__init__(fields, id_key, seed)
    self._has_integer_ids, self._are_texts = has_integer_ids, are_texts

  def process(self, element: tuple[str, pa.Table]) -> Iterator[Any]:
    """Yields rows and failures."""
    source, table = element
    problem = self._problem_of_types(table.schema)
    for batch in table.to_batches(max_chunksize=_CHUNK):
      ids = self._ids(batch) if self._id_key in batch.schema.names else (
          [None] * len(batch))
      if problem:
        yield from (self._failed(row_id, source, problem) for row_id in ids)
      else:
        yield from self._rows(source, batch, ids)

  def _problem_of_types(self, schema: pa.Schema) -> str | None:
    """Returns why no row of a table is valid, or None."""
    names = set(schema.names)
    for name in (self._id_key, *(field.column for field in self._fields)):
      if name not in names:
        return f'The table has no column {name!r}.'
    for field in self._fields:
      dtype = schema.field(field.column).type
      if not self._are_texts and not takes(field, dtype):
        return field.error(str(dtype))
    return None

  def _ids(self, batch: pa.RecordBatch) -> list[int | str | None]:
    """Returns the ids of a batch; None where there is none of the type."""
    ids = batch.column(self._id_key)
    if pa.types.is_dictionary(ids.type):
      ids = ids.cast(ids.type.value_type)
    if self._has_integer_ids and self._are_texts:
      return [_integer(text) for text in ids.to_pylist()]
    is_type = (pa.types.is_integer if self._has_integer_ids else is_text)(
        ids.type)
    return ids.to_pylist() if is_type else [None] * len(ids)

  def _rows(self, source: str, batch: pa.RecordBatch,
            ids: Sequence[Any]) -> Iterator[Any]:
    kind = 'an integer' if self._has_integer_ids else 'a string'
    columns, problems = [], {
        index: f'The id, column {self._id_key!r}, must be {kind}.'
        for index, value in enumerate(ids) if value is None}
    for field in self._fields:
      column = batch.column(field.column)
      values, is_valid = values_of(field, column, self._are_texts)
      columns.append(values)
      for index in np.flatnonzero(~is_valid):
        problems.setdefault(int(index), field.error(column[index].as_py()))
    columns += self._seeds([0 if row_id is None else row_id for row_id in ids])
    for index, (row_id, *values) in enumerate(zip(ids, *columns, strict=True)):
      if index in problems:
        yield self._failed(row_id, source, problems[index])
      else:
        yield (row_id, source), values


def _integer(text: str | None) -> int | None:
  """Returns the integer of a text, or None if it has no other digits."""
  try:
    value = int(text or '')
  except ValueError:
    return None
  return value if -2**63 <= value < 2**63 else None
