"""Whole runs: what they leave, resuming, refusing, and being killed."""

import contextlib
import csv
import io
import json
import os
import pathlib
import shutil
import tempfile
import time
from unittest import mock

from absl import flags
from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tests import fresh_process
from tfvae import data
from tfvae.training import Config
from tfvae.training import define_flags
from tfvae.training import parse_flags
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training.fit import fitting

_PROGRAM = pathlib.Path(__file__).parents[2] / 'train_main.py'


def _config(data_dir, **settings):
  return Config(**dict(
      data_dir=data_dir, latents='z:2', hidden_units=(16,), epochs=2,
      jit='false', eval_importance_samples=5, eval_importance_examples=20,
      evaluations=('importance_weighted',), export=False,
      checkpoint_min_seconds=0) | settings)


def _history(workdir):
  with open(os.path.join(workdir, 'history.csv'), encoding='utf-8') as file:
    return list(csv.DictReader(file))


def _weights(workdir):
  return tf_keras.models.load_model(
      os.path.join(workdir, 'model.keras')).get_weights()


def _train(config, workdir):
  """Runs without the evaluation, which is a function of the weights."""
  with (mock.patch.object(train, '_evaluate'),
        mock.patch.object(fitting, 'TensorBoard')):
    train_and_evaluate(config, workdir)


class TrainAndEvaluateTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, cls.data_dir)
    cls.config = _config(cls.data_dir)
    cls.finished = os.path.join(cls.data_dir, 'finished')
    cls.metrics = train_and_evaluate(cls.config, cls.finished)

  def _workdir(self):
    path = os.path.join(self.get_temp_dir(), self.id().split('.')[-1])
    shutil.rmtree(path, ignore_errors=True)
    return path

  def test_leaves_what_it_promises(self):
    workdir, metrics = self.finished, self.metrics
    self.assertContainsSubset(
        {'flags.txt', 'metrics.json', 'history.csv', 'checkpoints',
         'tensorboard', 'report', 'model.keras'}, os.listdir(workdir))
    self.assertNotIn('export', os.listdir(workdir))  # By `export=False`.
    with open(os.path.join(workdir, 'metrics.json'), encoding='utf-8') as file:
      self.assertEqual(json.load(file), metrics)
    rows = _history(workdir)
    self.assertEqual([row['epoch'] for row in rows], ['1', '2'])
    self.assertEqual(
        max(float(row['val_elbo']) for row in rows),
        float(rows[metrics['best_epoch'] - 1]['val_elbo']))
    for block in (metrics['test'], metrics['train'], metrics['validation']):
      self.assertAllClose(block['elbo'], block['reconstruction'] - block['kl'],
                          rtol=1e-5)
    self.assertEqual(metrics['test']['examples'], 360)
    self.assertEqual(metrics['test']['iwae_examples'], 20)
    # Best on validation: the weights kept give that epoch's validation loss,
    # and, with other draws, its ELBO.
    best = rows[metrics['best_epoch'] - 1]
    validation = metrics['validation']
    self.assertAllClose(
        validation['objective'], float(best['val_loss']), rtol=1e-5)
    self.assertBetween(
        abs(validation['elbo'] - float(best['val_elbo'])), 1e-9,
        5 * 2**0.5 * validation['elbo_standard_error'])

  def test_saved_model_gives_the_reported_numbers(self):
    config, metrics = self.config, self.metrics
    model = tf_keras.models.load_model(
        os.path.join(self.finished, 'model.keras'))
    images = data.load_images('digits', data_dir=self.data_dir)
    x = np.float32(data.fixed_binarization(images.test.images, seed=0))
    means = model.evaluate(x, batch_size=config.evaluation.eval_batch_size,
                           return_dict=True, verbose=0)
    test = metrics['test']
    self.assertAllClose(means['loss'], test['objective'], rtol=1e-5)
    # KL(N(μ, diag σ²) ‖ N(0, I)) = ½ Σ_d (σ_d² + μ_d² − 1 − log σ_d²)
    q = model.infer(x, lambda posterior: posterior.mean()).posteriors['z']
    loc, scale = np.float64(q.mean()), np.float64(q.stddev())
    kl = 0.5 * np.sum(scale**2 + loc**2 - 1 - 2 * np.log(scale), axis=-1)
    self.assertAllClose(test['kl'], kl.mean(), rtol=1e-5)
    self.assertAllClose(
        test['kl_standard_error'], kl.std(ddof=1) / 360**0.5, rtol=1e-5)
    # log p(x|z) of other draws, with their standard error.
    z = loc + scale * np.random.default_rng(0).normal(size=loc.shape)
    p = np.clip(model.decode({'z': tf.constant(z, tf.float32)}).mean(), 1e-7,
                1 - 1e-7)
    log_likelihood = np.log(np.where(x == 1, p, 1 - p)).sum(axis=(1, 2, 3))
    error = log_likelihood.std(ddof=1) / 360**0.5
    self.assertNear(
        test['reconstruction'], log_likelihood.mean(), 5 * 2**0.5 * error)
    self.assertAllClose(
        test['reconstruction_standard_error'], error, rtol=0.1)

  def test_tensorboard_holds_scalars_and_pictures(self):
    tags = {}
    for path in pathlib.Path(self.finished, 'tensorboard').rglob('events*'):
      for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
          tags.setdefault((path.parent.name, value.tag), []).append(event.step)
    for split in ('train', 'validation'):
      for name in ('loss', 'elbo', 'reconstruction', 'kl'):
        self.assertIn(1, tags[split, name])
        self.assertIn(2, tags[split, name])
    self.assertEqual(tags['validation', 'reconstructions'], [1, 2])

  def test_finished_run_is_left_alone(self):
    def times():
      return {path: path.stat().st_mtime_ns
              for path in pathlib.Path(self.finished).rglob('*')}

    before = times()
    self.assertEqual(
        train_and_evaluate(self.config, self.finished), self.metrics)
    self.assertEqual(before, times())

  def test_run_with_other_flags_is_refused(self):
    with self.assertRaisesRegex(
        ValueError, '`latents`: z:2 there, z:3 here\n  `epochs`: 2 there, 3'):
      train_and_evaluate(
          _config(self.data_dir, latents='z:3', epochs=3), self.finished)

  def test_two_runs_are_bit_identical(self):
    workdir = self._workdir()
    _train(self.config, workdir)
    for first, second in zip(
        _weights(self.finished), _weights(workdir), strict=True):
      self.assertAllEqual(first, second)

  def test_batch_larger_than_the_data(self):
    workdir = self._workdir()
    _train(_config(self.data_dir, batch_size=5000, epochs=1), workdir)
    row, = _history(workdir)
    self.assertTrue(np.isfinite(float(row['elbo'])))

  def test_nan_loss_stops_and_keeps_the_last_good_state(self):
    workdir = self._workdir()
    with self.assertRaisesRegex(FloatingPointError, 'lower `learning_rate`'):
      train_and_evaluate(_config(self.data_dir, learning_rate=1e30), workdir)
    self.assertNotIn('metrics.json', os.listdir(workdir))

  @parameterized.named_parameters(
      ('dataset', dict(dataset='mnits'), 'mnits'),
      ('data_dir', dict(data_dir='/no/such/place'), '/no/such/place'),
      ('split', dict(test_split='tests'), 'tests'),
      ('empty_split', dict(test_split='test[:0]'), r'test\[:0\]'),
      ('gray_pixels', dict(binarization='none'), "binarization='dynamic'"),
      ('key', dict(image_key='picture'), 'picture'))
  def test_bad_data_are_refused_before_training(self, settings, message):
    workdir = self._workdir()
    with self.assertRaisesRegex(ValueError, message):
      train_and_evaluate(_config(**{'data_dir': self.data_dir} | settings),
                         workdir)
    self.assertFalse(os.path.exists(os.path.join(workdir, 'history.csv')))

  def test_unwritable_workdir_is_refused(self):
    file = os.path.join(self.get_temp_dir(), 'file')
    pathlib.Path(file).touch()
    with self.assertRaisesRegex(ValueError, 'Cannot write to the workdir'):
      train_and_evaluate(_config(self.data_dir), os.path.join(file, 'run'))


class CommandLineTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (['--epochz=1'], 2, "Unknown command line flag 'epochz'"),
      ([], 1, '--workdir is required'),
      (['--workdir=/dev/null/run'], 1, 'Cannot write to the workdir'))
  def test_errors_are_one_line_and_an_exit_code(self, arguments, code, text):
    result = fresh_process.run([_PROGRAM, *arguments])
    self.assertEqual(result.returncode, code)
    self.assertIn(text, result.stderr)
    self.assertNotIn('Traceback', result.stderr)

  @parameterized.parameters(
      ('--epochs=many', 'flag --epochs=many'), ('more', 'unexpected arguments'))
  def test_errors_of_the_parser(self, argument, text):
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    with (contextlib.redirect_stderr(io.StringIO()) as stderr,
          self.assertRaises(SystemExit) as caught):
      parse_flags(['train_main.py', argument], flag_values)
    self.assertEqual(caught.exception.code, 2)
    self.assertIn(text, stderr.getvalue())

  def test_killed_run_resumes_and_ends_as_if_it_had_not_been(self):
    directory = self.get_temp_dir()
    workdirs = [os.path.join(directory, name) for name in ('killed', 'whole')]
    config = _config(directory, epochs=12)
    process = fresh_process.start(
        [_PROGRAM, f'--workdir={workdirs[0]}', *(
            f'--{name}={text}' for name, text in config.to_flags().items())],
        os.devnull)
    self.addCleanup(process.kill)
    history = os.path.join(workdirs[0], 'history.csv')
    deadline = time.monotonic() + 120
    while not os.path.exists(history) or len(_history(workdirs[0])) < 2:
      self.assertLess(time.monotonic(), deadline)
      self.assertTrue(process.is_alive())
      time.sleep(0.02)
    process.kill()
    process.join()
    self.assertLess(len(_history(workdirs[0])), 12)
    with self.assertLogs('tfvae', 'INFO') as logs:
      _train(config, workdirs[0])
    self.assertRegex(''.join(logs.output),
                     r'Resuming after step \d+ of epoch \d+ of 12')
    _train(config, workdirs[1])
    self.assertLen(_history(workdirs[0]), 12)
    for actual, expected in zip(*map(_weights, workdirs), strict=True):
      self.assertAllEqual(actual, expected)


if __name__ == '__main__':
  tf.test.main()
