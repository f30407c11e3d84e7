"""Runs whose labels are missing for all but a few training examples."""

import json
import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.training import Config
from tfvae.training import train
from tfvae.training.fit import fitting
from tfvae.training.fit.images import labeled_fraction
from tfvae.training.fit.images import load_images

_GRAPH = {'latents': 'z:3', 'inference': 'y|x; z|x,y',
          'generative': 'z; y; x|z,y'}
_TINY = {'hidden_units': (16,), 'factor_units': (8,), 'epochs': 2}


class FewLabelsTest(parameterized.TestCase, tf.test.TestCase):

  def test_a_run(self):
    workdir = self.create_tempdir().full_path
    self.assertEqual(
        Config(**_GRAPH).evaluation.evaluations[-1], 'classification')
    with mock.patch.object(fitting, 'TensorBoard'):
      metrics = train.train_and_evaluate(Config(
          num_labels=50, label_seed=3, evaluations=('classification',),
          jit='false', **_GRAPH, **_TINY), workdir)
    self.assertEqual(metrics['classification']['labeled_train_examples'], 50)
    self.assertEqual(metrics['classification']['labeled_test_examples'], 360)
    self.assertEqual(metrics['test']['classification_error'],
                     metrics['classification']['classification_error'])
    self.assertIn('y', metrics['test']['kl_by_latent'])
    self.assertAllClose(
        metrics['test']['elbo'],
        metrics['test']['reconstruction'] - metrics['test']['kl'])
    self.assertNotIn('report', metrics)
    model = tf_keras.models.load_model(os.path.join(workdir, 'model.keras'))
    objective = model.get_compile_config()['objective']['config']
    self.assertAllClose(objective['labeled_fraction'], 50 / 1293)
    with open(os.path.join(workdir, 'metrics.json')) as file:
      self.assertEqual(json.load(file)['test'], metrics['test'])

  def test_chooses_labels_by_their_seed(self):
    def labels(**settings):
      images = load_images(Config(**_GRAPH, **settings))
      return images.train.labels, images

    few, images = labels(num_labels=20)
    self.assertAllEqual(np.bincount(few + 1), [1273] + [2] * 10)
    self.assertAllClose(labeled_fraction(images), 20 / 1293)
    self.assertGreater(images.test.labels.min(), -1)
    self.assertAllEqual(few, labels(num_labels=20, seed=5)[0])
    self.assertAllEqual(few, labels(num_labels=20, label_seed=0)[0])
    self.assertNotAllEqual(few, labels(num_labels=20, label_seed=1)[0])
    self.assertAllEqual(labels()[0][few >= 0], few[few >= 0])

  @parameterized.parameters(
      ({'num_labels': 10}, '`num_labels` has no effect'),
      ({'classification_weight': 0.5}, '`classification_weight` has no effect'),
      ({'label_seed': 1, **_GRAPH}, '`label_seed` has no effect without'),
      ({'objective': 'iwae', **_GRAPH}, "use `objective='elbo'`"),
      ({'inference': 'y|x; z|x'}, "no generative factor: add 'y' to"))
  def test_refuses_settings_without_an_effect(self, settings, message):
    with self.assertRaisesRegex(ValueError, message):
      Config(**settings)

  def test_refuses_a_number_that_is_no_multiple(self):
    with self.assertRaisesRegex(ValueError, 'a multiple of the number of'):
      load_images(Config(num_labels=15, **_GRAPH))


if __name__ == '__main__':
  tf.test.main()
