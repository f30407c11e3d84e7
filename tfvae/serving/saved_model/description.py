"""Description of a served model, in a JSON file of its SavedModel.

TF Serving ignores the file, `assets.extra/tfvae.json`. With it, a program knows
the columns of a table and the input of each, the latents, the classes, and how
the data of the run were read.
"""

from collections.abc import Mapping, Sequence
import json
import os
from typing import Any

from tfvae.files import replacing
from tfvae.layers.columns.independent_columns import columns_of
from tfvae.models import LatentVariableModel
from tfvae.serving.saved_model.signatures import input_shapes
from tfvae.serving.saved_model.table_rows import TableRows
from tfvae.tables import Column

_FILE = os.path.join('assets.extra', 'tfvae.json')
# Calibration of the detector, if there is one.
DETECTOR_FILE = os.path.join('assets.extra', 'detector.npz')


def describe_model(model: LatentVariableModel,
                   label_names: Sequence[str] | None = None,
                   settings: Mapping[str, str] | None = None) -> dict[str, Any]:
  """Returns the description of a model, as plain data.

  Args:
    model: `GraphVAE` or `VAE` that is built.
    label_names: Names of the classes of a conditional model, in order; by
      default their numbers.
    settings: Settings of the run by name, as the text of flags.

  Returns:
    'graph', both factorizations; 'latents', sizes by name; 'shape' of one x;
    'likelihood', the name of its class; 'support', the kind of numbers of x;
    'allow_missing'; 'infers_label'; 'labels', the names of the classes, or
    None; 'columns', the description of each column of a table with the 'input'
    of signatures that is its own; and 'settings'.
  """
  head, graph = model.likelihood_layer(), model.graph
  if graph.is_conditional and label_names is None:
    label_names = [str(label) for label in range(model.num_classes)]
  inputs = TableRows.of(model).inputs
  return {
      'graph': {'inference': graph.inference_text,
                'generative': graph.generative_text},
      'latents': dict(graph.latents),
      'shape': list(input_shapes(model)['reconstruct']['x']),
      'likelihood': type(head).__name__,
      'support': getattr(head, 'support', None),
      'allow_missing': model.allow_missing, 'infers_label': graph.infers_label,
      'labels': list(label_names) if graph.is_conditional else None,
      'columns': [column.to_dict() | {'input': inputs[column.name]}
                  for column in columns_of(head)],
      'settings': dict(settings or {})}


def write_description(path: str, description: Mapping[str, Any]):
  """Adds a description to the SavedModel at a path."""
  file_path = os.path.join(path, _FILE)
  os.makedirs(os.path.dirname(file_path), exist_ok=True)
  with (replacing(file_path) as temporary,
        open(temporary, 'w', encoding='utf-8') as file):
    json.dump(description, file, indent=2, ensure_ascii=False)


def read_description(path: str | os.PathLike[str]) -> dict[str, Any]:
  """Returns the description of an exported version.

  Args:
    path: Directory of the version, such as 'runs/mnist/export/1'.

  Raises:
    ValueError: If there is no SavedModel, or an earlier version of tfvae
      exported it.
  """
  received = f'Received: model={os.fspath(path)!r}'
  try:
    with open(os.path.join(path, _FILE), encoding='utf-8') as file:
      return json.load(file)
  except OSError as error:
    if is_saved_model(path):
      raise ValueError(
          'The export has no description of its model, because an earlier '
          'version of tfvae made it; export the run again by `mode=export`. '
          + received) from error
    raise ValueError('There is no export; name the directory of a version, '
                     f'such as runs/mnist/export/1. {received}') from error


def described_columns(description: Mapping[str, Any]) -> dict[str, Column]:
  """Returns the columns of a table, by the names of their inputs."""
  return {column.pop('input'): Column(**column)
          for column in map(dict, description['columns'])}


def is_saved_model(path: str | os.PathLike[str]) -> bool:
  """Returns whether a directory holds a SavedModel."""
  return os.path.exists(os.path.join(path, 'saved_model.pb'))
