"""Runs on data that some measure cannot be computed on."""

import json
import os
import re
from unittest import mock
import warnings

from absl.testing import parameterized
import tensorflow as tf

from tests import tiny_images
from tfvae.training import Config
from tfvae.training import train_and_evaluate
from tfvae.training.fit import fitting


class RunTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls().create_tempdir().full_path

  @parameterized.parameters(
      ('few', ('importance_weighted', 'latent_space', 'representation'),
       {'representation': '`num_neighbors` must be',
        'latent_space': 'needs at least two'}),
      ('rare_factor', ('representation', 'disentanglement'),
       {'disentanglement': 'must occur at least twice'}))
  def test_ends_with_all_that_can_be_computed(
      self, variant, chosen, not_computed):
    workdir = os.path.join(self.create_tempdir().full_path, 'run')
    config = Config(
        dataset=tiny_images.prepare(self.data_dir, variant),
        data_dir=self.data_dir, latents='z:3', hidden_units=(4,), epochs=1,
        jit='false', eval_importance_samples=2, evaluations=chosen,
        export=False)
    fit, said = fitting.fit, []

    def noting_fit(*arguments):
      said.extend(logs.output)
      return fit(*arguments)

    with (warnings.catch_warnings(record=True) as caught,
          self.assertLogs('tfvae', 'INFO') as logs,
          mock.patch.object(fitting, 'fit', noting_fit)):
      warnings.simplefilter('always')
      metrics = train_and_evaluate(config, workdir)
    self.assertEmpty([
        str(warning.message) for warning in caught
        if issubclass(warning.category, RuntimeWarning | UserWarning)])
    self.assertContainsSubset(
        {'model.keras', 'metrics.json', 'report'}, os.listdir(workdir))
    self.assertEqual(metrics, self._strict_json(workdir))
    with open(os.path.join(workdir, 'report', 'index.html'),
              encoding='utf-8') as file:
      page = file.read()
    for name in chosen:
      self.assertEqual('not_computed' in metrics[name], name in not_computed)
    for name, reason in not_computed.items():
      self.assertRegex(metrics[name]['not_computed'], reason)
      # The page sets names of arguments as code.
      self.assertIn(metrics[name]['not_computed'].replace('`', ''),
                    re.sub('</?code>', '', page))
      # It is said before the training, too.
      self.assertIn(f'{name} will not be computed: ', '\n'.join(said))
    if variant == 'few':  # One test image.
      self.assertIsNone(metrics['test']['elbo_standard_error'])
      self.assertIn('not available', page)
    self.assertNotIn('report', metrics)

  def _strict_json(self, workdir):
    def refuse(constant):
      self.fail(f'{constant} is no JSON')

    with open(os.path.join(workdir, 'metrics.json'), encoding='utf-8') as file:
      return json.load(file, parse_constant=refuse)

  def test_conditional_model_needs_labeled_images(self):
    config = Config(
        dataset=tiny_images.prepare(self.data_dir, 'unlabeled'),
        data_dir=self.data_dir, preset='conditional', latents='z:2')
    workdir = os.path.join(self.create_tempdir().full_path, 'run')
    with self.assertRaisesRegex(ValueError, 'unlabeled: 20 of 20'):
      train_and_evaluate(config, workdir)
    self.assertFalse(os.path.exists(workdir))


if __name__ == '__main__':
  tf.test.main()
