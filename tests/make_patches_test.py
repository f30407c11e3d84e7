"""The patches of a folder of images are the pictures of scikit-learn."""

import importlib.util
import os
import pathlib

import numpy as np
from PIL import Image
from sklearn import datasets
import tensorflow as tf

_PATH = pathlib.Path(__file__).parents[1] / 'docs' / 'make_patches.py'


class MakePatchesTest(tf.test.TestCase):

  def test_patches_are_parts_of_the_pictures(self):
    spec = importlib.util.spec_from_file_location('make_patches', _PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    directory = self.create_tempdir().full_path
    module.write_patches(directory, size=128)
    self.assertCountEqual(os.listdir(directory), ['china', 'flower'])
    for picture in ('china', 'flower'):
      pixels = datasets.load_sample_image(f'{picture}.jpg')
      files = os.listdir(os.path.join(directory, picture))
      self.assertLen(files, 3 * 5)  # Of 427 x 640 pixels.
      with Image.open(os.path.join(directory, picture, '128_384.png')) as patch:
        self.assertAllEqual(np.asarray(patch), pixels[128:256, 384:512])


if __name__ == '__main__':
  tf.test.main()
