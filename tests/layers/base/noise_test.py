"""Noise of a part of a batch: the rows that the whole batch has there."""

import threading

from absl.testing import parameterized
import tensorflow as tf

from tfvae.layers.base.noise import part_of_batch
from tfvae.layers.base.noise import standard_normal

_ROWS, _SIZE = 7, 3


def _draw(seed, shape):
  return standard_normal(shape, seed, tf.float32)


def _drawn_part(seed, like, shape, start):
  # The rows of the whole batch follow from the shape of a tensor, as XLA needs.
  with part_of_batch(start, tf.shape(like)[0]):
    return _draw(seed, shape)


class NoiseTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(('eager', ()), ('graph', (2,)), ('xla', (2,)))
  def test_parts_are_rows_of_the_whole(self, how, samples):
    whole, part = _draw, _drawn_part
    if how != 'eager':
      whole, part = (
          tf.function(function, jit_compile=how == 'xla')
          for function in (whole, part))
    seed, like = tf.constant([3, 14]), tf.zeros([_ROWS], tf.int8)
    expected = whole(seed, tf.constant([*samples, _ROWS, _SIZE]))
    self.assertEqual(expected.shape, [*samples, _ROWS, _SIZE])
    for start, end in ((0, 4), (4, 7), (3, 7), (7, 7)):
      rows = part(seed, like, tf.constant([*samples, end - start, _SIZE]),
                  tf.constant(start))
      # XLA may fuse the two otherwise, which moves the last bit of a float.
      self.assertAllClose(rows, expected[..., start:end, :], rtol=1e-6,
                          atol=1e-7)

  def test_blocks_are_nested_and_end(self):
    seed, shape = tf.constant([3, 14]), tf.constant([2, _SIZE])
    alone = _draw(seed, shape)
    whole = _draw(seed, tf.constant([_ROWS, _SIZE]))
    with part_of_batch(4, _ROWS):
      with part_of_batch(0, None):
        self.assertAllEqual(_draw(seed, shape), alone)
      self.assertAllEqual(_draw(seed, shape), whole[4:6])
    self.assertAllEqual(_draw(seed, shape), alone)
    self.assertNotAllEqual(alone, whole[4:6])

  def test_another_thread_has_a_part_of_its_own(self):
    seed, shape, found = tf.constant([3, 14]), tf.constant([2, _SIZE]), []
    with part_of_batch(4, _ROWS):
      thread = threading.Thread(target=lambda: found.append(_draw(seed, shape)))
      thread.start()
      thread.join()
    self.assertAllEqual(found[0], _draw(seed, shape))


if __name__ == '__main__':
  tf.test.main()
