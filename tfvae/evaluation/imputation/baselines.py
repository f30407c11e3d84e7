"""Imputations without a latent variable model, to compare with."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import math
from typing import Any
import warnings

import numpy as np
from threadpoolctl import threadpool_limits

from tfvae.lazy import LazyModule
from tfvae.tables import Column

exceptions = LazyModule('sklearn.exceptions')
impute = LazyModule('sklearn.impute')
linear_model = LazyModule('sklearn.linear_model')

# Transformation of numbers of a kind for 'iterative', and its inverse.
_SCALES = {'positive': (np.log, np.exp), 'count': (np.log1p, np.expm1)}
_NEIGHBORS = 5
# Elements of x above which imputation is costly, and what then limits it.
MANY = 100
_FEW_ROWS = 2000  # Training rows.
_FEW_FEATURES = 100  # Elements that one is predicted from.
_ROUNDS, _FEW_ROUNDS = 10, 2
_MOST = 2000  # Elements of 'iterative', whose cost grows with their square.
_STEPS = 200  # Of the logistic regressions.


class Baselines:
  """Imputers that are fitted to training rows with their own missing values.

  - 'mean': The mean of a number, the most frequent code of a category.
  - 'knn': `sklearn.impute.KNNImputer`, 5 neighbors; O. Troyanskaya et al.,
    Missing Value Estimation Methods for DNA Microarrays, 2001.
  - 'iterative': `sklearn.impute.IterativeImputer`, a Bayesian ridge regression
    of each element on the others in 10 rounds, then a logistic regression of
    each category on the other columns; S. van Buuren and K.
    Groothuis-Oudshoorn, mice, 2011.

  The last two see a table as standardized numbers and one-hot categories;
  'iterative' sees log x of a positive column and log(1 + x) of a count. Other
  vectors are standardized, and images are as they are. Imputed numbers are
  within the range of the training rows.

  With more than 100 elements in x, the imputers are fitted to the first 2,000
  training rows, and 'iterative' predicts each element from 100 others, those
  with the highest correlations more often, in two rounds. With more than 2,000
  elements it is left out. For 1,000 images of MNIST and two masks, all take
  about 45 s of one core.

  Attributes:
    num_rows: Number of training rows that 'knn' and 'iterative' are fitted to.
  """

  def __init__(self, x: np.ndarray, columns: Sequence[Column] = ()):
    """Fits the imputers.

    Args:
      x: Training rows `[n, *event_shape]`, NaN where a value is missing.
      columns: Columns of x, if it is the row of a table.
    """
    rows = x.reshape(len(x), -1)
    self._constant = _constants(rows, columns)
    self._plain, self._logs = (
        _Features(rows, columns, x.ndim == 2, scales)
        for scales in ({}, _SCALES))
    is_large = rows.shape[1] > MANY
    rows = rows[:_FEW_ROWS] if is_large else rows
    self.num_rows = len(rows)
    with _one_thread():
      self._knn = impute.KNNImputer(
          n_neighbors=_NEIGHBORS, keep_empty_features=True).fit(
              self._plain(rows))
      self._iterative, self._classifiers = None, {}
      if rows.shape[1] > _MOST:
        return
      self._iterative = _iterative_imputer(
          # All rounds, also where no training row has a missing value.
          max_iter=_FEW_ROUNDS if is_large else _ROUNDS, tol=0.0,
          n_nearest_features=_FEW_FEATURES if is_large else None,
          keep_empty_features=True, random_state=0)
      self._classifiers = self._classified(
          rows, self._iterative.fit_transform(self._logs(rows)))

  def _classified(self, rows: np.ndarray, completed: np.ndarray
                  ) -> 'dict[int, linear_model.LogisticRegression]':
    """Returns a classifier of each category, given completed features.

    In the rounds, the one-hot numbers of a missing category keep their means,
    since each of them is 1 minus the sum of the others.
    """
    found = {}
    for d, block in self._logs.categories.items():
      known = ~np.isnan(rows[:, d])
      if len(np.unique(rows[known, d])) > 1:
        found[d] = linear_model.LogisticRegression(max_iter=_STEPS).fit(
            np.delete(completed[known], block, axis=1), rows[known, d])
    return found

  def impute(self, x: np.ndarray) -> dict[str, np.ndarray]:
    """Returns completed rows by the name of the imputer.

    Args:
      x: Rows `[m, *event_shape]`, NaN where a value is missing or hidden.

    Returns:
      Arrays of the shape of x, which have its observed values.
    """
    rows = x.reshape(len(x), -1)
    found = {'mean': np.broadcast_to(self._constant, rows.shape)}
    with _one_thread():
      found['knn'] = self._plain.inverse(
          self._knn.transform(self._plain(rows)))
      if self._iterative is not None:
        found['iterative'] = self._by_regression(rows)
    return {name: np.where(np.isnan(x), values.reshape(x.shape), x)
            for name, values in found.items()}

  def _by_regression(self, rows: np.ndarray) -> np.ndarray:
    completed = self._iterative.transform(self._logs(rows))
    found = self._logs.inverse(completed)
    for d, classifier in self._classifiers.items():
      found[:, d] = classifier.predict(
          np.delete(completed, self._logs.categories[d], axis=1))
    return found


class _Features:
  """Features of rows `[n, d]` for imputers: numbers, one-hot categories."""

  def __init__(self, rows: np.ndarray, columns: Sequence[Column],
               standardizes: bool, scales: Mapping[str, Any]):
    """Initializes the unit of numbers, that of training rows.

    Args:
      rows: Training rows.
      columns: Columns, if they are rows of a table.
      standardizes: Whether the features have mean 0 and variance 1.
      scales: Transformation and its inverse by the kind of the column.
    """
    self._columns, self._size = columns, rows.shape[1]
    self._scales = scales
    numbers = self._transformed(rows, 0)
    self._range = _range(numbers)
    self._loc, self._scale = np.zeros(self._size), np.ones(self._size)
    if standardizes:
      known = ~np.isnan(numbers)
      for d in range(self._size):
        part = numbers[known[:, d], d]
        if len(part) and np.ptp(part):
          self._loc[d], self._scale[d] = part.mean(), part.std()

  def __call__(self, rows: np.ndarray) -> np.ndarray:
    """Returns the features, `[n, f]`, NaN of a missing value."""
    numbers = (self._transformed(rows, 0) - self._loc) / self._scale
    return np.concatenate([
        _one_hot(rows[:, d], size) if size else numbers[:, d:d + 1]
        for d, size in enumerate(self._sizes)], axis=1)

  @property
  def categories(self) -> dict[int, range]:
    """Positions of the one-hot numbers of each category, by its column."""
    ends = np.cumsum([size or 1 for size in self._sizes]).tolist()
    return {d: range(end - size, end)
            for d, (end, size) in enumerate(zip(ends, self._sizes, strict=True))
            if size}

  def inverse(self, features: np.ndarray) -> np.ndarray:
    """Returns rows from features; categories are the largest number."""
    parts = np.split(features, np.cumsum(
        [size or 1 for size in self._sizes])[:-1], axis=1)
    rows = np.stack([
        part.argmax(axis=1) if size else part[:, 0]
        for part, size in zip(parts, self._sizes, strict=True)], axis=1)
    numbers = np.clip(rows * self._scale + self._loc, *self._range)
    return np.where(self._sizes, rows, self._transformed(numbers, 1))

  @property
  def _sizes(self) -> list[int]:
    """Number of codes of each category, 0 of a number."""
    return [column.num_codes for column in self._columns] or [0] * self._size

  def _transformed(self, rows: np.ndarray, direction: int) -> np.ndarray:
    """Returns numbers on the scale of the imputers (0), or back (1)."""
    rows = np.array(rows, np.float64)
    for d, column in enumerate(self._columns):
      if column.kind in self._scales:
        rows[:, d] = self._scales[column.kind][direction](rows[:, d])
    return rows


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
  """Silences warnings of convergence, and uses one thread.

  The matrices are so small that threads cost more than they save, on a machine
  with other load 20 times as much.
  """
  with threadpool_limits(1), warnings.catch_warnings():
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    yield


def _iterative_imputer(**settings: Any) -> Any:
  """Returns an `IterativeImputer`, which scikit-learn calls experimental."""
  from sklearn.experimental import enable_iterative_imputer  # noqa: F401

  return impute.IterativeImputer(**settings)


def _one_hot(codes: np.ndarray, size: int) -> np.ndarray:
  is_missing = np.isnan(codes)
  found = np.eye(size)[np.where(is_missing, 0, codes).astype(int)]
  found[is_missing] = np.nan
  return found


def _constants(rows: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
  """Returns the mean or the most frequent code of each column, `[d]`."""
  found = np.zeros(rows.shape[1])
  for d in range(rows.shape[1]):
    known = rows[~np.isnan(rows[:, d]), d]
    if len(known):
      found[d] = (np.bincount(known.astype(int)).argmax()
                  if columns and columns[d].categories
                  else known.mean(dtype=np.float64))
  return found


def _range(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns the lowest and the highest known number of each column."""
  known = ~np.isnan(numbers)
  return (np.min(numbers, axis=0, where=known, initial=math.inf),
          np.max(numbers, axis=0, where=known, initial=-math.inf))
