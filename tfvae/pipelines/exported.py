"""Inputs and outputs of the signatures of an exported SavedModel."""

from collections.abc import Sequence
import json
import math
import os

import pyarrow as pa
import tensorflow as tf

from tfvae.pipelines.worker.columns import Field
from tfvae.pipelines.worker.model import local_copy
from tfvae.serving.saved_model.meta_graph import read_meta_graph
from tfvae.serving.saved_model.meta_graph import Signature
from tfvae.serving.saved_model.meta_graph import signatures_of

_DESCRIPTION = os.path.join('assets.extra', 'tfvae.json')
# Suffixes of outputs of `encode`, and those of their columns.
_SUFFIXES = {'loc': 'mean', 'scale_diag': 'stddev', 'scale_tril': 'scale_tril'}
_TYPES = {tf.float32: pa.float32(), tf.int32: pa.int32(), tf.bool: pa.bool_()}


class Exported:
  """Signatures of an export that a pipeline runs.

  Attributes:
    path: Directory of the export.
    signatures: Names of the signatures that are run.
    takes_seed: Whether one of them takes seeds.
    columns: Names of the columns of the table on which the model was trained,
      by their inputs; empty for other models and earlier exports.
  """

  def __init__(self, path: str, signatures: Sequence[str]):
    """Reads an export.

    Args:
      path: Directory of a version of the export.
      signatures: Names of the signatures to run.

    Raises:
      ValueError: If there is no export, or it lacks a signature.
    """
    self.path, self.signatures = path, tuple(signatures)
    try:
      with local_copy(path) as directory:
        self._all = signatures_of(read_meta_graph(directory))
        self.columns = _columns(os.path.join(directory, _DESCRIPTION))
    except (ValueError, OSError) as error:
      raise ValueError(
          'The flag --model must name a version of an export, such as '
          f'runs/mnist/export/1. {error}') from error
    for name in self.signatures:
      self._require(name, 'export the model again with this version of tfvae')
    self.takes_seed = 'seed' in self._inputs()

  def fields(self, by_column: bool = True) -> list[Field]:
    """Returns the inputs other than the seed.

    Args:
      by_column: Whether the data have the names of the columns of the table, in
        place of those of the inputs.
    """
    columns = self.columns if by_column else {}
    return [
        Field(name, columns.get(name, name), tf.as_dtype(info.dtype).name,
              _shape(info), 'impute' in self._all)
        for name, info in sorted(self._inputs().items()) if name != 'seed']

  def image_fields(self) -> list[Field]:
    """Returns the input for image files.

    Raises:
      ValueError: If the export does not read image files.
    """
    self._require('parse_image', 'only a run on images of a folder or of '
                  'TensorFlow Datasets exports it. Convert the images to '
                  'TFRecords with the feature x')
    others = self._inputs().keys() - {'x', 'seed'}
    if others:
      raise ValueError(
          'An image file has no values for the other inputs of the model, '
          f'{", ".join(sorted(others))}; convert images and values to '
          'TFRecords.')
    return [Field('image', 'image', 'string')]

  def outputs(self) -> list[tuple[str, pa.Field]]:
    """Returns each output and its column: a number, or a list of numbers."""
    found = {name: info for signature in self.signatures
             for name, info in sorted(self._all[signature].outputs.items())}
    return [(name, pa.field(self._column(name), _type(info)))
            for name, info in found.items()]

  def _inputs(self) -> dict[str, object]:
    return {name: info for signature in self.signatures
            for name, info in self._all[signature].inputs.items()}

  def _require(self, name: str, remedy: str) -> Signature:
    if name not in self._all:
      raise ValueError(
          f'The export has no signature {name!r}; {remedy}. It has '
          f'{", ".join(self._all)}. Received: --model={self.path}')
    return self._all[name]

  def _column(self, output: str) -> str:
    """Returns the name of the column of an output."""
    if output in _SUFFIXES:  # Of the only latent, which `decode` takes.
      latents = self._all['decode'].inputs.keys() - {'y'} if (
          'decode' in self._all) else {'z'}
      return f'{min(latents)}_{_SUFFIXES[output]}'
    for name, column in _SUFFIXES.items():
      if output.endswith(f'_{name}'):
        return f'{output.removesuffix(name)}{column}'
    return output


def _columns(path: str) -> dict[str, str]:
  if not os.path.exists(path):
    return {}
  with open(path, encoding='utf-8') as file:
    return {column['input']: column['name']
            for column in json.load(file).get('columns') or ()}


def _shape(info: object) -> tuple[int, ...]:
  return tuple(dim.size for dim in info.tensor_shape.dim[1:])


def _type(info: object) -> pa.DataType:
  dtype, shape = _TYPES[tf.as_dtype(info.dtype)], _shape(info)
  if not shape:
    return dtype
  return pa.list_(dtype, math.prod(shape) if min(shape) >= 0 else -1)
