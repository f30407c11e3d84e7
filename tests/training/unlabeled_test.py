"""Runs on data of which some images have TFDS's mark of no label, -1."""

import tempfile

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests import numbered_images
from tfvae import data
from tfvae.training import Config
from tfvae.training import train
from tfvae.training.fit.images import check_labels
from tfvae.training.fit.images import load_images


class UnlabeledTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.name = numbered_images.prepare(cls.data_dir, 'unlabeled')

  def config(self, **settings):
    return Config(dataset=self.name, data_dir=self.data_dir,
                  hidden_units=(4,), **settings)

  @parameterized.product(
      cache=data.CACHES,
      case=(({'validation_split': 'test'},
             "10 of 103 of the train images .`train_split='train'`"),
            ({'train_split': 'test', 'validation_split': 'train'},
             "10 of 103 of the validation images .`validation_split='train'`"),
            ({'train_split': 'test', 'test_split': 'unlabeled'},
             "20 of 20 of the test images .`test_split='unlabeled'`")))
  def test_conditional_models_are_refused(self, cache, case):
    splits, message = case
    with self.assertRaisesRegex(
        ValueError, f'-1, which means unlabeled: {message}.*without y'):
      load_images(self.config(preset='conditional', cache=cache, **splits))

  def test_carved_images_are_named_by_the_split_they_come_from(self):
    labeled = data.Split(np.zeros([2, 2, 2, 1], np.uint8), np.array([0, 1]))
    unlabeled = data.Split(labeled.images, np.array([0, -1]))
    images = data.ImageData('carved', labeled, unlabeled, labeled, 10)
    with self.assertRaisesRegex(
        ValueError, "1 of 2 of the validation images .`train_split='train'`"):
      check_labels(self.config(preset='conditional'), images)

  def test_labeled_splits_serve_conditional_models(self):
    images = load_images(self.config(preset='conditional', train_split='test'))
    self.assertAllInRange(images.train.labels, 0, 9)

  def test_other_models_train(self):
    metrics = train.train_and_evaluate(
        self.config(latents='z:2', epochs=1, jit='false', export=False,
                    evaluations=('latent_space',)),
        self.create_tempdir().full_path)
    self.assertEqual(metrics['train']['examples'], 93)
    self.assertTrue(np.isfinite(metrics['test']['elbo']))


if __name__ == '__main__':
  tf.test.main()
