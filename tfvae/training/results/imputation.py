"""Imputation of the missing values of a file by the model of a run."""

import logging
import os
from typing import Any

import numpy as np
import pandas as pd

from tfvae import data
from tfvae.evaluation import Imputation
from tfvae.evaluation import impute
from tfvae.files import replacing
from tfvae.layers.columns.independent_columns import columns_of
from tfvae.models import LatentVariableModel
from tfvae.tables import Column
from tfvae.tables import Schema
from tfvae.tables.coding import coded
from tfvae.training.config import Config
from tfvae.training.fit.batches import as_counts
from tfvae.training.fit.images import read_data
from tfvae.training.results.samples import WRITERS

_LOGGER = logging.getLogger(__name__)

_ARRAYS = ('.npz', '.npy')


def check_files(config: Config):
  """Raises a ValueError unless the files of `mode=impute` can be used.

  Args:
    config: Settings of the run: `input`, `output` and `dataset`.
  """
  source, target = config.prediction.input, config.prediction.output
  received = f'Received: input={source}, output={target}'
  if not source or not target:
    raise ValueError('`mode=impute` needs `input`, a file with missing values, '
                     f'and `output`, the file to write. {received}')
  is_table = data.names_table(config.data.dataset)
  for name, path, allowed in (
      ('input', source, tuple(WRITERS) if is_table else _ARRAYS),
      ('output', target, tuple(WRITERS) if is_table else _ARRAYS[:1])):
    if not path.lower().endswith(allowed):
      kind = 'table' if is_table else 'data set that is no table'
      raise ValueError(f'`{name}` of a {kind} must be a file that ends in '
                       f'{" or ".join(allowed)}. {received}')
  if not os.path.isfile(source):
    raise ValueError(f'There is no such file `input`. {received}')
  folder = os.path.dirname(target) or '.'
  if not os.path.isdir(folder):
    raise ValueError(f'The directory of `output` does not exist; create it: '
                     f'mkdir -p {folder}. {received}')
  if os.path.realpath(source) == os.path.realpath(target):
    raise ValueError('`output` must be another file than `input`, which stays '
                     f'as it is. {received}')


def write_imputation(model: LatentVariableModel, config: Config):
  """Writes a file with its missing values filled in; see `evaluation.impute`.

  A table gets means, counts rounded, and most probable categories, in the
  columns that the model knows; others stay as they are. Next to the output
  `filled.csv`, `filled_cells.csv` has a line for each filled cell, with its
  95 % interval, draws of p(x_mis|x_obs), and the effective sample size of its
  row.

  An archive of arrays has x with means, `lower`, `upper`, `imputations`
  `[m, n, *event_shape]`, `effective_sample_size` `[n]` and `missing`.

  Args:
    model: Trained model.
    config: Settings of the run; see `check_files`.

  Raises:
    ValueError: If the file does not fit the model.
  """
  columns = columns_of(model.likelihood_layer())
  use, serving = config.prediction, config.serving
  if columns:
    frame = data.read_tables([use.input])
    x, labels = _codes(columns, frame, use.input), None
    if config.data.label_key in frame:
      labels = frame[config.data.label_key].to_numpy()
  else:
    x, labels = data.read_array(
        use.input, config.data.image_key, config.data.mask_key,
        config.data.label_key, as_counts(config),
        model.graph.infers_label)
  inputs = _with_labels(model, config, x, labels)
  found = impute(model, inputs, serving.imputation_draws,
                 serving.num_imputations, seed=config.evaluation.eval_seed,
                 verbose=True)
  missing = np.isnan(x)
  if columns:
    _write(_filled(frame, columns, found.mean, missing), use.output)
    stem, extension = os.path.splitext(use.output)
    _write(_cells(columns, found, missing), f'{stem}_cells{extension}')
  else:
    with replacing(use.output) as path, open(path, 'wb') as file:
      np.savez(
          file, x=found.mean, lower=found.lower, upper=found.upper,
          imputations=found.imputations, missing=missing,
          effective_sample_size=found.effective_sample_size)
  _LOGGER.info('%d of %d values were missing and are filled in %s.',
               missing.sum(), missing.size, use.output)


def _codes(columns: tuple[Column, ...], frame: pd.DataFrame,
           path: str) -> np.ndarray:
  """Returns the codes of the columns of a table, `[n, d]`."""
  lacking = [column.name for column in columns if column.name not in frame]
  if lacking:
    raise ValueError(
        'The table lacks columns that the model knows; add them, with empty '
        f'cells if need be. Received: {", ".join(map(repr, lacking))} missing '
        f'in {path!r}, which has {", ".join(map(str, frame.columns))}')
  return np.stack([coded(column, frame[column.name]) for column in columns],
                  axis=1)


def _with_labels(model: LatentVariableModel, config: Config, x: np.ndarray,
                 labels: np.ndarray | None) -> Any:
  """Returns x, with the one-hot labels of a conditional model.

  A missing label has a row of zeros, if the graph infers it.
  """
  infers = model.graph.infers_label
  if not model.graph.is_conditional or (infers and labels is None):
    return x
  names = read_data(config).label_names
  if labels is None:
    raise ValueError(
        'The model is conditional, and the file needs the labels of its '
        f'examples. Received: input={config.prediction.input} without '
        f'label_key={config.data.label_key}')
  found = pd.Series(labels).astype(object)
  found = found.where(found.notna() & ~found.isin(['', '-1', -1]), None)
  missing = found.isna().to_numpy()
  given = found[~missing].astype(str)
  unknown = sorted(set(given) - set(names)) + (
      ['a missing label'] * bool(missing.any() and not infers))
  if unknown:
    raise ValueError('Labels must be among the classes of the data set, '
                     f'{", ".join(names)}. Received: {", ".join(unknown)} in '
                     f'input={config.prediction.input}')
  y = np.zeros([len(x), len(names)], np.float32)
  y[np.flatnonzero(~missing), [names.index(name) for name in given]] = 1
  return {'x': x, 'y': y}


def _values(columns: tuple[Column, ...],
            codes: np.ndarray) -> dict[str, np.ndarray]:
  """Returns the values of codes by column, counts rounded, dates as text."""
  counts = [column.kind == 'count' for column in columns]
  values = Schema(columns).decoded(np.where(counts, np.round(codes), codes))
  # The text of a float32 has fewer digits than its float64.
  return {name: part.astype(str).astype(float) if part.dtype == np.float32
          else part.astype(str) if part.dtype.kind == 'M' else part
          for name, part in values.items()}


def _filled(frame: pd.DataFrame, columns: tuple[Column, ...],
            codes: np.ndarray, missing: np.ndarray) -> pd.DataFrame:
  """Returns a table with the values of codes in its missing cells."""
  frame = frame.copy()
  values = _values(columns, codes)
  for column, holes in zip(columns, missing.T, strict=True):
    if not holes.any():
      continue
    known = frame[column.name]
    part = pd.Series(values[column.name], frame.index).infer_objects()
    if known.dtype.kind == 'M':
      part = pd.to_datetime(part)
    elif known.dtype.kind not in 'fi' or part.dtype.kind not in 'fi':
      known = known.astype(object)  # Such as booleans with missing ones.
    frame[column.name] = known.where(~holes, part)
  return frame


def _cells(columns: tuple[Column, ...], found: Imputation,
           missing: np.ndarray) -> pd.DataFrame:
  """Returns a line for each filled cell, those of a row together."""
  rows, places = np.nonzero(missing)
  parts = {'mean': found.mean, 'lower': found.lower, 'upper': found.upper} | {
      f'draw_{i + 1}': x for i, x in enumerate(found.imputations)}
  names = np.array([column.name for column in columns], object)
  cells = {'row': rows, 'column': names[places]}
  for part, codes in parts.items():
    values = _values(columns, codes)
    cells[part] = [values[name][row] for row, name in zip(
        rows, cells['column'], strict=True)]
  return pd.DataFrame(cells | {
      'effective_sample_size': found.effective_sample_size[rows]})


def _write(frame: pd.DataFrame, path: str):
  extension = os.path.splitext(path)[1].lower()
  if extension == '.parquet':  # Columns of one type.
    frame = frame.assign(**{
        name: frame[name].map(str) for name in frame
        if len({type(value) for value in frame[name]}) > 1})
  with replacing(path) as temporary:
    WRITERS[extension](frame, temporary)
