"""Seeds of rows, computed from their ids."""

import hashlib

import numpy as np
import tensorflow as tf

from tfvae.inference import rows


class RowSeedsTest(tf.test.TestCase):

  def test_numbers_of_integers_are_their_lower_bits_folded(self):
    ids = [0, 1, 2**31 - 1, 2**31, 2**40 + 5, -1, -2**40]
    seeds = rows.row_seeds(ids, 7)
    self.assertEqual(seeds.dtype, np.int32)
    self.assertAllEqual(seeds[:, 0], [7] * len(ids))
    self.assertAllEqual(
        seeds[:, 1], [(i ^ (i >> 31)) & (2**31 - 1) for i in ids])

  def test_numbers_of_strings_are_those_of_their_digests(self):
    names = ['a', 'Zoë', '']
    expected = [int(hashlib.blake2b(
        name.encode(), digest_size=4).hexdigest(), 16) % 2**31
                for name in names]
    self.assertAllEqual(rows.row_seeds(names)[:, 1], expected)
    self.assertAllEqual(rows.row_seeds(np.array(names))[:, 1], expected)


if __name__ == '__main__':
  tf.test.main()
