"""Files with missing values, filled by the model of a run."""

import os

from absl.testing import parameterized
import numpy as np
import pandas as pd
import tensorflow as tf
import tf_keras

from tests.incomplete_rows import COLUMNS
from tests.incomplete_rows import rows_of_table
from tests.incomplete_rows import table_vae
from tests.missing_linear_gaussian import MissingLinearGaussian
from tfvae.graph import GraphicalModel
from tfvae.models import image_vae
from tfvae.tables import Schema
from tfvae.training import Config
from tfvae.training.results.imputation import check_files
from tfvae.training.results.imputation import write_imputation


def _frame(x):
  """Returns a table whose cells are empty where a code is missing."""
  values = Schema(COLUMNS).decoded(np.nan_to_num(x))
  return pd.DataFrame({
      name: pd.Series(values[name]).astype(object).where(~np.isnan(codes))
      for name, codes in zip(values, x.T, strict=True)})


class TableTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters('.csv', '.tsv', '.parquet')
  def test_known_cells_stay_and_missing_ones_are_filled(self, extension):
    folder = self.create_tempdir().full_path
    source, target = (os.path.join(folder, name + extension)
                      for name in ('in', 'out'))
    _, x = rows_of_table(20)
    frame = _frame(x)
    frame['day'] = frame['day'].astype(str).where(~np.isnan(x[:, 6]))
    frame['note'] = 'kept'
    {'.csv': lambda: frame.to_csv(source, index=False),
     '.tsv': lambda: frame.to_csv(source, index=False, sep='\t'),
     '.parquet': lambda: frame.infer_objects().to_parquet(source)}[extension]()
    config = Config(dataset='in.csv', missing='allow', input=source,
                    output=target, num_imputations=3, imputation_draws=50)
    check_files(config)
    write_imputation(table_vae(), config)
    read = {'.csv': pd.read_csv, '.parquet': pd.read_parquet,
            '.tsv': lambda path: pd.read_csv(path, sep='\t')}[extension]
    given, filled = read(source), read(target)
    self.assertEqual(list(filled.columns), list(given.columns))
    self.assertFalse(filled.isna().any(axis=None))
    self.assertEqual(set(filled['note']), {'kept'})
    self.assertAllEqual(filled['eggs'] % 1, np.zeros(20))
    for name in given:
      is_known = given[name].notna()
      self.assertEqual(list(map(str, filled[name][is_known])),
                       list(map(str, given[name][is_known])))
    cells = read(os.path.join(folder, f'out_cells{extension}'))
    self.assertLen(cells, np.isnan(x).sum())
    self.assertEqual(list(cells.columns), [
        'row', 'column', 'mean', 'lower', 'upper', 'draw_1', 'draw_2',
        'draw_3', 'effective_sample_size'])
    cell = cells[cells['column'] == 'length'].iloc[0]
    self.assertEqual(float(cell['mean']), filled['length'][cell['row']])
    self.assertBetween(float(cell['mean']), float(cell['lower']),
                       float(cell['upper']))

  def test_a_table_without_a_column_is_refused(self):
    source = self.create_tempfile('in.csv', 'length,mass\n1,2\n').full_path
    config = Config(dataset='in.csv', missing='allow', input=source,
                    output=f'{source}.csv')
    with self.assertRaisesRegex(ValueError, "'eggs', 'sex'.* missing in"):
      write_imputation(table_vae(), config)


class ArrayTest(tf.test.TestCase):

  def test_an_archive_has_means_intervals_and_draws(self):
    folder = self.create_tempdir().full_path
    source, target = (os.path.join(folder, name) for name in ('x.npz', 'y.npz'))
    exact = MissingLinearGaussian()
    complete, x = exact.draw(10)
    np.savez(source, x=np.nan_to_num(x), observed=~np.isnan(x))
    write_imputation(exact.model, Config(
        dataset=source, missing='allow', mask_key='observed', input=source,
        output=target, num_imputations=2, likelihood='normal'))
    with np.load(target) as found:
      self.assertAllEqual(found['missing'], np.isnan(x))
      self.assertAllEqual(found['x'][~np.isnan(x)], complete[~np.isnan(x)])
      mean, scale = exact.conditional(x)
      self.assertAllClose(found['x'], mean, atol=5 * scale.max() / np.sqrt(500))
      self.assertEqual(found['imputations'].shape, (2, 10, 6))
      self.assertTrue((found['lower'] <= found['upper']).all())
      self.assertAllInRange(found['effective_sample_size'], 490, 500.1)


class LabelTest(parameterized.TestCase, tf.test.TestCase):

  def _write(self, graph, **arrays):
    """Imputes an archive with a model of a graph; returns what is written."""
    folder = self.create_tempdir().full_path
    source, target = (os.path.join(folder, name) for name in ('x.npz', 'y.npz'))
    _, x = MissingLinearGaussian().draw(12)
    known = os.path.join(folder, 'data.npz')
    np.savez(known, x=np.nan_to_num(x), y=np.arange(12) % 3)
    np.savez(source, x=x, **arrays)
    tf_keras.utils.set_random_seed(0)
    model = image_vae(GraphicalModel.parse(*graph), (6,), likelihood='normal',
                      num_classes=3, hidden_units=(4,), missing=True)
    write_imputation(model, Config(
        dataset=known, latents=graph[0], inference=graph[1],
        generative=graph[2], likelihood='normal', missing='allow', input=source,
        output=target, num_imputations=1, imputation_draws=20))
    with np.load(target) as found:
      return dict(found)

  def test_labels_may_be_missing_where_the_graph_infers_them(self):
    graph = 'z:2', 'y|x; z|x,y', 'z; y; x|z,y'
    labels = np.arange(12) % 3
    found = [self._write(graph, **arrays) for arrays in (
        {}, {'y': labels}, {'y': np.where(np.arange(12) < 6, labels, -1)})]
    for part in found:
      self.assertFalse(np.isnan(part['x']).any())
    self.assertAllClose(found[2]['x'][:6], found[1]['x'][:6], atol=1e-5)
    self.assertAllClose(found[2]['x'][6:], found[0]['x'][6:], atol=1e-5)
    self.assertNotAllClose(found[1]['x'], found[0]['x'], atol=1e-5)

  @parameterized.parameters(
      ({}, 'file needs the labels'), ({'y': np.full(12, 7)}, 'Received: 7 in'))
  def test_a_conditional_model_needs_the_labels(self, arrays, message):
    with self.assertRaisesRegex(ValueError, message):
      self._write(('z:2', 'z|x,y', 'z; x|z,y'), **arrays)


class FilesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ({}, 'needs `input`'),
      ({'input': 'none.csv', 'output': 'o.csv'}, 'no such file `input`'),
      ({'input': 'in.npz', 'output': 'o.csv'}, r'ends in \.csv or'),
      ({'input': 'in.csv', 'output': 'o.npz'}, '`output` of a table'),
      ({'input': 'in.csv', 'output': 'none/o.csv'}, 'mkdir -p'),
      ({'input': 'in.csv', 'output': 'in.csv'}, 'another file'))
  def test_wrong_files_are_refused(self, settings, message):
    folder = self.create_tempdir().full_path
    open(os.path.join(folder, 'in.csv'), 'w', encoding='utf-8').close()
    settings = {name: os.path.join(folder, path)
                for name, path in settings.items()}
    with self.assertRaisesRegex(ValueError, message):
      check_files(Config(dataset='in.csv', missing='allow', **settings))


if __name__ == '__main__':
  tf.test.main()
