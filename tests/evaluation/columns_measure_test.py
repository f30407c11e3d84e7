"""Figures of columns against SciPy and against the ELBO."""

import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tests.eager_case import EagerCase
from tfvae import evaluation
from tfvae.evaluation.columns_measure import ColumnsMeasure
from tfvae.evaluation.columns_measure import correlation_difference
from tfvae.evaluation.columns_measure import marginal_distance
from tfvae.layers import IndependentColumns
from tfvae.models import image_vae
from tfvae.tables import Column

_COLUMNS = (
    Column('a', 'real'), Column('b', 'binary', 'number', (0, 1)),
    Column('c', 'categorical', 'string', ('x', 'y')), Column('d', 'real'))


class ColumnsMeasureTest(EagerCase):

  def test_distance_is_that_of_scipy(self):
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=200), rng.normal(0.3, 1.2, 500)
    self.assertAllClose(marginal_distance(_COLUMNS[0], real, made),
                        stats.ks_2samp(real, made).statistic)
    # ½ (|2/4 − 1/2| + |1/4 − 0| + |1/4 − 1/2|)
    self.assertAllClose(marginal_distance(
        _COLUMNS[2], np.array([0., 0, 1, 2]), np.array([0., 2])), 0.25)

  def test_correlations_without_categories(self):
    rng = np.random.default_rng(0)
    real = rng.normal(size=[100, 4])
    real[:, 1] = real[:, 0] > 0
    made = real.copy()
    made[:, 3] = rng.normal(size=100)
    pairs = [(0, 1), (0, 3), (1, 3)]
    differences = [abs(stats.pearsonr(real[:, i], real[:, j])[0]
                       - stats.pearsonr(made[:, i], made[:, j])[0])
                   for i, j in pairs]
    self.assertAllClose(correlation_difference(_COLUMNS, real, made),
                        np.mean(differences))
    self.assertIsNone(correlation_difference(
        _COLUMNS[2:], real[:, 2:], made[:, 2:]))

  def test_columns_sum_to_the_reconstruction(self):
    tf_keras.utils.set_random_seed(0)
    model = image_vae('z:2', (4,), likelihood=IndependentColumns(
        columns=_COLUMNS), hidden_units=(4,))
    rng = np.random.default_rng(0)
    x = np.float32(np.stack([
        rng.normal(size=50), rng.integers(2, size=50),
        rng.integers(3, size=50), rng.normal(size=50)], axis=1))
    measure = ColumnsMeasure(samples=40)
    metrics = evaluation.evaluate(model, x, [measure])
    block = metrics['columns']
    self.assertEqual(list(block['reconstruction']), ['a', 'b', 'c', 'd'])
    self.assertAllClose(sum(block['reconstruction'].values()),
                        metrics['test']['reconstruction'], rtol=1e-5)
    self.assertEqual(block['samples'], 40)
    for name, marginal in block['marginals'].items():
      self.assertAllClose(sum(marginal['real']), 1., msg=name)
    charts = measure.section(block).charts
    self.assertLen(charts, 4)
    self.assertIn('codes 0: other, 1: x, 2: y', charts[2].x_label)

  def test_missing_values_are_left_out(self):
    tf_keras.utils.set_random_seed(0)
    model = image_vae('z:2', (4,), likelihood=IndependentColumns(
        columns=_COLUMNS), hidden_units=(4,), missing=True)
    rng = np.random.default_rng(0)
    x = np.float32(np.stack([
        rng.normal(size=50), rng.integers(2, size=50),
        rng.integers(3, size=50), np.full(50, np.nan)], axis=1))
    x[:, :3][rng.random([50, 3]) < 0.3] = np.nan
    weights = np.float32(rng.integers(1, 3, 50))
    measure = ColumnsMeasure(samples=40)
    metrics = evaluation.evaluate(model, (x, x, weights), [measure])
    block, known = metrics['columns'], ~np.isnan(x)
    self.assertEqual(list(block['reconstruction']), ['a', 'b', 'c'])
    # Σ_c w_c E[log p(x_c|z)] over the rows that know c.
    shares = (weights @ known)[:3] / weights.sum()
    self.assertAllClose(
        shares @ np.array(list(block['reconstruction'].values())),
        metrics['test']['reconstruction'], rtol=1e-5)
    made = model.sample(40, 0).numpy()
    rows = known[:, 0]
    self.assertAllClose(
        block['marginal_distance']['a'],
        marginal_distance(_COLUMNS[0], x[rows, 0], made[:, 0], weights[rows]))
    self.assertAllClose(block['mean_marginal_distance'], np.mean(list(
        block['marginal_distance'].values())[:3]))
    both = known[:, 0] & known[:, 1]
    one = np.cov(x[both][:, :2], rowvar=False, aweights=weights[both])
    self.assertAllClose(
        block['correlation_difference'],
        abs(one[0, 1] / np.sqrt(one[0, 0] * one[1, 1])
            - stats.pearsonr(made[:, 0], made[:, 1])[0]), rtol=1e-5)
    self.assertLen(measure.section(block).charts, 3)

  def test_is_of_tables_alone(self):
    model = image_vae('z:2', (4,), hidden_units=(4,))
    metrics = evaluation.evaluate(
        model, np.zeros([10, 4], np.float32), ['columns'])
    self.assertEqual(metrics['columns'],
                     {'not_computed': 'the data are no table'})


if __name__ == '__main__':
  tf.test.main()
