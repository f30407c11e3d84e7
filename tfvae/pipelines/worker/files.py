"""Steps that read CSV files, serialized `tf.Example`s and image files.

Their rows and failures are those of `tables`.
"""

from collections.abc import Iterator, Sequence
import math
from typing import Any

import apache_beam as beam
from google.protobuf import message
import numpy as np
import pyarrow as pa
from pyarrow import csv
import tensorflow as tf

from tfvae.pipelines.worker.columns import Field
from tfvae.pipelines.worker.tables import Rows

# Lists of a feature by the dtype of the input, as `parse_example` has them.
_LISTS = {'float32': 'float_list', 'string': 'bytes_list', 'bool': 'int64_list'}


class ReadCsv(Rows):
  """Returns `(source, pyarrow.Table)` of a CSV file, whose texts it has."""

  def process(self, file: beam.io.fileio.ReadableFile) -> Iterator[Any]:
    """Yields tables, and a failure for each line of another length."""
    source, wrong = file.metadata.path, []
    names = [self._id_key, *(field.column for field in self._fields)]
    with file.open() as stream:
      batches = csv.open_csv(
          stream, csv.ReadOptions(use_threads=False),
          csv.ParseOptions(
              newlines_in_values=True,
              invalid_row_handler=lambda row: wrong.append(row) or 'skip'),
          csv.ConvertOptions(
              column_types=dict.fromkeys(names, pa.string()), null_values=[''],
              strings_can_be_null=True, include_columns=names,
              include_missing_columns=True))
      for batch in batches:
        yield source, pa.Table.from_batches([batch])
    for row in wrong:
      yield self._failed(None, source, (
          f'The line {row.text!r} has {row.actual_columns} values, the header '
          f'{row.expected_columns}.'))


class ExampleRows(Rows):
  """Returns the rows of `(source, serialized tf.Example)`."""

  def __init__(self, fields: Sequence[Field], id_key: str,
               has_integer_ids: bool, seed: int | None = None):
    """Initializes the step.

    Args:
      fields: Inputs of the model, except the seed.
      id_key: Feature of the ids.
      has_integer_ids: Whether ids are integers, not strings.
      seed: Seed of all rows; None if the model takes none.
    """
    super().__init__(fields, id_key, seed)
    self._has_integer_ids = has_integer_ids

  def process(self, element: tuple[str, bytes]) -> Iterator[Any]:
    """Yields a row or a failure."""
    source, record = element
    row_id = None
    try:
      features = tf.train.Example.FromString(record).features.feature
      row_id = id_of(features, self._id_key, self._has_integer_ids)
      values = [value_of(field, features) for field in self._fields]
      yield (row_id, source), values + [
          seeds[0] for seeds in self._seeds([row_id])]
    except (ValueError, message.DecodeError) as error:
      yield self._failed(row_id, source, error)


def id_of(features: Any, id_key: str, is_integer: bool) -> int | str:
  """Returns the id of an example.

  Args:
    features: Features by name.
    id_key: Name of the feature.
    is_integer: Whether ids are integers, not strings.

  Raises:
    ValueError: If the feature has another type, or not one value.
  """
  name = 'int64_list' if is_integer else 'bytes_list'
  values = getattr(features[id_key], name).value if id_key in features else ()
  if len(values) != 1:
    raise ValueError(f'The id, feature {id_key!r}, must be one value of '
                     f'{name}.')
  return values[0] if is_integer else values[0].decode('utf-8')


def value_of(field: Field, features: Any) -> Any:
  """Returns the value of an input.

  Args:
    field: Input.
    features: Features by name.

  Raises:
    ValueError: If the feature has another type, another number of values, or
      one that is not finite and may not be missing.
  """
  name, size = _LISTS[field.dtype], math.prod(field.shape)
  values = getattr(features[field.column], name).value if (
      field.column in features) else ()
  if len(values) != size:
    raise ValueError(f'The feature {field.column!r} must be a {name} of length '
                     f'{size}. Received: length {len(values)}')
  if field.dtype != 'float32':
    return values[0]
  numbers = np.array(values, np.float32).reshape(field.shape)
  is_allowed = np.isfinite(numbers)
  if field.may_be_missing:
    is_allowed |= np.isnan(numbers)
  if not is_allowed.all():
    raise ValueError(field.error(numbers[~is_allowed][0].item()))
  return numbers


class ImageRows(Rows):
  """Returns the rows of image files: the path, and the content."""

  def process(self, file: beam.io.fileio.ReadableFile) -> Iterator[Any]:
    """Yields a row or a failure."""
    path = file.metadata.path
    try:
      seeds = [seeds[0] for seeds in self._seeds([path])]
      yield (path, path), [file.read(), *seeds]
    except Exception as error:  # Of any file system.
      yield self._failed(path, path, error)
