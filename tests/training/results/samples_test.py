"""Samples of images are pictures, those of other arrays an archive."""

import os

import numpy as np
from PIL import Image
import tensorflow as tf
import tf_keras

from tfvae.models import image_vae
from tfvae.training import Config
from tfvae.training.results.samples import write_samples

_SETTINGS = dict(latents='z:2', hidden_units=(4,), num_samples=12)


class SamplesTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    tf_keras.utils.set_random_seed(0)
    self.workdir = self.create_tempdir().full_path

  def test_images_are_their_means(self):
    model = image_vae('z:2', (4, 5, 1), hidden_units=(4,))
    path = write_samples(model, Config(**_SETTINGS), self.workdir)
    # Once more, with fewer: the earlier ones go.
    write_samples(model, Config(**_SETTINGS | {'num_samples': 11}),
                  self.workdir)
    names = sorted(os.listdir(path))
    self.assertEqual(names, [f'{i:02d}.png' for i in range(11)])
    expected = model.sample(11, 0, mean=True).numpy()[..., 0]
    for name, image in zip(names, expected, strict=True):
      with Image.open(os.path.join(path, name)) as file:
        self.assertAllClose(np.asarray(file), 255 * image, atol=0.51)

  def test_classes_of_vectors_take_turns(self):
    config = Config(preset='conditional', likelihood='normal', **_SETTINGS)
    model = image_vae(config.model.graph(), (6,), likelihood='normal',
                      hidden_units=(4,), num_classes=3)
    path = write_samples(model, config, self.workdir)
    with np.load(path) as arrays:
      self.assertEqual(arrays['x'].shape, (12, 6))
      self.assertAllEqual(arrays['y'], np.arange(12) % 3)


if __name__ == '__main__':
  tf.test.main()
