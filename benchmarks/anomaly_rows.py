"""Data sets with labeled outliers, for `benchmarks.anomalies`."""

import os
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import datasets

from tfvae import anomaly
from tfvae import data

DATA_SETS = ('breast_cancer', 'biopsy', 'digits', 'fashion_mnist', 'mnist')
_OUTLIER_DIGIT = 4
_CALIBRATION_IMAGES, _TEST_IMAGES = 5000, 10_000


class Rows(NamedTuple):
  """Rows of one data set, float32 `[n, …]`; outliers are part of the test."""

  train: np.ndarray
  calibration: np.ndarray
  test: np.ndarray
  outliers: np.ndarray

  @property
  def new(self) -> np.ndarray:
    """Rows to score: calibration, test and outliers, each a vector."""
    return np.concatenate([flat(part) for part in self[1:]])

  @property
  def rate(self) -> float:
    """False-alarm rate α that the calibration rows allow."""
    is_enough = len(self.calibration) >= anomaly.required_rows(0.01)
    return 0.01 if is_enough else 0.05


def flat(x: np.ndarray) -> np.ndarray:
  """Returns rows as vectors."""
  return x.reshape([len(x), -1])


def is_table(name: str) -> bool:
  """Returns whether a data set is a table."""
  return name not in ('mnist', 'fashion_mnist')


def table_rows(name: str, tables: str, seed: int) -> Rows:
  """Returns standardized rows of a table, split at random.

  Args:
    name: Name of the table.
    tables: Directory of `biopsy.csv`.
    seed: Seed of the split.
  """
  match name:
    case 'breast_cancer':
      x, y = datasets.load_breast_cancer(return_X_y=True)
      is_normal = y == 1
    case 'digits':
      x, y = datasets.load_digits(return_X_y=True)
      is_normal = y != _OUTLIER_DIGIT
    case 'biopsy':
      table = pd.read_csv(os.path.join(tables, 'biopsy.csv')).dropna()
      x = table[[f'V{i}' for i in range(1, 10)]].to_numpy(float)
      is_normal = table['class'].to_numpy() == 'benign'
  normal = np.random.default_rng(seed).permutation(x[is_normal])
  train, calibration, test = np.split(
      normal, [int(0.6 * len(normal)), int(0.8 * len(normal))])
  scale = train.std(axis=0)
  scale[scale == 0] = 1  # Columns that are constant in the training rows.
  return Rows(*(np.float32((part - train.mean(axis=0)) / scale)
                for part in (train, calibration, test, x[~is_normal])))


def image_rows(name: str, data_dir: str | None) -> Rows:
  """Returns images, binarized once, `[n, 28, 28, 1]`.

  Args:
    name: Name of the data set.
    data_dir: Directory of TensorFlow Datasets.
  """
  own = _images(name, data_dir)
  foreign = own.test
  if name == 'fashion_mnist':
    foreign = _images('mnist', data_dir).test
  found = []
  for part in (own.train, own.validation, own.test, foreign):
    x = np.float32(data.fixed_binarization(part.images, seed=0))
    if name == 'mnist':
      x = x[(part.labels == _OUTLIER_DIGIT) == (len(found) == 3)]
    found.append(x[:_TEST_IMAGES] if len(found) >= 2 else x)
  return Rows(*found)


def _images(name: str, data_dir: str | None) -> data.ImageData:
  """Returns a data set whose validation split has the calibration images."""
  return data.load(name, data_dir,
                   train_split=f'train[:-{_CALIBRATION_IMAGES}]',
                   validation_split=f'train[-{_CALIBRATION_IMAGES}:]')
