"""The measure of imputations: its block, warnings and section."""

import json
from unittest import mock

import numpy as np
import tensorflow as tf
import tf_keras

from tests.missing_linear_gaussian import MissingLinearGaussian
from tfvae import evaluation
from tfvae.evaluation import ImputationMeasure
from tfvae.evaluation.imputation import figures
from tfvae.evaluation.imputation import imputation_measure
from tfvae.evaluation.imputation import masks
from tfvae.evaluation.imputation.scores import Scores
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.layers import IndependentColumns
from tfvae.models import image_vae
from tfvae.tables import Column

_COLUMNS = (Column('size', 'real'), Column('eggs', 'count'),
            Column('sex', 'binary', 'string', ('f', 'm')))


def _run(model, x, train=None, seed=0, **settings):
  """Returns the block of the measure."""
  return evaluation.evaluate(
      model, x, [ImputationMeasure(**settings)],
      None if train is None else evaluation.Examples.of(train),
      seed=seed)['imputation']


def _table_vae(missing=True):
  tf_keras.utils.set_random_seed(0)
  return image_vae('z:2', (3,), likelihood=IndependentColumns(
      columns=_COLUMNS), hidden_units=(4,), missing=missing)


def _rows(n=60, seed=0):
  rng = np.random.default_rng(seed)
  return np.float32(np.stack([rng.normal(size=n), rng.poisson(3, n),
                              rng.integers(0, 2, n)], axis=1))


class LinearGaussianTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.exact = MissingLinearGaussian()
    cls.x = cls.exact.draw(400, fraction=0.1, seed=2)[1]
    cls.train = cls.exact.draw(500, seed=3)[1]
    cls.block = _run(cls.exact.model, cls.x, cls.train, draws=500)

  def test_figures_are_those_of_the_exact_conditional(self):
    for name, mask in masks.hidden(self.x, 0.3, 0):
      mean, scale = self.exact.conditional(np.where(mask, np.nan, self.x))
      block = self.block[name]
      self.assertEqual(block['cells'], mask.sum())
      rmse = []
      for d in np.flatnonzero(mask.any(axis=0)):
        own, rows = block['by_column'][f'x[{d}]'], mask[:, d]
        errors = np.float64(self.x[rows, d]) - mean[rows, d]
        self.assertEqual(own['cells'], rows.sum())
        # The draws add a variance of 1 / 500.
        self.assertAllClose(own['rmse'], np.sqrt(np.mean(errors**2)), rtol=0.03)
        self.assertAllClose(
            own['log_density'],
            np.mean(-0.5 * (errors / scale[rows, d])**2
                    - np.log(scale[rows, d] * np.sqrt(2 * np.pi))), atol=0.05)
        rmse.append(own['rmse'] / np.nanstd(self.train[:, d]))
        for level in (50, 80, 95):
          p = level / 100
          self.assertNear(own[f'coverage_{level}'], p,
                          4.5 * np.sqrt(p * (1 - p) / rows.sum()))
      self.assertAllClose(block['normalized_rmse'], np.mean(rmse), rtol=1e-5)
      self.assertNear(block['coverage_80'], 0.8, 4 * block[
          'coverage_80_standard_error'])
      self.assertLess(block['normalized_rmse'],
                      block['baselines']['mean']['normalized_rmse'])
      self.assertAllClose(block['effective_sample_size'], 500., rtol=0.01)

  def test_no_figure_of_the_model_sees_a_hidden_value(self):
    found, x = [], self.x[:100]
    mask = dict(masks.hidden(x, 0.3, 0))['mcar']
    keep = lambda parts, *_: found.append(parts) or Scores(
        *[np.zeros(0)] * 4, covered=np.zeros([0, 3]))
    for scale in (1., 1000.):
      with mock.patch.object(
          imputation_measure.scores_lib, 'scores', side_effect=keep):
        imputation_measure._imputed(
            evaluation.Subject(self.exact.model, None),
            {'x': np.where(mask, np.float32(np.nan), x)},
            np.where(mask, scale * x, x), mask, 20, True, '')
    for name in ('mean', 'lower', 'upper', 'draws', 'weights'):
      self.assertAllEqual(found[0][name], found[1][name])
    self.assertNotAllClose(found[0]['log_density'], found[1]['log_density'])

  def test_settings_and_training_rows(self):
    block = _run(self.exact.model, self.x, self.train, draws=5, fraction=0.5,
                 examples=50, train_examples=60)
    self.assertEqual(
        [block[key] for key in ('draws', 'fraction', 'examples',
                                'train_examples')], [5, 0.5, 50, 60])
    mask = dict(masks.hidden(self.x[:50], 0.5, 0))['mcar']
    self.assertEqual(block['mcar']['cells'], mask.sum())
    x = self.x[:50][mask[:, 0], 0]
    self.assertAllClose(
        block['mcar']['by_column']['x[0]']['baselines']['mean']['rmse'],
        np.sqrt(np.mean((x - np.nanmean(self.train[:60, 0]))**2)), rtol=1e-5)

  def test_without_training_rows_there_are_no_baselines(self):
    block = _run(self.exact.model, self.x[:40], draws=5)
    self.assertEqual(block['mcar']['baselines'], {})
    self.assertNotIn('train_examples', block)

  def test_warnings(self):
    measure = ImputationMeasure()
    self.assertEqual(measure.warnings(self.block), [])
    part = self.block['mcar']
    for change, words in (
        ({'low_effective_sample_size': 0.2}, '20% of the examples is below 10'),
        ({'coverage_95': 0.85}, '85.0% of the hidden .* too narrow'),
        ({'coverage_95': 0.995}, 'too wide')):
      sentences = measure.warnings(self.block | {'mcar': part | change})
      self.assertLen(sentences, 1)
      self.assertRegex(sentences[0], f'mask mcar: .*{words}')
    self.assertEqual(measure.warnings(
        self.block | {'mcar': part | {'coverage_95': 0.5, 'cells': 99}}), [])

  def test_section(self):
    section = ImputationMeasure().section(self.block)
    *tables, chart = section.charts
    self.assertEqual([table.title.split(':')[0] for table in tables],
                     ['mcar', 'mar'])
    self.assertEqual(tables[0].heads, [
        '', 'figure', 'model', 'mean or mode', 'kNN', 'iterative'])
    self.assertLen({len(row) for table in tables for row in table.rows}, 1)
    self.assertEqual(list(chart.lines), ['exact', 'mcar', 'mar'])
    self.assertIsNone(ImputationMeasure().section({'not_computed': 'no'}))


class KindsTest(tf.test.TestCase):

  def test_a_table_of_all_kinds(self):
    x = _rows()
    x[::7, 0] = np.nan
    block = _run(_table_vae(), x, _rows(50, 1), draws=20, fraction=0.5)
    json.dumps(block)
    columns = block['mcar']['by_column']
    self.assertEqual(list(columns), ['size', 'eggs', 'sex'])
    self.assertContainsSubset(
        ['rmse', 'crps', 'log_density', 'coverage_95'], columns['eggs'])
    self.assertNotIn('accuracy', columns['eggs'])
    self.assertContainsSubset(['accuracy', 'log_density'], columns['sex'])
    self.assertNoCommonElements(['rmse', 'crps', 'coverage_50'], columns['sex'])
    self.assertEqual(block['mcar']['accuracy'], columns['sex']['accuracy'])
    self.assertContainsSubset(['coverage_95', 'integer_coverage_95'],
                              block['mcar'])
    for name in ('mean', 'knn', 'iterative'):
      self.assertIn('accuracy', columns['sex']['baselines'][name])
      self.assertIn('crps', columns['size']['baselines'][name])
      self.assertNotIn('coverage_50', block['mcar']['baselines'][name])

  def test_images_have_overall_figures_alone(self):
    rng = np.random.default_rng(0)
    for likelihood, has, lacks in (
        ('bernoulli', ['rmse', 'accuracy', 'log_density'],
         ['crps', 'coverage_50']),
        ('discretized_logistic', ['rmse', 'crps', 'integer_coverage_80'],
         ['accuracy', 'coverage_50'])):
      x = np.float32(rng.integers(0, 2, [20, 4, 4, 1]))
      model = image_vae('z:2', (4, 4, 1), hidden_units=(4,), missing=True,
                        likelihood=likelihood)
      block = _run(model, x, x, draws=10)
      self.assertEqual(block['lower_half']['cells'], 20 * 8)
      self.assertContainsSubset(has, block['mcar'])
      self.assertNoCommonElements([*lacks, 'by_column', 'normalized_rmse'],
                                  block['mcar'])
      self.assertContainsSubset(has[:1], block['mcar']['baselines']['knn'])

  def test_labels_masks_and_sample_weights(self):
    x, mask = _rows(40), np.random.default_rng(0).random([40, 3]) < 0.8
    y = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    model = image_vae(
        GraphicalModel.parse(**PRESETS['conditional'] | {'latents': 'z:2'}),
        (3,), likelihood=IndependentColumns(columns=_COLUMNS),
        hidden_units=(4,), num_classes=2, missing=True)
    weights = np.float32(np.arange(40) < 20)
    given = {'x': x, 'y': y, 'mask': mask}
    settings = {'draws': 5, 'fraction': 0.5}
    found = _run(model, (given, np.where(mask, x, np.nan), weights),
                 **settings)
    nan = {'x': np.where(mask, x, np.float32(np.nan)), 'y': y}
    self.assertEqual(
        _run(model, (nan, nan['x'], weights), **settings)['mcar'],
        found['mcar'])
    self.assertNotEqual(_run(model, nan, **settings)['mcar'], found['mcar'])

  def test_is_of_models_that_take_missing_values(self):
    self.assertStartsWith(
        _run(_table_vae(None), _rows())['not_computed'],
        'the model takes complete data only')


class FiguresTest(tf.test.TestCase):

  def test_standard_errors_are_those_of_rows(self):
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(50), 4)
    # The values of a row are equal: no more information than one.
    correct = np.repeat(rng.random(50) < 0.7, 4)
    scores = Scores(rows, 0 * rows, rng.normal(size=200), correct)
    found = figures.of_kind(scores, figures.CATEGORY, None)
    p = correct.mean()
    self.assertAllClose(found['accuracy'], p)
    self.assertAllClose(found['accuracy_standard_error'],
                        np.sqrt(p * (1 - p) / 49))
    weights = np.float64(np.arange(50) < 25)
    weighted = figures.of_kind(scores, figures.CATEGORY, weights)
    self.assertAllClose(weighted['accuracy'], correct[:100].mean())

  def test_standard_error_of_the_rmse(self):
    rng = np.random.default_rng(0)
    found = [figures.of_kind(Scores(
        np.arange(400), np.zeros(400, int), rng.normal(size=400),
        np.zeros(400, bool)), figures.CONTINUOUS, None) for _ in range(300)]
    self.assertAllClose(
        np.mean([own['rmse_standard_error'] for own in found]),
        np.std([own['rmse'] for own in found]), rtol=0.15)


if __name__ == '__main__':
  tf.test.main()
