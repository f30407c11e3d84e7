"""Seeds of rows against the rule written with digits, and b2sum."""

import ast
import pathlib
import sys

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.inference import rows
from tfvae.inference.rows import row_seeds


def _folded(value):
  """Returns the number of an integer id, from its 64 digits of base 2."""
  digits = f'{value % 2**64:064b}'
  # In two's complement, a shift to the right repeats the first digit.
  sign = digits[0] if value < 0 else '0'
  shifted = sign * 31 + digits[:-31]
  return int(''.join('01'[a != b] for a, b in zip(
      digits, shifted, strict=True))[-31:], 2)


class RowSeedsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      (np.int64, [0, 1, 2**31 - 1, 2**31, 2**40 + 7, 2**63 - 1, -1, -2**63]),
      (np.uint64, [0, 2**31, 2**63, 2**64 - 1]),
      (np.int32, [5, -5, -2**31]), (np.uint8, [0, 255]))
  def test_integers(self, dtype, values):
    ids = np.array(values, dtype)
    seeds = row_seeds(ids, seed=3)
    self.assertEqual(seeds.dtype, np.int32)
    self.assertAllEqual(seeds[:, 0], [3] * len(values))
    self.assertAllEqual(seeds[:, 1], [_folded(value) for value in values])
    for same in (values, list(ids), ids.astype(object)):
      self.assertAllEqual(row_seeds(same, seed=3), seeds)

  def test_small_integers_are_their_own_numbers(self):
    self.assertAllEqual(row_seeds(range(5))[:, 1], range(5))

  def test_strings(self):
    # printf %s a/ü.png | b2sum -l 32
    digests = {'': 0x1271cf25, 'a': 0xca234c55, 'a/ü.png': 0x8cc34848}
    expected = [digest & 0x7fffffff for digest in digests.values()]
    for ids in (list(digests), np.array(list(digests)),
                np.array(list(digests), object)):
      self.assertAllEqual(row_seeds(ids)[:, 1], expected)

  def test_ids_of_both_types(self):
    self.assertAllEqual(row_seeds([7, 'a']), [[0, 7], [0, 0x4a234c55]])

  def test_no_ids(self):
    self.assertEqual(row_seeds([]).shape, (0, 2))

  @parameterized.parameters(1.0, None, b'a', True, '\udc80')
  def test_other_ids(self, value):
    with self.assertRaisesRegex(ValueError, 'an integer or a string in Unicode'
                                '.*Received: id='):
      row_seeds([value])

  @parameterized.parameters(-1, 2**31)
  def test_other_seeds(self, seed):
    with self.assertRaisesRegex(ValueError, f'Received: seed={seed}'):
      row_seeds([1], seed)

  def test_module_needs_numpy_alone(self):
    tree = ast.parse(pathlib.Path(rows.__file__).read_text(encoding='utf-8'))
    names = {name for node in ast.walk(tree)
             if isinstance(node, ast.Import | ast.ImportFrom)
             for name in ([node.module] if isinstance(node, ast.ImportFrom)
                          else [alias.name for alias in node.names])}
    self.assertEmpty({name.split('.')[0] for name in names} - {
        'numpy', *sys.stdlib_module_names})


if __name__ == '__main__':
  tf.test.main()
