"""Annotated matrices of the package anndata, which need not be installed."""

import sys
from typing import Any

import numpy as np
from scipy import sparse

from tfvae.data.sources.arrays.array_data import ArrayData
from tfvae.data.sources.arrays.labels import label_values
from tfvae.data.sources.arrays.rows import FileRows
from tfvae.data.sources.arrays.rows import SparseFileRows
from tfvae.data.sources.arrays.rows import SparseRows

EXTENSION = '.h5ad'


def is_annotated(value: Any) -> bool:
  """Returns whether this is an `anndata.AnnData`."""
  # If there is one, its package is imported.
  anndata = sys.modules.get('anndata')
  return anndata is not None and isinstance(value, anndata.AnnData)


def open_annotated(path: str) -> Any:
  """Opens a `.h5ad` file, whose x stays in the file.

  Raises:
    ValueError: If it cannot be read, or anndata is not installed.
  """
  try:
    import anndata
  except ImportError as error:
    raise ValueError(
        'A .h5ad file is read by the package anndata, which is not installed. '
        f'Install it: `pip install anndata`. Received: name={path!r}'
    ) from error
  try:
    return anndata.read_h5ad(path, backed='r')
  except Exception as error:  # Of h5py and of anndata, of many types.
    raise ValueError(f'The file cannot be read by anndata: {error}. '
                     f'Received: name={path!r}') from error


def annotated_data(name: str, adata: Any, image_key: str = 'image',
                   label_key: str | None = 'label',
                   missing: str = 'refuse',
                   missing_labels: bool = False) -> ArrayData:
  """Returns the rows of an `anndata.AnnData` as a data set.

  Args:
    name: Name of the data set.
    adata: Annotated matrix, in memory or in a file.
    image_key: Name of a layer, `adata.layers[image_key]`; the default, 'image',
      stands for `adata.X`.
    label_key: Column of `adata.obs` with the labels, or None. The default,
      'label', may be missing.
    missing: Treatment of rows with missing values, one of `MISSING`.
    missing_labels: Whether labels may be missing; see `checked_labels`.

  Raises:
    ValueError: If there is no such layer or column, or a label is missing.
  """
  key = 'X' if image_key == 'image' else image_key
  if key != 'X' and key not in adata.layers:
    raise ValueError(
        'The annotated matrix has no such layer. Set `image_key` to one of '
        f'{", ".join(adata.layers) or "none"}, or leave it out for `adata.X`. '
        f'Received: image_key={image_key!r} for {name!r}')
  x = adata.X if key == 'X' else adata.layers[key]
  if x is None:
    raise ValueError('The annotated matrix has no X. Set `image_key` to a '
                     f'layer. Received: {name!r} with the layers '
                     f'{", ".join(adata.layers) or "none"}')
  arrays = {'x': _rows(x)}
  if label_key in adata.obs:
    arrays['y'] = label_values(adata.obs[label_key], True) if (
        missing_labels) else _labels(name, adata.obs[label_key], label_key)
  elif label_key not in (None, 'label'):
    raise ValueError(
        'There is no such column of `adata.obs`. Set `label_key` to one of '
        f'{", ".join(map(str, adata.obs))}. Received: '
        f'label_key={label_key!r} for {name!r}')
  return ArrayData(name, arrays, missing=missing, missing_labels=missing_labels)


def _rows(x: Any) -> Any:
  if isinstance(x, np.ndarray):
    return np.asarray(x)  # Without the view of anndata.
  if sparse.issparse(x):
    return SparseRows(x)
  if not hasattr(x, 'format'):
    return FileRows(x)
  if x.format == 'csc':  # It has columns one after the other.
    return SparseRows(x.to_memory())
  # Not the slices of anndata 0.12, which SciPy 1.17 breaks.
  return SparseFileRows(x.shape, *(
      x.group[key] for key in ('data', 'indices', 'indptr')))


def _labels(name: str, column: Any, key: str) -> np.ndarray:
  missing = int(column.isna().sum())
  if missing:
    raise ValueError(
        'Labels are missing. Leave these rows out: '
        f'`adata[adata.obs[{key!r}].notna()]`. Received: {missing:,} of '
        f'{len(column):,} labels of label_key={key!r} missing for {name!r}')
  return label_values(column)
