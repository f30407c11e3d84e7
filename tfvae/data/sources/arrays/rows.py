"""Rows that become arrays a block at a time: sparse matrices, files."""

from typing import Any, Protocol

import numpy as np
from scipy import sparse

# Rows of a file that are read along rather than skipped.
_MAX_GAP = 64


class Rows(Protocol):
  """Rows of numbers of one shape, as of an array.

  Attributes:
    shape: Number of rows, and the shape of one.
    dtype: Type of the numbers.
  """

  shape: tuple[int, ...]
  dtype: np.dtype

  def __len__(self) -> int:
    """Returns the number of rows."""

  def __getitem__(self, key: slice | np.ndarray) -> np.ndarray:
    """Returns the rows of a slice or of indices `[b]`, as an array."""


def as_rows(value: Any) -> Rows:
  """Returns an array, or a sparse matrix as `SparseRows`."""
  if isinstance(value, SparseRows | FileRows):
    return value
  return SparseRows(value) if sparse.issparse(value) else np.asarray(value)


class SparseRows:
  """Rows of a sparse matrix; see `Rows`."""

  def __init__(self, matrix: Any):
    """Initializes the rows.

    Args:
      matrix: Sparse matrix of SciPy, `[n, d]`. One that is not CSR is copied.

    Raises:
      ValueError: If it does not have two axes.
    """
    if matrix.ndim != 2:
      raise ValueError('A sparse matrix must be `[n, d]`. Received: shape '
                       f'{matrix.shape}')
    self._matrix = matrix.tocsr()
    self.shape, self.dtype = matrix.shape, matrix.dtype

  def __len__(self) -> int:
    return self.shape[0]

  def __getitem__(self, key: slice | np.ndarray) -> np.ndarray:
    return self._matrix[key].toarray()


class FileRows:
  """Rows of a data set in an open file, read in slices; see `Rows`."""

  def __init__(self, stored: Any):
    """Initializes the rows.

    Args:
      stored: Data set of h5py, `[n, ...]`.
    """
    self._stored = stored
    self.shape, self.dtype = tuple(stored.shape), np.dtype(stored.dtype)

  def __len__(self) -> int:
    return self.shape[0]

  def __getitem__(self, key: slice | np.ndarray) -> np.ndarray:
    if isinstance(key, slice):
      return self._slice(*key.indices(len(self))[:2])
    steps = np.diff(key)
    cuts = np.flatnonzero((steps < 0) | (steps > _MAX_GAP)) + 1
    parts = [self[run[0]:run[-1] + 1][run - run[0]]
             for run in np.split(key, cuts) if len(run)]
    return np.concatenate(parts or [self[:0]])

  def _slice(self, start: int, stop: int) -> np.ndarray:
    return self._stored[start:stop]


class SparseFileRows(FileRows):
  """Rows of a sparse matrix in an open file; see `Rows`."""

  def __init__(self, shape: tuple[int, int], data: Any, indices: Any,
               indptr: Any):
    """Initializes the rows.

    Args:
      shape: (n, d).
      data: Data set of h5py with the nonzero numbers, row after row.
      indices: Data set with their columns.
      indptr: Data set with the place of the first number of each row, `[n +
        1]`, which is read.
    """
    super().__init__(data)
    self.shape = tuple(map(int, shape))
    self._indices, self._ends = indices, indptr[:]

  def _slice(self, start: int, stop: int) -> np.ndarray:
    ends = self._ends[start:max(start, stop) + 1]
    numbers = slice(ends[0], ends[-1])
    return sparse.csr_array(
        (self._stored[numbers], self._indices[numbers], ends - ends[0]),
        (len(ends) - 1, self.shape[1])).toarray()
