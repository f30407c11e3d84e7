"""Models and runs that an earlier version of tfvae saved.

tests/fixtures/README.md says how the files were made.
"""

import csv
import functools
import json
import os
import pathlib
import shutil
from unittest import mock

from absl import flags
import numpy as np
import tensorflow as tf
import tf_keras

from tests import model_matrix
from tests.serving import served_case
from tfvae.training import config_from_flags
from tfvae.training import define_flags
from tfvae.training import evaluate_run
from tfvae.training import export_run
from tfvae.training import parse_flags
from tfvae.training import train
from tfvae.training import train_and_evaluate

_FIXTURES = pathlib.Path(__file__).parents[1] / 'fixtures'


class EarlierVersionTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls().create_tempdir().full_path
    with np.load(_FIXTURES / 'recorded.npz') as arrays:
      cls.recorded = dict(arrays)
    x, _ = model_matrix.digits('bernoulli', 50)
    cls.images = x

  def _run(self, name, *arguments):
    """Returns a copy of a run, and its settings from its `flags.txt`."""
    workdir = os.path.join(self.create_tempdir().full_path, name)
    shutil.unpack_archive(_FIXTURES / f'{name}.zip', workdir)
    path = os.path.join(workdir, 'flags.txt')
    with open(path, 'a', encoding='utf-8') as file:
      file.write(f'--data_dir={self.data_dir}\n')
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    parse_flags(['train_main.py', f'--flagfile={path}',
                 f'--workdir={workdir}', *arguments], flag_values)
    return workdir, config_from_flags(flag_values)

  def _model(self, workdir):
    return tf_keras.models.load_model(os.path.join(workdir, 'model.keras'))

  def test_vae_loads_predicts_and_evaluates_the_same(self):
    model = tf_keras.models.load_model(_FIXTURES / 'vae.keras')
    self.assertAllClose(
        model(self.images[:10]).mean(), self.recorded['vae'], rtol=1e-6)
    metrics = model.evaluate(self.images, return_dict=True, verbose=0)
    self.assertAllClose(
        [metrics[name] for name in ('loss', 'elbo', 'reconstruction', 'kl')],
        self.recorded['vae_evaluated'], rtol=1e-5)

  def test_finished_run_is_evaluated_with_the_same_figures(self):
    workdir, config = self._run(
        'finished', '--mode=evaluate', '--evaluations=importance_weighted')
    path = os.path.join(workdir, 'metrics.json')
    with open(path, encoding='utf-8') as file:
      before = json.load(file)
    with open(path, 'w', encoding='utf-8') as file:
      json.dump(before | {'importance_weighted': {}}, file)
    with mock.patch.object(train, 'write_report'):
      metrics = evaluate_run(config, workdir)
    block = metrics['importance_weighted']['K=5']
    # All test images, so that the ELBO is that of the test set.
    self.assertAllClose(block['elbo'], before['test']['elbo'], rtol=1e-6)
    self.assertAllClose(block['iwae_nll'], before['test']['iwae_nll'],
                        rtol=1e-6)
    self.assertEqual(metrics['test'].keys(), before['test'].keys())

  def test_finished_run_is_exported_again_and_answers_the_same(self):
    workdir, config = self._run('finished')
    model = self._model(workdir)
    self.assertAllClose(
        model(self.images[:10]).mean(), self.recorded['finished'], rtol=1e-6)
    export_run(config, workdir)
    old, new = (tf.saved_model.load(os.path.join(workdir, 'export', version))
                for version in ('1', '2'))
    self.assertContainsSubset(old.signatures, new.signatures)
    rows = self._rows(model)
    for name, signature in old.signatures.items():
      _, specs = signature.structured_input_signature
      inputs = {key: tf.constant(rows[key]) for key in specs}
      copies = 400 if 'seed' in specs else 1
      if copies > 1:
        inputs = {key: tf.repeat(value, copies, axis=0)
                  for key, value in inputs.items()}
        inputs['seed'] += tf.range(10 * copies)[:, tf.newaxis]
      answers = signature(**inputs)
      again = new.signatures[name](**inputs)
      self.assertEqual(answers.keys(), again.keys())
      for key, value in answers.items():
        compare = self._assert_same_mean if copies > 1 else functools.partial(
            self.assertAllClose, rtol=1e-5, atol=1e-6, msg=f'{name} {key}')
        compare(value, again[key])
    self.assertAllClose(
        old.signatures['reconstruct'](x=rows['x'])['mean'],
        self.recorded['finished'], rtol=1e-5)

  def _assert_same_mean(self, one, other):
    """Within 6 standard errors: another generator draws for the same seed."""
    one, other = (np.reshape(part, [10, 400, -1]) for part in (one, other))
    error = np.sqrt((one.var(axis=1) + other.var(axis=1)) / 400)
    difference = np.abs(one.mean(axis=1) - other.mean(axis=1))
    self.assertAllLess(difference / (6 * error + 1e-5), 1.0)

  def _rows(self, model):
    """Ten rows of what the signatures take, by name."""
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=[10, size]).astype(np.float32)
            for name, size in model.graph.latents} | {
                'x': self.images[:10],
                'examples': served_case.examples(x=self.images[:10]),
                'seed': rng.integers(0, 2**31 - 1, [10, 2], np.int32)}

  def test_stopped_run_resumes_to_the_end(self):
    workdir, config = self._run('stopped')
    self.assertNotIn('model.keras', os.listdir(workdir))
    with (self.assertLogs('tfvae', 'INFO') as logs,
          mock.patch.object(train, '_evaluate')):  # As the finished run is.
      train_and_evaluate(config, workdir)
    self.assertIn('Resuming after step', ''.join(logs.output))
    with open(os.path.join(workdir, 'history.csv'), encoding='utf-8') as file:
      row = list(csv.DictReader(file))[-1]
    self.assertEqual(row['epoch'], '2')
    # The earlier version resumed a copy of the run.
    self.assertAllClose(
        [float(row[name]) for name in ('loss', 'elbo', 'kl', 'val_elbo')],
        self.recorded['resumed'], rtol=1e-5)
    self._model(workdir)


if __name__ == '__main__':
  tf.test.main()
