"""Outputs of models and exports for rows, compared with the distributions."""

import os

import numpy as np
import tensorflow as tf
import tf_keras

from tests import incomplete_rows
from tfvae import models
from tfvae import prediction
from tfvae import serving
from tfvae.graph import GraphicalModel
from tfvae.layers import IndependentColumns
from tfvae.tables import Column

# The names are none of TensorFlow's, and one is that of another input.
_COLUMNS = (*incomplete_rows.COLUMNS, Column(
    'is (1)', 'binary', 'boolean', (False, True)), Column('seed', 'real'))
_LADDER = GraphicalModel.parse(
    'z1:3,z2:2', 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1')


def _make(graph, shape, **settings):
  tf_keras.utils.set_random_seed(0)
  return models.image_vae(
      graph, shape, hidden_units=(8,), factor_units=(8,), **settings)


def _rows():
  """Returns codes of `_COLUMNS`."""
  flags = np.float32([[0, 1], [1, -1], [1, 0], [0, 2]] * 10)
  flags[::4] = np.nan
  return np.concatenate([incomplete_rows.rows_of_table()[1], flags], axis=1)


class PredictorTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.x = np.random.default_rng(0).normal(size=[50, 6]).astype(np.float32)
    cls.ids = np.array([f'row {i}' for i in range(50)], object)
    cls.model = _make(_LADDER, (6,), likelihood='normal')
    cls.predictor = prediction.Predictor.of_model(
        cls.model, ['encode', 'sample_posterior', 'score'])

  def _columns(self, *outputs, rows=slice(None), **settings):
    return self.predictor.columns(
        [prediction.OUTPUTS.make(name, settings=settings) for name in outputs],
        self.ids[rows], self.x[rows])

  def test_posterior_is_that_of_the_model(self):
    found = self._columns('posterior')
    self.assertEqual(
        list(found), ['z1_mean', 'z1_stddev', 'z2_mean', 'z2_stddev'])
    values = {'x': tf.constant(self.x)}
    values = self.model.inference_values(values)
    q2 = self.model.posterior_factor('z2', values)
    q1 = self.model.posterior_factor('z1', values | {'z2': q2.mean()})
    for name, q in (('z1', q1), ('z2', q2)):
      self.assertAllClose(found[f'{name}_mean'], q.mean(), rtol=1e-5)
      self.assertAllClose(found[f'{name}_stddev'], q.stddev(), rtol=1e-5)

  def test_draws_have_the_moments_of_the_posterior(self):
    moments = self._columns('posterior')
    draws = self._columns('draws', num_draws=400)['z2_draws']
    self.assertEqual(draws.shape, (50, 400, 2))
    scaled = (draws - moments['z2_mean'][:, np.newaxis]) / (
        moments['z2_stddev'][:, np.newaxis])
    # 40,000 draws: standard errors of mean and deviation 0.005 and 0.0035.
    self.assertNear(scaled.mean(), 0, 0.025)
    self.assertNear(scaled.std(), 1, 0.02)

  def test_a_row_does_not_depend_on_its_batch(self):
    every = self._columns('elbo', 'draws')
    self.assertAllClose(every['elbo'], every['reconstruction'] - every['kl'],
                        rtol=1e-5)
    order = np.random.default_rng(1).permutation(50)
    for rows in ([7], order[:20], order):
      for name, values in self._columns('elbo', 'draws', rows=rows).items():
        self.assertAllClose(values, every[name][rows], rtol=1e-5, atol=1e-5)

  def test_export_of_a_table_equals_the_model(self):
    model = _make('z:2', (len(_COLUMNS),), missing=True,
                  likelihood=IndependentColumns(columns=_COLUMNS))
    path = serving.export_saved_model(model, self.create_tempdir().full_path)
    names, x = ['encode', 'score'], _rows()
    found = [
        predictor.columns(
            [prediction.OUTPUTS.make(name) for name in ('posterior', 'elbo')],
            np.arange(40), x, seed=5)
        for predictor in (prediction.Predictor.of_model(model, names),
                          prediction.Predictor.of_export(path, names))]
    self.assertEqual(list(found[0]), [
        'z_mean', 'z_stddev', 'elbo', 'reconstruction', 'kl'])
    self.assertAllClose(*found, rtol=1e-5, atol=1e-5)
    self.assertGreater(np.ptp(found[0]['elbo']), 1)

  def test_labels_of_a_conditional_model(self):
    graph = GraphicalModel.parse('z:2', 'z|x,y', 'z; x|z,y')
    model = _make(graph, (6,), likelihood='normal', num_classes=2)
    predictor = prediction.Predictor.of_model(model, ['encode'], ['a', 'b'])
    self.assertEqual(predictor.description['labels'], ['a', 'b'])
    y = np.eye(2, dtype=np.float32)[np.arange(50) % 2]
    found = predictor.columns([prediction.OUTPUTS.make('posterior')],
                              np.arange(50), self.x, y)
    self.assertAllClose(found['z_mean'], model.posterior_factor(
        'z', model.inference_values({'x': self.x, 'y': y})).mean(), rtol=1e-5)

  def test_exports_that_cannot_be_used(self):
    base = self.create_tempdir().full_path
    path = serving.export_saved_model(_make('z:2', (6,), likelihood='normal'),
                                      base)
    with self.assertRaisesRegex(ValueError, 'without detect, impute'):
      prediction.Predictor.of_export(path, ['encode', 'detect', 'impute'])
    os.remove(os.path.join(path, 'assets.extra', 'tfvae.json'))
    for place, words in ((path, 'earlier version'), (base, 'no export')):
      with self.assertRaisesRegex(ValueError, words):
        prediction.Predictor.of_export(place, ['encode'])


if __name__ == '__main__':
  tf.test.main()
