"""`mode=calibrate`, `mode=detect` and `mode=monitor` of runs and exports."""

import contextlib
import dataclasses
import io
import json
import os
import re
import shutil

from absl.testing import parameterized
import numpy as np
import pandas as pd
from sklearn import metrics
import tensorflow as tf

from tests import tiny_images
from tests.untrained_runs import make_run
from tfvae.training import calibrate_run
from tfvae.training import Config
from tfvae.training import detect_run
from tfvae.training import monitor_run
from tfvae.training import report_run


def _rows(count, shift=0.0, seed=0):
  """Rows of three columns, the first two of which are alike."""
  rng = np.random.default_rng(seed)
  a = rng.normal(size=count)
  return pd.DataFrame({
      'a': a + shift, 'b': a + 0.1 * rng.normal(size=count),
      'c': np.array(['u', 'v'])[rng.integers(2, size=count)],
      'kind': np.where(shift, 'odd', 'even')})


class DetectionTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls().create_tempdir().full_path
    cls.paths = {}
    for name, frame in (
        ('train', _rows(400)), ('clean', _rows(300, seed=1)),
        ('few', _rows(18, seed=1)),
        ('mixed', pd.concat([_rows(200, seed=2), _rows(40, 9, seed=3)]))):
      cls.paths[name] = os.path.join(cls.folder, f'{name}.parquet')
      frame.to_parquet(cls.paths[name], index=False)
    cls.workdir = os.path.join(cls.folder, 'run')
    cls.model, cls.config, cls.images = make_run(
        cls.workdir, dataset=cls.paths['train'], label_key='kind',
        false_alarm_rate=0.05)
    cls.calibrated = os.path.join(cls.folder, 'calibrated')
    shutil.copytree(cls.workdir, cls.calibrated)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
      calibrate_run(dataclasses.replace(
          cls.config, input=cls.paths['clean'], scores=('elbo', 'kl')),
                    cls.calibrated)
    cls.printed = printed.getvalue()

  def setUp(self):
    super().setUp()
    self.output = os.path.join(self.create_tempdir().full_path, 'out')

  def _config(self, **settings):
    return Config(**self.config.flat() | {'output': self.output} | settings)

  def _read(self, name):
    with open(self.output + name, encoding='utf-8') as file:
      return json.load(file) if name == '.json' else file.read()

  def test_calibration(self):
    self.assertIn('calibration rows: 150\n', self.printed)  # Half of 300.
    self.assertRegex(self.printed, r'rate: 0\.0464 \(0\.0\d+ to 0\.\d+ in 95 %')
    self.assertRegex(self.printed, r'alarms in the test split: \d+ of 40, ')
    with open(os.path.join(self.calibrated, 'detection.json'),
              encoding='utf-8') as file:
      facts = json.load(file)
    self.assertEqual([facts['rows'], facts['scores']], [40, ['elbo', 'kl']])
    self.assertRegex(facts['examples'][0]['unusual'],
                     r'^[abc] = .*: -?\d+\.\d; ')

  def test_run_and_export_detect_the_same(self):
    found = []
    for name, model in (('run', self.calibrated), ('export', os.path.join(
        self.calibrated, 'export', '1'))):
      self.output = os.path.join(os.path.dirname(self.output), name)
      detect_run(self._config(
          input=self.paths['mixed'], anomaly_labels=('odd',),
          false_discovery_rate=0.2,
          outputs=('detection', 'explanation')), model)
      found.append(pd.read_parquet(self.output))
      facts, page = self._read('.json'), self._read('.html')
    one, other = found
    self.assertEqual(list(one), [
        'id', 'p_value', 'score', 'is_anomaly', 'score_elbo', 'score_kl',
        'explanation', 'label'])
    for name in ('p_value', 'score', 'score_elbo', 'score_kl'):
      self.assertAllClose(one[name], other[name], rtol=1e-5, atol=1e-5)
    with np.load(os.path.join(self.calibrated, 'detector.npz')) as file:
      calibration = file['calibration']
    # In float64, as the definition says.
    expected = [(1 + np.sum(calibration >= score)) / 151
                for score in one['score'].astype(np.float64)]
    self.assertAllClose(one['p_value'], expected, atol=1.1 / 151)
    self.assertAllEqual(one['is_anomaly'], one['p_value'] <= 0.05)
    odd = (one['label'] == 'odd').to_numpy()
    self.assertAllEqual(odd, np.arange(240) >= 200)
    known = facts['known']
    self.assertNear(known['area_under_curve'],
                    metrics.roc_auc_score(odd, other['score']), 1e-9)
    self.assertNear(known['detected'], other['is_anomaly'][odd].mean(), 1e-9)
    self.assertEqual(facts['alarms'], other['is_anomaly'].sum())
    self.assertLen(pd.read_parquet(self.output + '_reported.parquet'),
                   facts['reported'])
    self.assertIn('ROC curve', page)
    self.assertRegex(page, r'a = [\d.]+: \d+\.\d')  # What is unusual.

  def test_other_outputs_come_with_the_alarms(self):
    detect_run(self._config(input=self.paths['few'], outputs=('posterior',)),
               self.calibrated)
    self.assertEqual(list(pd.read_parquet(self.output)), [
        'id', 'p_value', 'score', 'is_anomaly', 'score_elbo', 'score_kl',
        'z_mean', 'z_stddev'])

  def test_drift_is_found_where_it_is(self):
    for name, moved in (('clean', []), ('mixed', ['column a'])):
      monitor_run(self._config(input=self.paths[name]), self.calibrated)
      found = self._read('.json')
      self.assertEqual(found['has_drifted'], bool(moved))
      self.assertContainsSubset(moved, found['moved_most'])
      self.assertNotIn('column c', found['moved_most'])
      self.assertIn('Kolmogorov-Smirnov', self._read('.html'))

  @parameterized.parameters(
      (calibrate_run, {'input': 'few'}, '19 or more calibration rows.* 18 '),
      (calibrate_run, {'input': 'few', 'scores': ('elbo', 'kl')},
       'needs 38 or more rows'),
      (calibrate_run, {'input': 'clean', 'scores': ('complexity',)},
       "Leave out the score 'complexity'"),
      (detect_run, {'input': 'clean'}, 'no calibration.*`mode=calibrate`'),
      (monitor_run, {'input': 'clean'}, 'no calibration.*`mode=calibrate`'))
  def test_runs_that_cannot_be_used(self, function, settings, words):
    settings['input'] = self.paths[settings['input']]
    with self.assertRaisesRegex(ValueError, words):
      function(self._config(**settings), self.workdir)
    self.assertFalse(os.path.exists(
        os.path.join(self.workdir, 'detector.npz')))

  def test_labels_that_are_not_there(self):
    config = self._config(input=self.paths['mixed'], anomaly_labels=('red',))
    with self.assertRaisesRegex(ValueError, 'even, odd. Received: .*=red'):
      detect_run(config, self.calibrated)
    path = os.path.join(os.path.dirname(self.output), 'unlabeled.csv')
    _rows(5).drop(columns='kind').to_csv(path, index=False)
    with self.assertRaisesRegex(ValueError, "no such column.*'kind'"):
      detect_run(self._config(
          input=path, anomaly_labels=('odd',)), self.calibrated)

  def test_images_whose_validation_split_has_training_images(self):
    name = tiny_images.prepare(self.folder)
    workdir = os.path.join(os.path.dirname(self.output), 'images')
    _, config, _ = make_run(
        workdir, dataset=name, data_dir=self.folder, likelihood='bernoulli',
        validation_split='train[:30]', false_alarm_rate=0.1, export=False)
    with self.assertLogs('tfvae', 'WARNING') as logs:
      calibrate_run(config, workdir)
    self.assertIn('30 of 30 calibration rows are among',
                  '\n'.join(logs.output))
    report_run(config, workdir)
    with open(os.path.join(workdir, 'report', 'index.html'),
              encoding='utf-8') as file:
      page = file.read()
    section = re.search(r'<section id="anomalies".*?</section>', page, re.S)[0]
    self.assertIn('Most anomalous test examples', section)
    self.assertIn('<img ', section)


if __name__ == '__main__':
  tf.test.main()
