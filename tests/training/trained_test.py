"""Runs that are trained, saved and exported, and not yet evaluated."""

import dataclasses
import json
import os
import shutil
from unittest import mock

import tensorflow as tf
import tf_keras

from tests import fresh_process
from tests import tiny_images
from tfvae.evaluation import LatentSpaceMeasure
from tfvae.training import Config
from tfvae.training import evaluate_run
from tfvae.training import export_run
from tfvae.training import report_run
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training.fit import fitting

# The program, with an evaluation that fails.
_FAILING = """
from tests import tiny_images
from tfvae.__main__ import run
from tfvae.evaluation import LatentSpaceMeasure

def fail(measure, subject):
  raise ZeroDivisionError('nothing to divide by')

LatentSpaceMeasure.run = fail
run()
"""


class TrainedTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls().create_tempdir().full_path
    cls.config = Config(
        dataset=tiny_images.prepare(cls.data_dir), data_dir=cls.data_dir,
        latents='z:2', hidden_units=(4,), epochs=2, jit='false',
        eval_importance_samples=2, evaluations=('latent_space',))
    cls.trained = os.path.join(cls.data_dir, 'trained')
    with (mock.patch.object(fitting, 'TensorBoard'),
          mock.patch.object(LatentSpaceMeasure, 'run',
                            side_effect=KeyboardInterrupt),
          cls().assertRaises(KeyboardInterrupt)):
      train_and_evaluate(cls.config, cls.trained)

  def setUp(self):
    super().setUp()
    self.workdir = os.path.join(self.create_tempdir().full_path, 'run')
    shutil.copytree(self.trained, self.workdir)

  def _read(self, name):
    with open(os.path.join(self.workdir, name), encoding='utf-8') as file:
      return file.read()

  def _versions(self):
    return sorted(os.listdir(os.path.join(self.workdir, 'export')))

  def _weights(self, workdir):
    return tf_keras.models.load_model(
        os.path.join(workdir, 'model.keras')).get_weights()

  def test_is_saved_and_exported_before_it_is_evaluated(self):
    self.assertContainsSubset({'model.keras', 'training.json', 'history.csv'},
                              os.listdir(self.workdir))
    self.assertNoCommonElements(
        ['metrics.json', 'tmp.model.keras'], os.listdir(self.workdir))
    self.assertEqual(self._versions(), ['1'])

  def test_the_same_command_only_evaluates(self):
    with mock.patch.object(fitting, 'fit') as fit:
      metrics = train_and_evaluate(self.config, self.workdir)
    fit.assert_not_called()
    self.assertEqual(metrics, json.loads(self._read('metrics.json')))
    self.assertContainsSubset(
        ['test', 'latent_space', 'versions', 'parameters'], metrics)
    self.assertIn(metrics['best_epoch'], [1, 2])
    self.assertContainsSubset(['train', 'evaluate'], metrics['seconds'])
    self.assertEqual(self._versions(), ['1'])
    self.assertIn('report', os.listdir(self.workdir))

  def test_evaluations_may_change_before_the_run_is_finished(self):
    config = dataclasses.replace(
        self.config, evaluations=('importance_weighted',),
        eval_importance_samples=3)
    with self.assertRaisesRegex(ValueError, '`eval_batch_size`: 200 there, 7'):
      train_and_evaluate(
          dataclasses.replace(config, eval_batch_size=7), self.workdir)
    with self.assertRaisesRegex(ValueError, '`eval_seed`: 0 there, 1 here'):
      train_and_evaluate(
          dataclasses.replace(config, eval_seed=1), self.workdir)
    with mock.patch.object(train, 'write_report'):
      metrics = train_and_evaluate(config, self.workdir)
    self.assertIn('K=3', metrics['importance_weighted'])
    self.assertNotIn('latent_space', metrics)
    self.assertIn('--evaluations=importance_weighted\n',
                  self._read('flags.txt'))
    flags = self._read('flags.txt')
    with self.assertLogs('tfvae', 'WARNING') as logs:
      self.assertEqual(train_and_evaluate(self.config, self.workdir), metrics)
    self.assertRegex(
        logs.output[0], '(?s)is finished.*other evaluations by `evaluate_run`.*'
        '`evaluations`: importance_weighted there, latent_space here')
    self.assertEqual(self._read('flags.txt'), flags)

  def test_other_modes_need_no_metrics(self):
    report_run(self.config, self.workdir)
    self.assertContainsSubset(
        ['index.html'], os.listdir(os.path.join(self.workdir, 'report')))
    self.assertEqual(export_run(self.config, self.workdir)['parameters'],
                     json.loads(self._read('training.json'))['parameters'])
    self.assertEqual(self._versions(), ['1', '2'])
    self.assertNotIn('metrics.json', os.listdir(self.workdir))
    metrics = evaluate_run(dataclasses.replace(
        self.config, evaluations=('importance_weighted',)), self.workdir)
    self.assertContainsSubset(
        ['test', 'train', 'importance_weighted', 'best_epoch'], metrics)
    self.assertEqual(metrics, json.loads(self._read('metrics.json')))
    with self.assertRaisesRegex(ValueError, '`eval_seed`: 0 there, 1 here'):
      evaluate_run(
          dataclasses.replace(self.config, eval_seed=1), self.workdir)

  def test_run_of_an_earlier_version_that_was_killed_is_finished(self):
    # It evaluated first, and wrote model.keras in place.
    os.remove(os.path.join(self.workdir, 'training.json'))
    shutil.rmtree(os.path.join(self.workdir, 'export'))
    with open(os.path.join(self.workdir, 'model.keras'), 'wb') as file:
      file.write(b'PK')
    history = self._read('history.csv')
    with mock.patch.object(train, 'write_report'):
      metrics = train_and_evaluate(self.config, self.workdir)
    self.assertIn('latent_space', metrics)
    self.assertEqual(self._read('history.csv'), history)
    self.assertEqual(self._versions(), ['1'])
    for actual, expected in zip(*map(
        self._weights, (self.workdir, self.trained)), strict=True):
      self.assertAllEqual(actual, expected)

  def test_failed_evaluation_ends_with_code_0(self):
    done = fresh_process.run(
        ['-c', _FAILING, f'--workdir={self.workdir}',
         *(f'--{name}={text}'
           for name, text in self.config.to_flags().items())])
    self.assertEqual(done.returncode, 0, done.stderr)
    metrics = json.loads(self._read('metrics.json'))
    self.assertEqual(metrics['latent_space'], {
        'not_computed': 'ZeroDivisionError: nothing to divide by'})
    self.assertGreater(metrics['test']['elbo_standard_error'], 0)
    self.assertIn('latent_space could not be computed. ZeroDivisionError',
                  done.stderr)
    self.assertIn('nothing to divide by', self._read('report/index.html'))
    self.assertEqual(self._versions(), ['1'])
    self.assertIn('model.keras', os.listdir(self.workdir))


if __name__ == '__main__':
  tf.test.main()
