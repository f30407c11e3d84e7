"""Check of the first file of the input, before the job starts."""

from collections.abc import Sequence
import struct

from apache_beam.io.filesystems import FileSystems
from google.protobuf import message
import pyarrow as pa
from pyarrow import csv
from pyarrow import parquet
import tensorflow as tf

from tfvae.pipelines.worker import columns
from tfvae.pipelines.worker.columns import Field


def check_file(kind: str, path: str, fields: Sequence[Field],
               id_key: str) -> bool:
  """Checks that a file has the inputs of a model.

  Args:
    kind: 'parquet', 'csv' or 'tfrecord'.
    path: File.
    fields: Inputs of the model, except the seed.
    id_key: Column or feature of the ids.

  Returns:
    Whether the ids are integers, not strings.

  Raises:
    ValueError: If the file cannot be read, lacks a column, or has another type.
  """
  check = {'parquet': _check_parquet, 'csv': _check_csv,
           'tfrecord': _check_example}[kind]
  try:
    return check(path, fields, id_key)
  except (OSError, pa.ArrowException, message.DecodeError) as error:
    raise ValueError(f'The first file cannot be read: {error}. Received: '
                     f'{path}') from error


def _check_parquet(path: str, fields: Sequence[Field], id_key: str) -> bool:
  with FileSystems.open(path) as file:
    schema = parquet.read_schema(file)
  _check_names(path, schema, fields, id_key)
  for field in fields:
    if not columns.takes(field, schema.field(field.column).type):
      raise ValueError(field.error(str(schema.field(field.column).type))
                       + f' in {path}')
  return _has_integers(path, schema, id_key)


def _check_csv(path: str, fields: Sequence[Field], id_key: str) -> bool:
  with FileSystems.open(path) as file:
    schema = csv.open_csv(file, parse_options=csv.ParseOptions(
        newlines_in_values=True, invalid_row_handler=lambda row: 'skip')).schema
  _check_names(path, schema, fields, id_key)
  arrays = [field.column for field in fields if field.shape]
  if arrays:
    raise ValueError(f'The inputs {", ".join(arrays)} are arrays, which a CSV '
                     'file cannot have; write a Parquet file with lists of '
                     f'numbers. Received: {path}')
  return pa.types.is_integer(schema.field(id_key).type)


def _check_names(path: str, schema: pa.Schema, fields: Sequence[Field],
                 id_key: str):
  names = [id_key, *(field.column for field in fields)]
  missing = [name for name in names if name not in schema.names]
  if missing:
    raise ValueError(
        f'The table lacks the columns {", ".join(missing)}; rename its columns '
        f'or choose --id_key. It has {", ".join(schema.names)}. Received: '
        f'{path}')


def _has_integers(path: str, schema: pa.Schema, id_key: str) -> bool:
  dtype = schema.field(id_key).type
  if pa.types.is_dictionary(dtype):
    dtype = dtype.value_type
  if not pa.types.is_integer(dtype) and not columns.is_text(dtype):
    raise ValueError(f'The column {id_key!r} of the ids must have integers or '
                     f'strings; choose another --id_key. Received: {dtype} in '
                     f'{path}')
  return pa.types.is_integer(dtype)


def _check_example(path: str, fields: Sequence[Field], id_key: str) -> bool:
  with FileSystems.open(path) as file:  # Decompresses by the extension.
    length = file.read(12)[:8]  # And its checksum.
    record = file.read(struct.unpack('<Q', length)[0]) if (
        len(length) == 8) else b''
  features = tf.train.Example.FromString(record).features.feature
  names = [id_key, *(field.column for field in fields)]
  missing = [name for name in names if name not in features]
  if missing:
    raise ValueError(
        f'The first example lacks the features {", ".join(missing)}; it has '
        f'{", ".join(sorted(features))}. Received: {path}')
  return bool(features[id_key].int64_list.value)
