"""The real MNIST: what is loaded of it, and a short run in Burda's setting."""

import gzip
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae.data import load_images
from tfvae.training import Config
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training.fit import fitting
from tfvae.training.results import evaluations

_SHARED = pathlib.Path(__file__).parents[3] / 'shared' / 'data'
_RAW = _SHARED / 'raw' / 'mnist'


@unittest.skipUnless(_RAW.is_dir(), f'There are no raw files in {_RAW}.')
class MnistTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = os.environ.get(
        'TFVAE_TEST_DATA_DIR') or cls.enterClassContext(
            tempfile.TemporaryDirectory())
    if not tfds.builder('mnist', data_dir=cls.data_dir).is_prepared():
      subprocess.run([sys.executable, _SHARED / 'stage_tfds.py', cls.data_dir,
                      'mnist'], check=True)

  def test_images_and_labels_are_those_of_the_raw_files(self):
    data = load_images('mnist', self.data_dir)
    self.assertEqual(data.image_shape, (28, 28, 1))
    train = np.concatenate([self._rows(data.train),
                            self._rows(data.validation)])
    for rows, name in (train, 'train'), (self._rows(data.test), 't10k'):
      self.assertAllEqual(np.sort(rows), np.sort(self._raw(name)))

  def _rows(self, split):
    pixels = split.images.reshape(len(split.images), -1)
    return self._joined(pixels, split.labels)

  def _raw(self, name):
    def read(kind, header):
      content = (_RAW / f'{name}-{kind}-ubyte.gz').read_bytes()
      return np.frombuffer(gzip.decompress(content)[header:], np.uint8)

    return self._joined(read('images-idx3', 16).reshape(-1, 784),
                        read('labels-idx1', 8))

  def _joined(self, pixels, labels):
    """An image and its label as one sortable value: TFDS has its own order."""
    rows = np.column_stack([pixels, labels.astype(np.uint8)])
    return np.ascontiguousarray(rows).view('S785')[:, 0]

  def test_an_epoch(self):
    with (mock.patch.object(fitting, 'TensorBoard'),
          mock.patch.object(evaluations, 'SPLITS', ('test',)),
          mock.patch.object(train, 'write_report')):
      metrics = train_and_evaluate(
          Config(dataset='mnist', data_dir=self.data_dir, latents='z:50',
                 epochs=1, jit='false', evaluations=('importance_weighted',),
                 eval_importance_samples=10, eval_importance_examples=200,
                 export=False),
          os.path.join(self.get_temp_dir(), 'run'))
    # 178.6 when this was written; with the KL counted twice
    # (--kl_weight=2), 185.3.
    self.assertBetween(-metrics['test']['elbo'], 175, 182)
    block = metrics['importance_weighted']['K=10']
    self.assertLess(block['iwae_nll'], -block['elbo'])


if __name__ == '__main__':
  tf.test.main()
