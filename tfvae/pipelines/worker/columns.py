"""Columns of Arrow tables as values of a model's inputs."""

from collections.abc import Sequence
import math
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import compute

# Texts of a boolean in a CSV file.
_BOOLEANS = {'true': True, '1': True, 'false': False, '0': False}


class Field(NamedTuple):
  """An input of the model, and the column of the data that has its values.

  Attributes:
    name: Name of the input.
    column: Name of the column, or of the feature of a `tf.Example`.
    dtype: 'float32', 'string' or 'bool'.
    shape: Shape of one row; an array is a list of as many numbers.
    may_be_missing: Whether NaN, null and an empty string are missing values.
  """

  name: str
  column: str
  dtype: str
  shape: tuple[int, ...] = ()
  may_be_missing: bool = False

  @property
  def description(self) -> str:
    """The values that the column must have."""
    if self.shape:
      return f'lists of {math.prod(self.shape)} finite numbers'
    return {'float32': 'finite numbers', 'bool': 'booleans',
            'string': 'strings or times'}[self.dtype]

  def error(self, value: Any) -> str:
    """Returns the message for a value that the input does not take."""
    text = repr(value)
    text = text if len(text) < 80 else f'{text[:80]}…'
    return (f'The column {self.column!r} must have {self.description}. '
            f'Received: {text}')


def takes(field: Field, dtype: pa.DataType) -> bool:
  """Returns whether an input takes the values of an Arrow type."""
  types = pa.types
  if types.is_dictionary(dtype):
    dtype = dtype.value_type
  if types.is_null(dtype):
    return True
  if field.shape:
    return _is_list(dtype) and _is_number(dtype.value_type)
  if field.dtype == 'string':
    return is_text(dtype) or types.is_date(dtype) or types.is_timestamp(dtype)
  return types.is_boolean(dtype) or (
      field.dtype == 'float32' and _is_number(dtype))


def is_text(dtype: pa.DataType) -> bool:
  """Returns whether an Arrow type has strings."""
  return pa.types.is_string(dtype) or pa.types.is_large_string(dtype)


def _is_number(dtype: pa.DataType) -> bool:
  return (pa.types.is_integer(dtype) or pa.types.is_floating(dtype)
          or pa.types.is_decimal(dtype) or pa.types.is_null(dtype))


def _is_list(dtype: pa.DataType) -> bool:
  return (pa.types.is_list(dtype) or pa.types.is_large_list(dtype)
          or pa.types.is_fixed_size_list(dtype))


def values_of(field: Field, column: pa.Array, are_texts: bool = False
              ) -> tuple[Sequence[Any], np.ndarray]:
  """Returns the values of an input, and whether each of them is valid.

  Args:
    field: Input, which `takes` the type of the column, except for texts.
    column: Column, of n rows.
    are_texts: Whether the column has the texts of a CSV file.

  Returns:
    n values, of which those that are not valid are arbitrary, and bool `[n]`.
  """
  if pa.types.is_dictionary(column.type):
    column = column.cast(column.type.value_type)
  if field.shape:
    return _arrays(field, column)
  if field.dtype == 'string':
    return _strings(field, column)
  if are_texts:
    column = _parsed(field, column)
  if field.dtype == 'bool':
    return column.to_pylist(), _is_valid(column)
  numbers = _numbers(column)
  return numbers.tolist(), _are_allowed(field, numbers)


def _is_valid(column: pa.Array) -> np.ndarray:
  return column.is_valid().to_numpy(zero_copy_only=False)


def _numbers(column: pa.Array) -> np.ndarray:
  """Returns float32 `[n]`, NaN where the column is null."""
  if pa.types.is_decimal(column.type):
    column = column.cast(pa.float64())
  return compute.cast(column, pa.float32(), safe=False).to_numpy(
      zero_copy_only=False)


def _are_allowed(field: Field, numbers: np.ndarray) -> np.ndarray:
  is_allowed = np.isfinite(numbers)
  return is_allowed | np.isnan(numbers) if field.may_be_missing else is_allowed


def _strings(field: Field, column: pa.Array) -> tuple[list[str], np.ndarray]:
  if pa.types.is_timestamp(column.type):  # Times with a zone become UTC.
    column = compute.cast(column, pa.timestamp('us'), safe=False)
  if not is_text(column.type):
    column = column.cast(pa.string())  # ISO 8601.
  is_valid = _is_valid(column) | field.may_be_missing
  return column.fill_null('').to_pylist(), is_valid


def _arrays(field: Field, column: pa.Array) -> tuple[list[Any], np.ndarray]:
  size = math.prod(field.shape)
  lengths = compute.fill_null(
      compute.list_value_length(column), -1).to_numpy() if (
          _is_list(column.type)) else np.full(len(column), -1)
  is_valid = lengths == size
  rows: list[Any] = [None] * len(column)
  if is_valid.any():
    numbers = _numbers(compute.list_flatten(
        column.filter(pa.array(is_valid)))).reshape(-1, *field.shape)
    found = np.flatnonzero(is_valid)
    is_valid[found] = _are_allowed(field, numbers).reshape(
        len(numbers), -1).all(axis=1)
    for index, row in zip(found, numbers, strict=True):
      rows[index] = row
  return rows, is_valid


def _parsed(field: Field, column: pa.Array) -> pa.Array:
  """Returns numbers or booleans of texts."""
  if field.dtype == 'bool':
    return pa.array([_BOOLEANS.get(text and text.strip().lower())
                     for text in column.to_pylist()], pa.bool_())
  try:
    return column.cast(pa.float64())
  except pa.ArrowInvalid:
    return pa.array(map(_number, column.to_pylist()), pa.float64())


def _number(text: str | None) -> float | None:
  try:
    return text and float(text)
  except ValueError:
    return math.inf  # Which no input takes, unlike NaN.
