"""`mode=encode` and `mode=score` of runs and exports."""

import dataclasses
import os
import pathlib
import shutil
from unittest import mock

from absl.testing import parameterized
import numpy as np
import pandas as pd
import tensorflow as tf

from tests import fresh_process
from tests import tiny_images
from tests.untrained_runs import make_run
from tests.untrained_runs import wine_frame
from tfvae import data
from tfvae import evaluation
from tfvae import prediction
from tfvae import serving
from tfvae.training import Config
from tfvae.training import encode_run
from tfvae.training import score_run
from tfvae.training import strategies
from tfvae.training import TrainingConfig
from tfvae.training.fit import fitting
from tfvae.training.fit.batches import evaluation_batches
from tfvae.training.results import use


class PredictionsTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls().create_tempdir().full_path
    name = tiny_images.prepare(cls.folder)
    cls.images = {'workdir': os.path.join(cls.folder, 'images')}
    cls.images |= dict(zip(('model', 'config', 'data'), make_run(
        cls.images['workdir'], dataset=name, data_dir=cls.folder,
        likelihood='bernoulli'), strict=True))
    cls.frame = wine_frame()
    path = os.path.join(cls.folder, 'wine.csv')
    cls.frame.to_csv(path, index=False)
    cls.table = {'workdir': os.path.join(cls.folder, 'table')}
    cls.table |= dict(zip(('model', 'config', 'data'), make_run(
        cls.table['workdir'], dataset=path), strict=True))

  def setUp(self):
    super().setUp()
    self.output = os.path.join(self.create_tempdir().full_path, 'out')

  def _config(self, run, **settings):
    return Config(**run['config'].flat() | {'output': self.output} | settings)

  def test_scores_of_images_are_those_of_the_evaluation(self):
    config = self._config(
        self.images, input=self.images['config'].data.dataset,
        input_split='test')
    score_run(dataclasses.replace(
        config, outputs=('elbo', 'log_likelihood', 'contributions'),
        eval_importance_samples=500), self.images['workdir'])
    frame = pd.read_parquet(self.output)
    self.assertAllEqual(frame['id'], np.arange(20))
    # The bits are the same, the draws of z are others.
    batches = evaluation_batches(
        self.images['data'], 'test', self.images['config'])
    expected = evaluation.elbo(self.images['model'], batches, 400)
    self.assertAllClose(frame['kl'], expected.kl.values, rtol=1e-4)
    deviations = frame['elbo'] - expected.elbo.values
    self.assertNear(deviations.mean(), 0, 5 * deviations.std() / 20**0.5)
    self.assertAllClose(np.stack(frame['contributions']).sum(axis=1),
                        -frame['reconstruction'], rtol=1e-5)
    nll = evaluation.importance_weighted_nll(
        self.images['model'], batches, 2000)
    self.assertNear(-frame['log_likelihood'].mean(), nll.mean, 0.1)
    self.assertAllInRange(frame['effective_sample_size'], 1, 500.01)

  def test_table_of_another_file_by_the_program(self):
    new = self.frame.iloc[::-1].drop(columns='is dry').assign(**{
        'more': 1, 'is dry': self.frame['is dry'].iloc[::-1]})
    path = os.path.join(os.path.dirname(self.output), 'new.parquet')
    new.to_parquet(path, row_group_size=50)
    export = serving.export_saved_model(
        self.table['model'], os.path.join(self.folder, 'export'),
        settings=self.table['config'].to_flags())
    frames = []
    for name, model in (('run', self.table['workdir']), ('export', export)):
      result = fresh_process.run([
          '-m', 'tfvae', '--mode=encode', f'--model={model}',
          f'--input={path}', '--id_key=name', '--rows_per_file=100',
          f'--output={self.output}-{name}', '--outputs=posterior,elbo'])
      self.assertEqual(result.returncode, 0, result.stderr)
      self.assertIn('178 of 178 rows', result.stderr)
      frames.append(pd.read_parquet(f'{self.output}-{name}'))
      self.assertLen(os.listdir(f'{self.output}-{name}'), 3)
    one, other = frames
    self.assertEqual(one['id'].tolist(), new['name'].tolist())
    x = self.table['data'].train.images
    ids = [f'wine {i}' for i in self.table['data'].carved['train']]
    q = self.table['model'].posterior_factor('z', {
        'x': self.table['model'].inference_values(x[:])['x']})
    chosen = one.set_index('id').loc[ids]
    self.assertAllClose(np.stack(chosen['z_mean']), q.mean(), rtol=1e-5)
    self.assertAllClose(np.stack(chosen['z_stddev']), q.stddev(), rtol=1e-5)
    for name in one.columns[1:]:
      self.assertAllClose(np.stack(one[name]), np.stack(other[name]),
                          rtol=1e-5, atol=1e-5)

  def test_the_same_job_again_does_nothing(self):
    config = self._config(self.table, input=self.table['config'].data.dataset)
    encode_run(config, self.table['workdir'])
    files = {path: (path.stat().st_mtime_ns, path.read_bytes())
             for path in pathlib.Path(self.output).iterdir()}
    with self.assertLogs('tfvae') as logs:
      encode_run(config, self.table['workdir'])
    self.assertIn('nothing to do', logs.output[-1])
    self.assertEqual(files, {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in pathlib.Path(self.output).iterdir()})
    # A moved run is the same model, and one with other weights another job.
    moved = os.path.join(os.path.dirname(self.output), 'moved')
    shutil.copytree(self.table['workdir'], moved)
    encode_run(config, moved)
    fitting.build(self.table['config'], self.table['data']).save(
        os.path.join(moved, 'model.keras'))
    with self.assertRaisesRegex(ValueError, 'values of model;'):
      encode_run(config, moved)

  def test_two_devices_take_batches_in_turn(self):
    rows = data.open_rows(np.repeat(self.images['data'].test.images, 9, 0),
                          binarization='dynamic')
    tables = []
    for devices in ([None], ['CPU:0', 'CPU:1']):
      with mock.patch.object(strategies, 'devices_here', return_value=devices):
        predictors = use.load_predictors(
            self.images['config'], self.images['workdir'], ['score'])
      self.assertLen(predictors, len(devices))
      output = f'{self.output}-{len(devices)}'
      prediction.predict(rows, predictors, [prediction.OUTPUTS.make('elbo')],
                         output, {}, batch_rows=20, shard_rows=100)
      tables.append(pd.read_parquet(output))
    one, two = tables
    self.assertAllEqual(one['id'], np.arange(180))
    for name in one:
      self.assertAllClose(one[name], two[name], rtol=1e-5)

  def test_devices_of_a_strategy(self):
    cpus = len(tf.config.list_logical_devices('CPU'))
    for strategy, count in (('default', 1), ('multi_worker', 1),
                            ('mirrored', cpus)):
      config = TrainingConfig(strategy=strategy)
      self.assertLen(strategies.devices_here(config), count)
    gpus = [mock.Mock(), mock.Mock()]
    gpus[0].name, gpus[1].name = 'GPU:0', 'GPU:1'
    with mock.patch.object(
        tf.config, 'list_logical_devices', return_value=gpus):
      self.assertEqual(
          strategies.devices_here(TrainingConfig()), ['GPU:0', 'GPU:1'])
      self.assertEqual(strategies.devices_here(
          TrainingConfig(strategy='one_device')), [None])

  @parameterized.parameters(
      ({'input': None}, '`input`.*are needed'),
      ({'output': 'no/such/folder/out'}, 'mkdir -p no/such/folder'),
      ({'input': 'digits'}, 'is that of a table.*alcohol, class, is dry'),
      ({'input': 'none.csv'}, 'no such file'),
      ({'id_key': 'key'}, "id_key='key'"),
      ({'outputs': ('refined',)}, '`outputs=refined` needs.*`refine_steps`'),
      ({'outputs': ('detection',)}, 'no calibration.*`mode=calibrate`'),
      ({'input_split': 'test'}, "input_split='test'"))
  def test_bad_input(self, settings, words):
    given = {'input': self.table['config'].data.dataset} | settings
    with self.assertRaisesRegex(ValueError, words):
      encode_run(self._config(self.table, **given), self.table['workdir'])
    self.assertFalse(os.path.exists(self.output))

  def test_a_table_without_a_column_and_images_of_another_shape(self):
    path = os.path.join(os.path.dirname(self.output), 'few.csv')
    self.frame.drop(columns='alcohol').to_csv(path, index=False)
    with self.assertRaisesRegex(ValueError, "lacks columns.*'alcohol'"):
      encode_run(self._config(self.table, input=path), self.table['workdir'])
    config = self._config(self.images, input='digits', input_split='test')
    with self.assertRaisesRegex(ValueError, r'another shape.*\(8, 8, 1\)'):
      score_run(config, self.images['workdir'])
    with self.assertRaisesRegex(ValueError, 'no finished run'):
      score_run(config, self.folder)

  def test_values_outside_the_support(self):
    rows = data.open_rows(np.full([3, 4, 4, 1], 0.5, np.float32))
    predictors = use.load_predictors(
        self.images['config'], self.images['workdir'], ['score'])
    with self.assertRaisesRegex(
        ValueError,
        r'^score takes data that are 0 or 1.* x: \[0.5\].* rows 0 to 2'):
      prediction.predict(rows, predictors, [prediction.OUTPUTS.make('elbo')],
                         self.output, {})

  def test_labels_of_a_conditional_model(self):
    path = os.path.join(self.folder, 'labeled.csv')
    self.frame.to_csv(path, index=False)
    run = {'workdir': os.path.join(os.path.dirname(self.output), 'run')}
    model, run['config'], images = make_run(
        run['workdir'], dataset=path, label_key='class', inference='z|x,y',
        generative='z; x|z,y')
    config = self._config(run, input=path)
    encode_run(config, run['workdir'])
    inputs = {'x': images.train.images[:], 'y': images.train.one_hot(3)}
    q = model.posterior_factor('z', model.inference_values(inputs))
    self.assertAllClose(
        np.stack(pd.read_parquet(self.output)['z_mean'])[images.carved['train']],
        q.mean(), rtol=1e-5)
    new = os.path.join(self.folder, 'unknown.csv')
    self.frame.assign(**{'class': 'd'}).to_csv(new, index=False)
    with self.assertRaisesRegex(ValueError, 'a, b, c. Received: d'):
      encode_run(self._config(run, input=new, output=self.output + '2'),
                 run['workdir'])


if __name__ == '__main__':
  tf.test.main()
