"""The pipeline on the export of a run, compared with `mode=score`."""

import dataclasses
import os
import unittest

import numpy as np
import pandas as pd
import tensorflow as tf

from tests.pipelines import exports
from tests.untrained_runs import make_run
from tests.untrained_runs import wine_frame
from tfvae.inference.rows import row_seeds
from tfvae.pipelines import encode
from tfvae.training import encode_run
from tfvae.training import export_run
from tfvae.training import score_run

try:
  import apache_beam
except ImportError:
  apache_beam = None


@unittest.skipUnless(apache_beam, 'apache-beam is not installed')
class RunTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls().create_tempdir().full_path
    cls.frame = wine_frame()
    cls.path = os.path.join(cls.folder, 'wine.parquet')
    cls.frame.to_parquet(cls.path)
    cls.workdir = os.path.join(cls.folder, 'run')
    _, cls.config, _ = make_run(
        cls.workdir, dataset=cls.path, eval_importance_samples=30,
        eval_seed=3)
    export_run(cls.config, cls.workdir)
    cls.export = os.path.join(cls.workdir, 'export', '1')

  def _by_beam(self, *arguments):
    """Returns the rows of a job, by id."""
    output = os.path.join(self.create_tempdir().full_path, 'beam')
    self.assertEqual(0, encode.main([
        f'--model={self.export}', f'--input={self.path}', '--id_key=name',
        f'--output={output}', exports.RUNNER, *arguments]))
    self.assertEmpty(list(exports.read_lines(output, 'failed')))
    return pd.read_parquet(
        [os.path.join(output, name) for name in os.listdir(output)
         if name.endswith('.parquet')]).set_index('id').loc[self.frame['name']]

  def _by_run(self, function, **settings):
    """Returns the rows of a mode of the run, by id."""
    output = os.path.join(self.create_tempdir().full_path, 'out')
    function(dataclasses.replace(
        self.config, input=self.path, id_key='name', output=output,
        **settings), self.workdir)
    return pd.read_parquet(output).set_index('id')

  def _assert_equal(self, found, expected):
    self.assertEqual(list(found.index), list(expected.index))
    self.assertEqual(sorted(found), sorted(expected))
    for name in expected:
      self.assertAllClose(np.stack(found[name]), np.stack(expected[name]),
                          rtol=1e-5, atol=1e-5)

  def test_codes_are_those_of_the_mode_encode(self):
    self._assert_equal(self._by_beam(), self._by_run(encode_run))

  def test_scores_are_those_of_the_mode_score(self):
    self._assert_equal(
        self._by_beam('--task=score', '--log_likelihood', '--eval_seed=3'),
        self._by_run(score_run, outputs=('elbo', 'log_likelihood')))

  def test_the_same_batch_has_the_same_bits(self):
    rows = len(self.frame)
    found = self._by_beam(
        '--task=score', f'--min_batch_size={rows}', f'--max_batch_size={rows}')
    frame = self.frame.astype({'alcohol': np.float32})
    names = frame['name'].to_numpy(object)
    expected = tf.saved_model.load(self.export).signatures['score'](
        seed=tf.constant(row_seeds(names)), **{
            argument: tf.constant(frame[name].to_numpy())
            for name, argument in (('alcohol', 'alcohol'), ('is dry', 'is_dry'),
                                   ('class', 'class_column'))})
    for name, values in expected.items():
      self.assertAllEqual(found[name], values)


if __name__ == '__main__':
  tf.test.main()
