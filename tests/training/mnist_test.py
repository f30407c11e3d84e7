"""A short run on the real MNIST, in Burda's setting."""

import os
import pathlib
import subprocess
import sys
import tempfile

import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae.training import Config
from tfvae.training import train_and_evaluate

_STAGE = pathlib.Path(__file__).parents[3] / 'shared' / 'data' / 'stage_tfds.py'


class MnistTest(tf.test.TestCase):

  def test_two_epochs(self):
    if not _STAGE.exists():
      self.skipTest(f'There are no raw MNIST files beside {_STAGE}.')
    data_dir = os.environ.get('TFVAE_TEST_DATA_DIR') or self.enterContext(
        tempfile.TemporaryDirectory())
    if not tfds.builder('mnist', data_dir=data_dir).is_prepared():
      subprocess.run([sys.executable, _STAGE, data_dir, 'mnist'], check=True)
    metrics = train_and_evaluate(
        Config(dataset='mnist', data_dir=data_dir, latents='z:50', epochs=2,
               eval_importance_samples=50, eval_importance_examples=500),
        os.path.join(self.get_temp_dir(), 'run'))
    # 142.2 when this was written; with the KL counted twice
    # (--kl_weight=2), 152.3.
    self.assertBetween(-metrics['test']['elbo'], 137, 147)
    self.assertLess(metrics['test']['iwae_nll'], -metrics['test']['elbo'])


if __name__ == '__main__':
  tf.test.main()
