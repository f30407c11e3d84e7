"""Names of data sets: of TFDS, of folders, of files, and none of them."""

import contextlib
import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
from PIL import Image
import tensorflow as tf

from tests import numbered_images
from tfvae.data.sources.arrays.array_data import ArrayData
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.images.folder import ImageFolder
from tfvae.data.sources.opening import open_data_set
from tfvae.data.sources.tfds.tfds_source import TfdsDataSet


class OpeningTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.home = self.create_tempdir().full_path
    self.enterContext(contextlib.chdir(self.home))
    self.enterContext(mock.patch.dict(os.environ, HOME=self.home))
    for folder in ('photos', 'digits'):
      os.mkdir(folder)
      Image.new('L', (2, 2)).save(f'{folder}/0.png')
    np.savez('numbers.npz', x=np.ones([3, 2]))
    np.save('numbers.npy', np.ones([3, 2]))

  @parameterized.parameters(
      ('photos', ImageFolder), ('./photos', ImageFolder),
      ('~/photos/', ImageFolder), ('./digits', ImageFolder),
      ('numbers.npz', ArrayData), ('./numbers.npy', ArrayData),
      ('~/numbers.npz', ArrayData))
  def test_own_data(self, name, kind):
    self.assertIsInstance(open_data_set(name), kind)

  def test_name_of_tfds_wins_over_a_folder_of_the_name(self):
    self.assertIsInstance(
        open_data_set('digits', data_dir=self.home), TfdsDataSet)

  def test_directory_that_tfds_prepared(self):
    name = numbered_images.prepare(self.home)
    directory = os.path.join(self.home, name)
    path = os.path.join(directory, os.listdir(directory)[0])
    opened, by_name = open_data_set(path), open_data_set(name, self.home)
    self.assertIsInstance(opened, TfdsDataSet)
    self.assertEqual(opened.parts, by_name.parts)

  @parameterized.parameters(
      ('numbers.npz', {'form': ImageFormat(size=(4, 4))}, 'image_size.*folder'),
      ('numbers.npz', {'form': ImageFormat(resize='pad')}, 'resize.*folder'),
      ('numbers.npz', {'form': ImageFormat(background='black')},
       'background.*folder'),
      ('numbers.npz', {'form': ImageFormat(channels=1)}, 'channels.*folder'),
      ('numbers.npz', {'skip_corrupt': True}, 'corrupt.*folder'),
      ('digits', {'form': ImageFormat(resize='pad')},
       'resize.*without `image_size`'),
      ('digits', {'form': ImageFormat(background='red')},
       'background.*without `image_size`'),
      ('digits', {'skip_corrupt': True}, 'corrupt.*folder'))
  def test_settings_without_an_effect(self, name, settings, message):
    with self.assertRaisesRegex(ValueError, f'{message}.*{name}'):
      open_data_set(name, **settings)

  @parameterized.parameters(
      ('./photo', r"'photo' does not exist. Did you mean \./photos"),
      ('number.npz', 'Did you mean ./numbers.npz'),
      ('./other/place/x.npz', "'other' does not exist"),
      ('digitz', 'Did you mean digits'))
  def test_near_names(self, name, message):
    with self.assertRaisesRegex(ValueError, message):
      open_data_set(name)


if __name__ == '__main__':
  tf.test.main()
