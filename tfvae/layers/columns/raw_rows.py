"""Rows of a table as a client sends them, and their codes, in TensorFlow.

The operations have no state, such as a lookup table, so that a signature of a
SavedModel needs nothing but its graph.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfvae.tables.column import Column
from tfvae.tables.column import DATE
from tfvae.tables.column import KINDS

_DTYPES = {'number': tf.float32, 'string': tf.string, 'boolean': tf.bool}


def raw_dtypes(columns: Sequence[Column],
               allow_missing: bool = False) -> dict[str, tf.DType]:
  """Returns the dtype of the values of each column by name.

  Args:
    columns: Columns of x, in order.
    allow_missing: Whether values may be missing. A boolean cannot be, so that
      such a column then has the numbers 0 and 1.
  """
  dtypes = _DTYPES | ({'boolean': tf.float32} if allow_missing else {})
  return {column.name: dtypes[column.type] for column in columns}


def coded_rows(columns: Sequence[Column], values: Mapping[str, tf.Tensor],
               allow_missing: bool = False) -> tf.Tensor:
  """Returns the codes of rows, float32 `[b, d]`.

  A value that no code stands for, such as a NaN, fails with an
  InvalidArgumentError that names the column.

  Args:
    columns: Columns of x, in order.
    values: Values `[b]` by column, of the dtypes of `raw_dtypes`.
    allow_missing: Whether a NaN or an empty string is a missing value, whose
      code is NaN.
  """
  coded = _coded_or_missing if allow_missing else _coded
  return tf.stack([coded(column, values[column.name]) for column in columns],
                  axis=-1)


def raw_rows(columns: Sequence[Column], x: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns the values of codes by column, `[b]`.

  A number is as it is. A category that is not among those of the column is
  'other' in strings, and NaN in numbers.

  Args:
    columns: Columns of x, in order.
    x: Codes `[b, d]`.
  """
  return {column.name: _raw(column, codes) for column, codes in zip(
      columns, tf.unstack(x, len(columns), axis=-1), strict=True)}


def _coded_or_missing(column: Column, values: tf.Tensor) -> tf.Tensor:
  is_missing = (tf.equal(values, '') if values.dtype == tf.string
                else tf.math.is_nan(values))
  # A value of the column in place of a missing one.
  fill = '1970-01-01' if column.kind == 'date' else (
      column.categories[0] if column.categories else 1.0)
  values = tf.where(is_missing, tf.cast(fill, values.dtype)
                    if values.dtype != tf.string else fill, values)
  codes = _coded(column, values)
  return tf.where(is_missing, np.nan, codes)


def _coded(column: Column, values: tf.Tensor) -> tf.Tensor:
  if column.kind == 'date':
    return _days(column, values)
  if not column.categories:
    return _checked(column, values, values,
                    tf.math.is_finite(values) & column.admits(values))
  is_equal = tf.equal(values[:, tf.newaxis],
                      tf.constant(column.categories, values.dtype))
  is_known = tf.reduce_any(is_equal, axis=-1)
  code = tf.argmax(tf.cast(is_equal, tf.int32), axis=-1)
  if column.kind == 'categorical':
    return tf.cast(tf.where(is_known, code + 1, 0), tf.float32)
  return _checked(column, tf.cast(code, tf.float32), values, is_known)


def _raw(column: Column, codes: tf.Tensor) -> tf.Tensor:
  if column.kind == 'date':
    return _iso(codes)
  if not column.categories:
    return codes
  return tf.gather(tf.constant(column.values, _DTYPES[column.type]),
                   tf.cast(codes, tf.int32))


def _checked(column: Column, codes: tf.Tensor, values: tf.Tensor,
             is_valid: tf.Tensor) -> tf.Tensor:
  """Returns codes, whose use depends on a check of the values."""
  allowed = ('one of ' + ', '.join(map(str, column.categories))
             if column.categories else KINDS[column.kind])
  with tf.control_dependencies([tf.debugging.Assert(
      tf.reduce_all(is_valid), [
          f'The column {column.name} is {column.kind}, and takes {allowed}. '
          'Received:',
          tf.boolean_mask(values, ~is_valid)[:1]])]):
    return tf.identity(codes)


def _days(column: Column, dates: tf.Tensor) -> tf.Tensor:
  """Returns days since 1970-01-01 of dates such as 2024-05-01 17:30:00.

  The days of the civil calendar as by H. Hinnant, chrono-Compatible Low-Level
  Date Algorithms, 2013.
  """
  is_valid = tf.strings.regex_full_match(dates, DATE)
  valid = tf.where(is_valid, dates, '1970-01-01')
  # Midnight where there is no time. A time without seconds may end in a Z.
  valid = tf.strings.regex_replace(valid, 'Z$', '')
  whole = tf.strings.substr(tf.strings.join([
      valid, tf.gather(tf.constant(['', ':00', ' 00:00:00']), tf.where(
          tf.strings.length(valid) < 16, 2,
          tf.where(tf.strings.length(valid) < 19, 1, 0)))]), 0, 19)

  def part(start, length):
    return tf.strings.to_number(
        tf.strings.substr(whole, start, length), tf.int32)

  year, month, day = part(0, 4), part(5, 2), part(8, 2)
  year -= tf.cast(month <= 2, tf.int32)
  era = year // 400
  of_era = year - era * 400
  of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + (
      of_year) - 719468
  seconds = part(11, 2) * 3600 + part(14, 2) * 60 + part(17, 2)
  return _checked(
      column, tf.cast(days, tf.float32) + tf.cast(seconds, tf.float32) / 86400.,
      dates, is_valid)


def _iso(days: tf.Tensor) -> tf.Tensor:
  """Returns dates such as 2024-05-01 17:30:00; see `_days`."""
  seconds = tf.cast(tf.round(tf.cast(days, tf.float64) * 86400.), tf.int64)
  days, seconds = seconds // 86400, seconds % 86400
  days += 719468
  era = days // 146097
  of_era = days - era * 146097
  year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
  of_year = of_era - (365 * year + year // 4 - year // 100)
  shifted = (5 * of_year + 2) // 153
  day = of_year - (153 * shifted + 2) // 5 + 1
  month = tf.where(shifted < 10, shifted + 3, shifted - 9)
  year += era * 400 + tf.cast(month <= 2, tf.int64)

  def text(number, width):
    return tf.strings.as_string(number, width=width, fill='0')

  return tf.strings.join([
      text(year, 4), '-', text(month, 2), '-', text(day, 2), ' ',
      text(seconds // 3600, 2), ':', text(seconds // 60 % 60, 2), ':',
      text(seconds % 60, 2)])
