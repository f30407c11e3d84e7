"""Evaluations of trained runs: figures, failures, and reports."""

import contextlib
import dataclasses
import io
import json
import os
import shutil
from unittest import mock
import warnings

from absl import flags
from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tests import tiny_images
from tfvae import data
from tfvae import evaluation
from tfvae.evaluation import MEASURES
from tfvae.training import Config
from tfvae.training import config_from_flags
from tfvae.training import define_flags
from tfvae.training import evaluate_run
from tfvae.training import parse_flags
from tfvae.training import report_run
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training import TrainingInterruptedError
from tfvae.training.command_line import MODES
from tfvae.training.fit import fitting
from tfvae.training.fit.images import load_images
from tfvae.training.results import evaluations
from tfvae.training.results.subject import Run

_COSTLY = {'eval_ais_steps': 4, 'eval_ais_chains': 2,
           'eval_costly_examples': 3, 'eval_simulations': 100}


class EvaluationsTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls().create_tempdir().full_path
    cls.config = Config(
        data_dir=cls.data_dir, latents='z:2', hidden_units=(16,), epochs=2,
        jit='false', steps_per_execution='1', eval_importance_samples=5,
        eval_importance_examples=20,
        evaluations=('importance_weighted', 'latent_space'), export=False)
    cls.trained = cls().create_tempdir().full_path
    with mock.patch.object(fitting, 'TensorBoard'):
      cls.metrics = train_and_evaluate(cls.config, cls.trained)

  def setUp(self):
    super().setUp()
    self.workdir = os.path.join(self.create_tempdir().full_path, 'run')
    shutil.copytree(self.trained, self.workdir)

  def _written(self):
    with open(os.path.join(self.workdir, 'metrics.json'),
              encoding='utf-8') as file:
      return json.load(file)

  def test_order_of_the_measures(self):
    names = ('importance_weighted', 'columns', 'latent_space', 'representation',
             'classification', 'annealed', 'gaps', 'calibration',
             'disentanglement', 'imputation')
    self.assertEqual(Config(evaluations=('all',)).evaluation.chosen(), names)
    self.assertEqual(Config(
        evaluations=names[::-2]).evaluation.chosen(), names[1::2])

  def test_adds_all_others_without_losing_what_is_there(self):
    before = self._written()
    self.assertContainsSubset(
        ['test', 'train', 'importance_weighted', 'latent_space'], before)
    self.assertNotIn('calibration', before)
    added = [name for name in MEASURES if name != 'latent_space']
    config = dataclasses.replace(
        self.config, evaluations=tuple(added), eval_importance_samples=9,
        **_COSTLY)
    metrics = evaluate_run(config, self.workdir)
    self.assertEqual(self._written(), metrics)
    self.assertEqual(metrics['latent_space'], before['latent_space'])
    self.assertEqual(metrics['train'], before['train'])
    self.assertEqual(metrics['importance_weighted']['K=5'],
                     before['importance_weighted']['K=5'])
    # The number of the most samples stands for the test set.
    self.assertEqual(metrics['test']['iwae_samples'], 9)
    self.assertEqual(metrics['test']['elbo'], before['test']['elbo'])
    self.assertEqual(metrics['disentanglement'],
                     {'not_computed': 'the data set has no factors'})
    for name in set(added) - {
        'importance_weighted', 'classification', 'disentanglement', 'columns',
        'imputation'}:
      self.assertGreaterEqual(metrics[name]['seconds'], 0)
    gaps = metrics['gaps']
    self.assertAllClose(
        gaps['amortization_gap'],
        gaps['optimized_elbo'] - gaps['encoder_elbo'], atol=1e-9)
    self.assertAllClose(
        gaps['log_evidence'], -metrics['annealed']['ais_nll'], atol=1e-9)
    self.assertEqual(gaps['examples'], 3)
    self.assertAllInRange(
        metrics['representation']['linear_probe_accuracy'], 0.1, 1.0)
    histogram = np.asarray(metrics['calibration']['rank_histograms']['z'])
    self.assertAllEqual(histogram.sum(axis=-1), [100, 100])
    # With fewer samples, the number of the most still stands.
    with mock.patch.object(train, 'write_report'):
      metrics = evaluate_run(dataclasses.replace(
          config, evaluations=('importance_weighted',),
          eval_importance_samples=2), self.workdir)
    self.assertEqual(metrics['test']['iwae_samples'], 9)
    self.assertContainsSubset(
        ['K=2', 'K=5', 'K=9'], metrics['importance_weighted'])

  def test_blocks_are_what_the_library_gives(self):
    model = tf_keras.models.load_model(
        os.path.join(self.workdir, 'model.keras'))
    images = data.load_images('digits', data_dir=self.data_dir)
    x = data.fixed_binarization(images.test.images, seed=0)
    batches = tf.data.Dataset.from_tensor_slices(np.float32(x)).batch(200)
    space = evaluation.latent_space(model, batches)
    self.assertAllClose(self.metrics['latent_space']['mutual_information'],
                        space.mutual_information.mean, rtol=1e-5)
    self.assertEqual(self.metrics['latent_space']['active_units'],
                     space.active_units)
    nll = evaluation.importance_weighted_nll(
        model, batches.unbatch().take(20).batch(200), 5, jit_compile=False)
    self.assertAllClose(self.metrics['importance_weighted']['K=5']['iwae_nll'],
                        nll.mean, rtol=1e-5)
    # bits per dimension = nats / (64 log 2)
    self.assertAllClose(self.metrics['test']['bits_per_dim'],
                        nll.mean / (64 * np.log(2)), rtol=1e-5)

  def test_elbo_of_the_images_of_the_nll(self):
    block, test = self.metrics['importance_weighted']['K=5'], (
        self.metrics['test'])
    self.assertEqual(block['iwae_examples'], 20)
    model = tf_keras.models.load_model(
        os.path.join(self.workdir, 'model.keras'))
    images = data.load_images('digits', data_dir=self.data_dir)
    x = np.float32(data.fixed_binarization(images.test.images[:20], seed=0))
    # The mean over other draws; the standard error is that of the images.
    draws = np.stack([model.evaluate(
        x, batch_size=20 - i, return_dict=True, verbose=0)['elbo']
                      for i in range(10)])
    self.assertNear(
        block['elbo'], draws.mean(), 5 * draws.std(ddof=1) * 1.1**0.5)
    self.assertGreater(block['elbo_standard_error'],
                       test['elbo_standard_error'])
    # On one set of images, and on average, −ELBO is the larger bound.
    self.assertGreater(-block['elbo'] + 0.5, block['iwae_nll'])
    # With all images it is the ELBO of the test set.
    with mock.patch.object(train, 'write_report'):
      metrics = evaluate_run(dataclasses.replace(
          self.config, evaluations=('importance_weighted',),
          eval_importance_samples=2, eval_importance_examples=0), self.workdir)
    self.assertAllClose(
        metrics['importance_weighted']['K=2']['elbo'], test['elbo'], rtol=1e-6)
    # Of the NLLs the one of the most images stands for the test set.
    self.assertEqual(metrics['test']['iwae_samples'], 2)
    self.assertEqual(metrics['test']['elbo'], test['elbo'])

  def test_failure_costs_no_figures(self):
    fail = {'run': mock.Mock(side_effect=RuntimeError('out of\nluck'))}

    before = self._written()
    with (mock.patch.multiple(evaluation.LatentSpaceMeasure, **fail),
          mock.patch.multiple(evaluation.ImportanceWeightedMeasure, **fail),
          mock.patch.multiple(evaluation.GapsMeasure, **fail)):
      metrics = evaluate_run(dataclasses.replace(
          self.config, evaluations=(
              'importance_weighted', 'latent_space', 'gaps')), self.workdir)
    self.assertEqual(self._written(), metrics)
    reason = {'not_computed': 'RuntimeError: out of'}
    self.assertEqual(metrics['gaps'], reason)
    self.assertEqual(metrics['test'], before['test'])
    for name in ('importance_weighted', 'latent_space'):
      self.assertEqual(metrics[name], before[name] | reason)
    with open(os.path.join(self.workdir, 'report', 'index.html'),
              encoding='utf-8') as file:
      self.assertIn('RuntimeError: out of', file.read())
    with mock.patch.object(train, 'write_report'):
      metrics = evaluate_run(dataclasses.replace(
          self.config, evaluations=('importance_weighted',)), self.workdir)
    self.assertEqual(
        metrics['importance_weighted'].keys(), {'K=5'})

  def test_failed_report_costs_no_figures(self):
    config = dataclasses.replace(
        self.config, evaluations=('importance_weighted',))
    with mock.patch.object(train, 'write_report', side_effect=ValueError('no')):
      metrics = evaluate_run(config, self.workdir)
      self.assertEqual(metrics['report'], {'not_computed': 'ValueError: no'})
      self.assertEqual(self._written(), metrics)
      with self.assertRaisesRegex(ValueError, '^no$'):
        report_run(config, self.workdir)
    self.assertNotIn('report', report_run(config, self.workdir))
    self.assertNotIn('report', self._written())

  @parameterized.parameters(KeyboardInterrupt, TrainingInterruptedError)
  def test_interruption_is_no_failure(self, error):
    before = self._written()
    with (mock.patch.object(evaluation.LatentSpaceMeasure, 'run',
                            side_effect=error), self.assertRaises(error)):
      evaluate_run(dataclasses.replace(
          self.config, evaluations=('latent_space',)), self.workdir)
    self.assertEqual(self._written(), before)

  def test_report_shows_the_elbo_of_the_metrics(self):
    with open(os.path.join(self.workdir, 'report', 'index.html'),
              encoding='utf-8') as file:
      page = file.read()
    test = self.metrics['test']
    shown = lambda value: f'{value:#.4g}'.replace('-', '−')
    self.assertIn(f'E[log p(x|z)] = {shown(test["reconstruction"])} nats, less '
                  f'KL of z = {shown(test["kl"])} nats, is an ELBO of '
                  f'{shown(test["elbo"])} nats', page)
    self.assertIn('Means over the 360 test images', page)

  def test_report_is_written_anew(self):
    path = os.path.join(self.workdir, 'report', 'index.html')
    os.remove(path)
    report_run(self.config, self.workdir)
    with open(path, encoding='utf-8') as file:
      page = file.read()
    self.assertIn('--latents=z:2', page)  # The command that repeats the run.
    self.assertIn('mutual information', page.lower())

  @parameterized.parameters(evaluate_run, report_run)
  def test_refuses_what_is_no_finished_run_of_these_settings(self, run):
    with self.assertRaisesRegex(
        ValueError, 'no finished run.*`train_and_evaluate`'):
      run(self.config, self.create_tempdir().full_path)
    with self.assertRaisesRegex(ValueError, '`epochs`: 2 there, 3 here'):
      run(dataclasses.replace(self.config, epochs=3), self.workdir)

  def test_command_line_takes_the_flags_of_the_run(self):
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    parse_flags([
        'train_main.py', f'--workdir={self.workdir}', '--mode=evaluate',
        '--evaluations=importance_weighted', '--eval_importance_samples=7'],
                flag_values)
    self.assertEqual(config_from_flags(flag_values).flat(), self.config.flat(
        ) | {'evaluations': ('importance_weighted',),
             'eval_importance_samples': 7})
    self.assertIs(MODES[flag_values.mode], evaluate_run)

  def test_conditional_model(self):
    data_dir = self.create_tempdir().full_path
    # The annealed bounds are among the gaps.
    config = Config(
        dataset=tiny_images.prepare(data_dir), data_dir=data_dir,
        preset='conditional', latents='z:2', hidden_units=(4,), jit='false',
        evaluations=tuple(name for name in MEASURES if name != 'annealed'),
        eval_importance_samples=2, **_COSTLY)
    images = load_images(config)
    model = fitting.build(config, images)
    with warnings.catch_warnings():
      warnings.simplefilter('error', RuntimeWarning)
      metrics = evaluations.evaluate(Run(model, config, images), {})
    self.assertEqual(
        {name for name in metrics if 'not_computed' in metrics[name]},
        {'representation', 'classification', 'disentanglement', 'columns',
         'imputation'})
    self.assertIn('q has the parent y',
                  metrics['representation']['not_computed'])
    self.assertAllEqual(np.sum(
        metrics['calibration']['rank_histograms']['z'], axis=-1), [100, 100])
    self.assertEqual(metrics['gaps']['examples'], 3)

  def test_command_line_refuses_a_directory_without_a_run(self):
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    with (contextlib.redirect_stderr(io.StringIO()) as stderr,
          self.assertRaises(SystemExit) as caught):
      parse_flags(['train_main.py', '--workdir=/nowhere', '--mode=evaluate'],
                  flag_values)
    self.assertEqual(caught.exception.code, 2)
    self.assertIn('/nowhere/flags.txt', stderr.getvalue())


if __name__ == '__main__':
  tf.test.main()
