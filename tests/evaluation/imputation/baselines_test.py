"""Baselines against the imputers of scikit-learn on numbers alone."""

from unittest import mock
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.impute import KNNImputer
from sklearn.linear_model import BayesianRidge
import tensorflow as tf

from tfvae.evaluation.imputation import baselines
from tfvae.evaluation.imputation.baselines import Baselines
from tfvae.tables import Column


def _numbers(n=60, seed=0):
  """Returns correlated numbers of different scales, with missing ones."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=[n, 2]) @ rng.normal(size=[2, 4]) + 0.3 * rng.normal(
      size=[n, 4])
  x = np.float32(x * [1., 10., 0.1, 1.] + [0., 5., 0., 100.])
  x[rng.random(x.shape) < 0.2] = np.nan
  return x


class NumbersTest(tf.test.TestCase):

  def test_are_those_of_scikit_learn_on_standardized_numbers(self):
    train, test = _numbers(), _numbers(20, 1)
    mean, scale = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    found = Baselines(train).impute(test)
    low, high = np.nanmin(train, axis=0), np.nanmax(train, axis=0)
    self.enter_context(warnings.catch_warnings())
    warnings.simplefilter('ignore', ConvergenceWarning)
    for name, imputer in (
        ('knn', KNNImputer(n_neighbors=5)),
        ('iterative', IterativeImputer(tol=0., max_iter=10))):
      expected = imputer.fit((train - mean) / scale).transform(
          (test - mean) / scale) * scale + mean
      self.assertAllClose(
          found[name], np.where(np.isnan(test), np.clip(expected, low, high),
                                test), rtol=1e-4, msg=name)
    self.assertAllClose(found['mean'], np.where(np.isnan(test), mean, test),
                        rtol=1e-5)

  def test_complete_training_rows_are_iterated_too(self):
    rng = np.random.default_rng(0)
    train = rng.normal(size=[200, 1]) + 0.1 * rng.normal(size=[200, 3])
    test = np.array([[2., np.nan, np.nan]])
    # Rounds of the regressions of each column, from the means.
    row = np.array([2., *train[:, 1:].mean(axis=0)])
    models = [BayesianRidge().fit(np.delete(train, d, 1), train[:, d])
              for d in range(3)]
    for _ in range(10):
      for d in (1, 2):
        row[d] = models[d].predict(np.delete(row, d)[np.newaxis])[0]
    found = Baselines(train).impute(test)['iterative']
    self.assertAllClose(found[0], row, rtol=0.02)

  def test_images_are_as_they_are_and_large_ones_have_limits(self):
    rng = np.random.default_rng(0)
    train = np.float32(rng.random([30, 4, 4, 1]))
    test = np.where(rng.random([5, 4, 4, 1]) < 0.5, np.nan, train[:5])
    found = Baselines(train).impute(test)
    expected = KNNImputer(n_neighbors=5).fit(
        train.reshape(30, 16)).transform(test.reshape(5, 16))
    self.assertAllClose(found['knn'].reshape(5, 16), expected, rtol=1e-5)
    for name, value, names in (
        ('MANY', 10, ['mean', 'knn', 'iterative']), ('_MOST', 10, [
            'mean', 'knn'])):
      with self.subTest(name):
        self.enter_context(mock.patch.object(
            baselines, name, value))
        self.enter_context(mock.patch.object(
            baselines, '_FEW_ROWS', 20))
        limited = Baselines(train)
        self.assertEqual(limited.num_rows, 20)
        found = limited.impute(test)
        self.assertEqual(list(found), names)
        for values in found.values():
          self.assertFalse(np.isnan(values).any())


class TableTest(tf.test.TestCase):

  def test_columns_of_all_kinds(self):
    columns = (
        Column('size', 'real'), Column('mass', 'positive'),
        Column('eggs', 'count'), Column('sex', 'binary', 'string', ('f', 'm')),
        Column('kind', 'categorical', 'string', ('a', 'b', 'c')))
    rng = np.random.default_rng(0)
    kind = rng.integers(1, 4, 400)
    size = kind + 0.1 * rng.normal(size=400)
    x = np.stack([size, np.exp(2 * size), np.round(size**2), kind > 1, kind], 1)
    known = rng.random(x.shape) > 0.1
    train = np.where(known, x, np.nan)[:300]
    imputers = Baselines(train, columns)
    for d, column in enumerate(columns):
      test = x[300:].copy()
      test[:, d] = np.nan
      found = imputers.impute(test)
      if column.categories:
        mode = np.bincount(train[known[:300, d], d].astype(int)).argmax()
        self.assertAllEqual(found['mean'][:, d], np.full(100, mode))
        for name in ('knn', 'iterative'):
          self.assertAllEqual(found[name][:, d], x[300:, d], msg=column.name)
        continue
      self.assertAllClose(found['mean'][:, d], np.full(
          100, np.nanmean(train[:, d])))
      for name, least in (('knn', 0.9), ('iterative', 0.9)):
        error = np.mean((found[name][:, d] - x[300:, d])**2)
        self.assertGreater(1 - error / x[300:, d].var(), least,
                           f'{name}, {column.name}')
      others = np.delete(found['knn'], d, axis=1)
      self.assertAllEqual(others, np.delete(x[300:], d, axis=1))

  def test_empty_and_constant_columns(self):
    columns = (Column('a', 'real'), Column('b', 'real'),
               Column('c', 'categorical', 'string', ('u', 'v')))
    train = np.array([[1., np.nan, 1.], [1., np.nan, 1.], [1., np.nan, np.nan]])
    test = np.array([[np.nan, np.nan, np.nan], [2., 3., 0.]])
    for values in Baselines(train, columns).impute(test).values():
      self.assertAllClose(values[0, [0, 2]], [1., 1.])
      self.assertAllEqual(values[1], test[1])


if __name__ == '__main__':
  tf.test.main()
