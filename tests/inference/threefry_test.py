"""The generator against published numbers and NumPy, its normals against SciPy.
"""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf

from tfvae.inference import threefry


def _reference(key, counter):
  """Returns Threefry-2x32 of 20 rounds of Python's integers."""
  mask = 2**32 - 1
  keys = [*key, key[0] ^ key[1] ^ 0x1BD11BDA]
  x, y = ((c + k) & mask for c, k in zip(counter, key, strict=True))
  for round_number in range(20):
    bits = (13, 15, 26, 6, 17, 29, 16, 24)[round_number % 8]
    x = (x + y) & mask
    y = x ^ ((y << bits | y >> 32 - bits) & mask)
    if round_number % 4 == 3:
      i = round_number // 4 + 1
      x, y = (x + keys[i % 3]) & mask, (y + keys[(i + 1) % 3] + i) & mask
  return x, y


def _words(*values):
  return tuple(tf.constant(value, tf.uint32) for value in values)


class ThreefryTest(tf.test.TestCase, parameterized.TestCase):

  # kat_vectors of Random123, threefry2x32 20.
  @parameterized.parameters(
      ((0, 0), (0, 0), (0x6b200159, 0x99ba4efe)),
      ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1cb996fc, 0xbb002be7)),
      ((0x13198a2e, 0x03707344), (0x243f6a88, 0x85a308d3),
       (0xc4923a9c, 0x483df7a0)))
  def test_known_answers(self, key, counter, expected):
    self.assertAllEqual(
        threefry.threefry2x32(_words(*key), _words(*counter)), expected)
    self.assertEqual(_reference(key, counter), expected)

  def test_words_equal_integers_of_python(self):
    rng = np.random.default_rng(0)
    key = rng.integers(0, 2**32, [2, 6, 1])
    counter = rng.integers(0, 2**32, [2, 5])
    found = threefry.threefry2x32(_words(*key), _words(*counter))
    for i in range(6):
      for j in range(5):
        self.assertEqual(
            (int(found[0][i, j]), int(found[1][i, j])),
            _reference(key[:, i, 0].tolist(), counter[:, j].tolist()))

  def test_ends_of_uniforms_and_normals(self):
    ends = tf.constant([0, 2**32 - 1], tf.uint32)
    self.assertAllClose(
        threefry.uniform(ends), [2.0**-32, 1.0], rtol=1e-6, atol=0)
    for part in threefry.normals((ends, ends)):
      self.assertAllLess(np.abs(part), 6.7)

  def test_distributions(self):
    count = 100_000
    words = threefry.threefry2x32(
        _words(1, 2), (tf.bitcast(tf.range(count), tf.uint32), _words(0)[0]))
    first, second = threefry.normals(words)
    for values, expected in ((first, 'norm'), (second, 'norm'),
                             (threefry.uniform(words[0]), 'uniform')):
      self.assertGreater(stats.kstest(values, expected).pvalue, 1e-3)
    # Also of the squares, whose dependence Box and Muller would show.
    for one, other in ((first, second), (first**2, second**2),
                       (first[1:], first[:-1])):
      self.assertLess(
          abs(np.corrcoef(one, other)[0, 1]), 4 / count**0.5)

  def test_bits_of_a_normal_do_not_depend_on_the_batch(self):
    words = threefry.threefry2x32(
        _words(3, 4), (tf.bitcast(tf.range(500), tf.uint32), _words(0)[0]))
    whole = threefry.normals(words)
    for n in (1, 2, 7, 33, 499):
      part = threefry.normals((words[0][:n], words[1][:n]))
      self.assertAllEqual(part, [values[:n] for values in whole])


if __name__ == '__main__':
  tf.test.main()
