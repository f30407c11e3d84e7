"""Seeds of rows, computed by hand."""

import hashlib
import subprocess
import sys

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.prediction import rows


class RowsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      (0, 0), (2**31 - 1, 2**31 - 1), (2**31, 1), (2**31 + 5, 4),
      (2**62, 0), (-1, 0), (-2, 1))
  def test_integers(self, name, number):
    # i XOR (i >> 31) in Python, whose integers have no size.
    self.assertEqual((name ^ (name >> 31)) & (2**31 - 1), number)
    self.assertAllEqual(rows.row_seeds([name], 7), [[7, number]])

  def test_strings(self):
    names = ['', 'a', 'ä', 'cats/1.png']
    seeds = rows.row_seeds(np.array(names, object), 3)
    self.assertEqual(seeds.dtype, np.int32)
    self.assertAllEqual(seeds, [
        (3, int(hashlib.blake2b(name.encode(), digest_size=4).hexdigest(), 16)
         % 2**31) for name in names])
    self.assertAllEqual(seeds, rows.row_seeds(names, 3))
    self.assertLen(set(seeds[:, 1].tolist()), len(names))

  def test_needs_numpy_alone(self):
    code = (f'import runpy, sys; sys.modules["tensorflow"] = None; '
            f'print(runpy.run_path({rows.__file__!r})["row_seeds"]([5]))')
    self.assertEqual(subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True,
        check=True).stdout, '[[0 5]]\n')


if __name__ == '__main__':
  tf.test.main()
