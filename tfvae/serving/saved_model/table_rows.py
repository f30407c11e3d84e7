"""Inputs and outputs of a signature by column, where x is the row of a table.

Their names are those of the columns, with an underscore for each character that
is no letter, digit or underscore of ASCII, and 'column_' in front of a name
that does not begin with a letter. Names of other inputs, such as 'seed' and the
latents, and words of Python, such as 'class', get the suffix '_column', that of
an earlier column '_2'.
"""

from collections.abc import Callable, Collection, Sequence
import keyword
import math
import re
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.layers import IndependentColumns
from tfvae.layers.columns.raw_rows import coded_rows
from tfvae.layers.columns.raw_rows import raw_dtypes
from tfvae.layers.columns.raw_rows import raw_rows
from tfvae.models import LatentVariableModel
from tfvae.serving.saved_model.request_checks import Shapes
from tfvae.serving.saved_model.request_checks import Tensors
from tfvae.tables import Column

# Names of other inputs, and of an argument of TensorFlow's functions.
_RESERVED = {'examples', 'image', 'seed', 'self', 'effective_sample_size'}
# Values of x among the outputs; of the two of a signature, the draw. The names
# of `impute` end in these.
_VALUES = ('sample', 'mean', 'lower', 'upper')


class TableRows:
  """Conversion of x from and to the columns of a table, or none."""

  def __init__(self, columns: Sequence[Column] = (),
               reserved: Collection[str] = (), allow_missing: bool = False):
    """Initializes the conversion.

    Args:
      columns: Columns of x; none for data that are not a table.
      reserved: Names of other inputs.
      allow_missing: Whether values may be missing: NaN or an empty string. Of
        a boolean column they are the numbers 0 and 1, and NaN.
    """
    self._columns = tuple(columns)
    self._names = _names(self._columns, reserved)
    self._allow_missing = allow_missing
    self._dtypes = raw_dtypes(self._columns, allow_missing)

  @classmethod
  def of(cls, model: LatentVariableModel) -> 'TableRows':
    """Returns the conversion for a model."""
    head = model.likelihood_layer()
    if not isinstance(head, IndependentColumns):
      return cls()
    graph = model.graph
    return cls(head.columns, _RESERVED.union(
        graph.latent_names, ['y'] if graph.is_conditional else []),
               model.allow_missing)

  @property
  def inputs(self) -> dict[str, str]:
    """Name of the input and the output of each column, by its name."""
    return dict(self._names)

  def shapes(self, shapes: Shapes) -> Shapes:
    """Returns the shapes of a signature's inputs, with columns for x."""
    if not self._columns or 'x' not in shapes:
      return shapes
    return dict.fromkeys(self._names.values(), ()) | {
        name: shape for name, shape in shapes.items() if name != 'x'}

  def dtypes(self, shapes: Shapes) -> dict[str, tf.DType]:
    """Returns the dtypes of the columns among the inputs of a signature."""
    if 'x' not in shapes:
      return {}
    return {name: self._dtypes[column] for column, name in self._names.items()}

  def by_column(self, function: Callable[..., Tensors],
                shapes: Shapes) -> Callable[..., Tensors]:
    """Returns a function of columns, and to columns, of a function of x.

    Args:
      function: Function of keyword tensors, x among them or not.
      shapes: Shapes of its inputs.
    """
    if not self._columns:
      return function

    def of_columns(**inputs):
      if 'x' in shapes:
        inputs['x'] = coded_rows(self._columns, {
            column: inputs.pop(name) for column, name in self._names.items()},
                                 self._allow_missing)
      outputs = dict(function(**inputs))
      found = {name: outputs.pop(name) for name in _VALUES if name in outputs}
      if not found:
        return outputs
      if 'lower' not in found:
        return self._named(next(iter(found.values())))
      return outputs | {
          f'{name}_{part}': value for part, x in found.items()
          for name, value in self._named(x).items()}

    return of_columns

  def _named(self, x: tf.Tensor) -> Tensors:
    values = raw_rows(self._columns, x)
    return {name: values[column] for column, name in self._names.items()}

  def example(self) -> dict[str, Any]:
    """Returns a valid value of each input that is a column, by its name."""
    if not self._columns:
      return {}
    codes = [
        math.exp(column.loc) if column.kind == 'positive' else
        0.0 if column.categories or column.kind == 'count' else column.loc
        for column in self._columns]
    values = raw_rows(self._columns, tf.constant([codes], tf.float32))
    # A category that is not among those of its column is valid, and NaN here.
    return {
        name: np.nan_to_num(value.astype(np.float32))
        if self._dtypes[column] == tf.float32 else value
        for column, name in self._names.items()
        for value in [values[column].numpy()[:1]]}


def _names(columns: Sequence[Column],
           reserved: Collection[str]) -> dict[str, str]:
  """Returns the name of each column's input and output."""
  found: dict[str, str] = {}
  for column in columns:
    name = re.sub(r'\W', '_', column.name, flags=re.ASCII)
    name = name if name[:1].isalpha() else f'column_{name}'
    if name in reserved or keyword.iskeyword(name):
      name += '_column'
    plain, number = name, 1
    while name in found.values():
      number += 1
      name = f'{plain}_{number}'
    found[column.name] = name
  return found
