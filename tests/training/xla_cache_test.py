"""The cache of what XLA compiles."""

import os
import pathlib
from unittest import mock

from absl.testing import parameterized
import tensorflow as tf

from tests import fresh_process
from tfvae.training.command_line.xla_cache import use_xla_cache

_CODE = """
import sys
import tensorflow as tf
from tfvae.training.command_line.xla_cache import use_xla_cache
use_xla_cache(sys.argv[1])
print(tf.function(lambda x: tf.math.log(x) + 1, jit_compile=True)(1.).numpy())
"""


class XlaCacheTest(parameterized.TestCase, tf.test.TestCase):

  def test_a_second_process_reads_what_the_first_one_wrote(self):
    directory = pathlib.Path(self.create_tempdir().full_path)
    result = fresh_process.run(['-c', _CODE, directory])
    self.assertEqual(result.stdout, '1.0\n', result.stderr)
    part, = directory.iterdir()
    self.assertStartsWith(part.name, f'{tf.__version__}-')
    file, = (path for path in part.iterdir() if path.suffix == '.pb')
    # TensorFlow fails where it cannot read what it looks for.
    file.write_bytes(b'damaged')
    result = fresh_process.run(['-c', _CODE, directory])
    self.assertNotEqual(result.returncode, 0)
    self.assertIn(file.name, result.stderr)

  def test_other_flags_of_xla_stay(self):
    directory = self.create_tempdir().full_path
    with mock.patch.dict(os.environ, TF_XLA_FLAGS='--tf_xla_clustering_debug'):
      use_xla_cache(directory)
      self.assertStartsWith(
          os.environ['TF_XLA_FLAGS'], '--tf_xla_clustering_debug '
          f'--tf_xla_persistent_cache_directory={directory}/')

  @parameterized.parameters(
      ('/dev/null/cache', 'can be written'), ('a cache', 'no space'))
  def test_directories_that_cannot_be_used(self, directory, message):
    with mock.patch.dict(os.environ, TF_XLA_FLAGS=''):
      with self.assertRaisesRegex(ValueError, f'{message}.*{directory}'):
        use_xla_cache(directory)
      self.assertEqual(os.environ['TF_XLA_FLAGS'], '')


if __name__ == '__main__':
  tf.test.main()
