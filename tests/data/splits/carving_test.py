"""Rows that are held out: how many, of which class, and by which seed."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.data.splits import carving


class CarvingTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(
      fraction=(0.01, 0.1, 0.25, 0.5, 0.9),
      sizes=((10, 10), (1, 99), (3, 7, 90), (1,) * 6, (57,)))
  def test_shares_of_the_classes(self, fraction, sizes):
    labels = np.random.default_rng(0).permutation(
        np.repeat(np.arange(len(sizes)) * 3, sizes))
    mask = carving.stratified(labels, fraction, seed=1)
    total = min(max(1, round(fraction * len(labels))), len(labels) - 1)
    # A class may keep its only row, so that fewer are held out.
    self.assertBetween(mask.sum(), 1, total)
    for number, size in enumerate(sizes):
      held = mask[labels == 3 * number].sum()
      if max(sizes) > 1:
        self.assertLess(held, size)
      if size > 1 and 1 not in sizes:
        self.assertLess(abs(held - total * size / len(labels)), 1)

  @parameterized.parameters(
      lambda seed: carving.carved(50, 0.2, seed),
      lambda seed: carving.stratified(np.arange(50) % 3, 0.2, seed))
  def test_seed_fixes_the_rows(self, held_out):
    self.assertAllEqual(held_out(3), held_out(3))
    self.assertNotAllEqual(held_out(3), held_out(4))
    self.assertEqual(held_out(3).sum(), 10)

  def test_every_row_is_held_out_equally_often(self):
    labels = np.repeat([0, 1], [30, 10])
    counts = np.sum([carving.stratified(labels, 0.2, seed)
                     for seed in range(2000)], axis=0)
    # 2000 draws with probability 0.2: standard error 18.
    self.assertAllInRange(counts, 400 - 5 * 18, 400 + 5 * 18)


if __name__ == '__main__':
  tf.test.main()
