"""Grids of images."""

import os

from matplotlib import image as matplotlib_image
import numpy as np
import tensorflow as tf

from tfvae import models
from tfvae import report


class PicturesTest(tf.test.TestCase):

  def test_grid_places_each_image(self):
    images = np.arange(5)[:, None, None, None] * np.ones((5, 2, 3, 1)) / 10
    grid = report.image_grid(images, columns=3)
    self.assertEqual(grid.shape, (2 * 3 - 1, 3 * 4 - 1, 1))
    for index in range(5):
      top, left = index // 3 * 3, index % 3 * 4
      self.assertAllEqual(
          grid[top:top + 2, left:left + 3], np.full((2, 3, 1), index / 10))
    self.assertAllEqual(grid[2], np.ones((11, 1)))
    self.assertAllEqual(grid[3:, 8:], np.ones((2, 3, 1)))

  def test_reconstructions_stand_below_their_originals(self):
    model = models.image_vae(2, (2, 3, 1), 'mlp', (4,))
    x = np.random.default_rng(0).random((13, 2, 3, 1)).astype(np.float32)
    grid = report.reconstruction_grid(model, x)
    means = model(x).mean().numpy()
    self.assertEqual(grid.shape, (4 * 3 - 1, 10 * 4 - 1, 1))
    for index in range(13):
      top, left = index // 10 * 6, index % 10 * 4
      self.assertAllEqual(grid[top:top + 2, left:left + 3], x[index])
      self.assertAllClose(
          grid[top + 3:top + 5, left:left + 3], means[index])

  def test_panels_are_written_whole(self):
    path = os.path.join(self.get_temp_dir(), 'panels.png')
    dark, light = np.zeros((9, 9, 1)), np.ones((9, 9, 3))
    report.save_panels(path, [('dark', dark), ('light', light)])
    picture = matplotlib_image.imread(path)[..., :3]
    height, width, _ = picture.shape
    left = picture[height // 2, width // 4]
    right = picture[height // 2, 3 * width // 4]
    self.assertAllClose(left, [0, 0, 0])
    self.assertAllClose(right, [1, 1, 1])
    self.assertEqual(os.listdir(os.path.dirname(path)), ['panels.png'])


if __name__ == '__main__':
  tf.test.main()
