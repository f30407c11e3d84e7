"""A model or an export as functions of rows."""

from collections.abc import Callable, Mapping, Sequence
import functools
import os
import re
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.inference.rows import row_seeds
from tfvae.layers.columns.raw_rows import raw_rows
from tfvae.models import LatentVariableModel
from tfvae.models.networks.precision import in_float32
from tfvae.prediction.outputs import Call
from tfvae.prediction.outputs import Output
from tfvae.serving import signatures
from tfvae.serving.saved_model.description import describe_model
from tfvae.serving.saved_model.description import described_columns
from tfvae.serving.saved_model.description import read_description
from tfvae.tables import Column

# Parts of TensorFlow's messages that describe its graph.
_GRAPH = re.compile(
    r'\A.*assertion failed: \[|\s*(\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*?\])',
    re.DOTALL)
_SEEDS = 2**31  # Seeds are int32 and at least 0.


class Predictor:
  """Outputs of a model for rows, by the signatures that a server runs.

  The outputs of a row depend on the row and on its id alone, up to the last
  bits, which may differ between batch sizes.

  Attributes:
    description: Description of the model; see `describe_model`.
  """

  def __init__(self, functions: Mapping[str, Callable[..., Any]],
               description: Mapping[str, Any], by_column: bool = False,
               keeps: Any = None):
    """Initializes the functions.

    Args:
      functions: Signatures by name.
      description: Description of the model.
      by_column: Whether the functions take the row of a table as values by
        column, not as codes.
      keeps: Object that owns the variables of the functions.
    """
    self.description = description
    self._functions, self._keeps = functions, keeps
    self._columns = described_columns(description) if by_column else {}

  @classmethod
  def of_model(cls, model: LatentVariableModel, names: Sequence[str],
               label_names: Sequence[str] | None = None,
               **settings) -> 'Predictor':
    """Returns the predictor of a model in memory.

    Args:
      model: `GraphVAE` or `VAE` that is built.
      names: Names of the signatures.
      label_names: Names of the classes of a conditional model.
      **settings: Arguments of `tfvae.serving.signatures`.
    """
    model = in_float32(model)
    return cls(signatures(model, names, by_column=False, **settings),
               describe_model(model, label_names), keeps=model)

  @classmethod
  def of_export(cls, path: str | os.PathLike[str],
                names: Sequence[str]) -> 'Predictor':
    """Returns the predictor of an exported version.

    Args:
      path: Directory of the version.
      names: Names of the signatures.

    Raises:
      ValueError: If it has no description, or lacks a signature.
    """
    description = read_description(path)
    loaded = tf.saved_model.load(os.fspath(path))
    lacking = [name for name in names if name not in loaded.signatures]
    if lacking:
      raise ValueError(
          'The export lacks signatures that the outputs need; export the run '
          f'again with the settings that add them. Received: model={path!r} '
          f'without {", ".join(lacking)}')
    return cls(loaded.signatures, description, bool(description['columns']),
               loaded)

  def columns(self, outputs: Sequence[Output], ids: np.ndarray, x: np.ndarray,
              y: np.ndarray | None = None,
              seed: int = 0) -> dict[str, np.ndarray]:
    """Returns the columns of outputs for a batch, `[b]` or `[b, ...]`.

    Args:
      outputs: Groups of columns.
      ids: Names of the rows, `[b]`, which fix their draws.
      x: Examples `[b, *shape]`; of a table, codes.
      y: One-hot labels of a conditional model, or None.
      seed: Seed of the draws.
    """
    call = self.caller(ids, x, y, seed)
    latents = list(self.description['latents'])
    return {name: values for output in outputs
            for name, values in output.columns(call, latents).items()}

  def caller(self, ids: np.ndarray, x: np.ndarray, y: np.ndarray | None = None,
             seed: int = 0) -> Call:
    """Returns the function from a signature to its outputs for a batch.

    Args:
      ids: Names of the rows, `[b]`; see `columns`.
      x: Examples.
      y: Labels, or None.
      seed: Seed of the draws.

    Raises:
      ValueError: When it is called with values that the signature refuses.
    """
    inputs = self._inputs(x)
    if y is not None:
      inputs['y'] = tf.constant(y)

    @functools.cache  # Several outputs may need the same one.
    def call(name, draw=0):
      function = self._functions[name]
      seeds = {'seed': tf.constant(row_seeds(ids, (seed + draw) % _SEEDS))}
      given = inputs | seeds
      try:
        found = function(**{key: given[key] for key in _keys(function)})
      except tf.errors.InvalidArgumentError as error:
        said = _GRAPH.sub('', error.message).replace('] [', ' [').strip()
        raise ValueError(
            f'{said}, in one of the rows {ids[0]} to {ids[-1]}') from error
      return {key: value.numpy() for key, value in found.items()}

    return call

  def _inputs(self, x: np.ndarray) -> dict[str, tf.Tensor]:
    if not self._columns:
      return {'x': tf.constant(x)}
    return _raw_values(self._columns, x, self._functions)


def _keys(function: Any) -> list[str]:
  """Returns the names of the inputs of a signature."""
  return list(function.structured_input_signature[1])


def _raw_values(columns: Mapping[str, Column], x: np.ndarray,
                functions: Mapping[str, Any]) -> dict[str, tf.Tensor]:
  """Returns the values of codes by input, NaN or '' where one is missing."""
  holes = np.isnan(x)
  # A code of each column in place of a missing one.
  codes = np.where(holes, np.float32(0), x)
  values = raw_rows(list(columns.values()), tf.constant(codes))
  dtypes = next(
      {key: spec.dtype for key, spec in found.items()}
      for found in (f.structured_input_signature[1]
                    for f in functions.values())
      if columns.keys() <= found.keys())
  result = {}
  for (name, column), is_missing in zip(columns.items(), holes.T, strict=True):
    value = values[column.name]
    if dtypes[name] != value.dtype:
      value = tf.cast(value, dtypes[name])  # A boolean that may be missing.
    if is_missing.any():
      value = tf.where(is_missing, '' if value.dtype == tf.string else np.nan,
                       value)
    result[name] = value
  return result
