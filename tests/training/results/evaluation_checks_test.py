"""Runs on data that some evaluation cannot be computed on."""

import json
import os
from unittest import mock
import warnings

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests import tiny_images
from tfvae import data
from tfvae.training import Config
from tfvae.training import train_and_evaluate
from tfvae.training.fit import fitting
from tfvae.training.results import evaluation_checks

_DEFAULT = ('importance_weighted', 'latent_space', 'representation')


def _images(labels=None, factors=None, train_labels=None):
  """Images of which labels and factors alone matter."""
  test = data.Split(np.zeros([20, 4, 4, 1], np.uint8), labels, factors)
  train = data.Split(test.images, labels if train_labels is None
                     else train_labels)
  return data.ImageData('any', train, test, test, 2)


_SIDES = np.arange(20) % 2


class WhyNotTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('class_of_one', 'latent_space', {
          'inference': 'z|x,y', 'generative': 'z|y; x|z'},
       {'labels': np.arange(20) // 19}, 'two test images of each class'),
      ('no_labels', 'representation', {}, {}, 'no labels'),
      ('label_in_q', 'representation', {'preset': 'conditional'},
       {'labels': _SIDES}, 'q has the parent y'),
      ('label_in_one_factor_of_q', 'representation', {
          'latents': 'a:2,b:2', 'inference': 'b|x,y; a|b,x',
          'generative': 'b; a|b; x|a'}, {'labels': _SIDES}, 'the parent y'),
      ('unlabeled_test', 'representation', {},
       {'labels': np.full(20, -1), 'train_labels': _SIDES}, 'unlabeled'),
      ('unlabeled_training', 'representation', {},
       {'labels': _SIDES, 'train_labels': np.full(20, -1)},
       '20 labels below 0'),
      ('one_class', 'representation', {}, {'labels': 0 * _SIDES},
       'two classes or more'),
      ('classes_of_one', 'representation', {}, {'labels': np.arange(20)},
       '20 examples of 20 classes'),
      ('flow', 'gaps', {'posterior': 'iaf_tril'}, {}, 'no parameters'),
      ('label_in_q_alone', 'calibration', {
          'inference': 'z|x,y', 'generative': 'z; x|z'}, {'labels': _SIDES},
       'nowhere in p'),
      ('no_factors', 'disentanglement', {}, {}, 'no factors'),
      ('one_dimension', 'disentanglement', {'latents': 'z:1'},
       {'factors': np.stack([_SIDES, _SIDES], 1)}, 'only one'),
      ('one_factor', 'disentanglement', {}, {'factors': _SIDES[:, np.newaxis]},
       'f at least 2'),
      ('constant_factor', 'disentanglement', {},
       {'factors': np.stack([_SIDES, 0 * _SIDES], 1)},
       'two values or more'))
  def test_says_why(self, name, settings, arguments, reason):
    self.assertRegex(evaluation_checks.why_not(
        name, Config(**settings), _images(**arguments)), reason)

  @parameterized.named_parameters(
      ('labels', 'representation', {}, {'labels': _SIDES}),
      ('label_in_p_alone', 'representation', {
          'inference': 'z|x', 'generative': 'z; x|z,y'}, {'labels': _SIDES}),
      ('gaussian', 'gaps', {'posterior': 'normal_tril'}, {}),
      ('conditional', 'calibration', {'preset': 'conditional'},
       {'labels': _SIDES}),
      ('two_latents_of_one_dimension', 'disentanglement', {
          'latents': 'a:1,b:1', 'inference': 'a|x; b|x',
          'generative': 'a; b; x|a,b'},
       {'factors': np.stack([_SIDES, _SIDES], 1)}),
      ('class_of_one', 'latent_space', {'preset': 'conditional'},
       {'labels': np.arange(20) // 19}),
      ('any_data', 'importance_weighted', {}, {}))
  def test_says_nothing_where_it_can_be_computed(
      self, name, settings, arguments):
    self.assertIsNone(evaluation_checks.why_not(
        name, Config(**settings), _images(**arguments)))


class RunTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls().create_tempdir().full_path

  @parameterized.parameters(
      ('few', _DEFAULT, {'representation': 'num_neighbors must be'}),
      ('one_test_image', _DEFAULT, {'latent_space': 'needs at least two'}),
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
      self.assertIn(metrics[name]['not_computed'], page)
      # It is said before the training, too.
      self.assertIn(f'{name} will not be computed: ', '\n'.join(said))
    if variant == 'one_test_image':
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
