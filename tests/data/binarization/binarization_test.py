"""Binarization: exact probabilities, by counting all 65,536 draws."""

from unittest import mock
import zlib

from absl.testing import parameterized
import numpy as np
from sklearn import datasets
import tensorflow as tf

from tfvae import data
from tfvae.data.binarization import fixed

_SEED = tf.constant([3, 14], tf.int64)


class BernoulliDrawTest(parameterized.TestCase, tf.test.TestCase):

  def count_of_ones(self, image_of_one_value):
    """Counts the ones when each of the 65,536 draws occurs exactly once."""
    every_draw = np.arange(2**16, dtype=np.uint16).view(np.uint64)
    blocks = np.stack([every_draw, 0 * every_draw], axis=1)
    with mock.patch.object(tf.random, 'stateless_uniform',
                           return_value=tf.constant(blocks)):
      bits = data.bernoulli_draw(image_of_one_value, _SEED)
    self.assertAllInSet(bits, [0., 1.])
    return int(tf.reduce_sum(bits))

  def test_uint8_probabilities_are_exact(self):
    counts = [self.count_of_ones(tf.fill([256, 256], tf.constant(x, tf.uint8)))
              for x in range(256)]
    self.assertEqual(counts, [(65536 * x + 127) // 255 for x in range(256)])
    self.assertEqual((counts[0], counts[255]), (0, 65536))
    self.assertAllLessEqual(
        np.abs(np.array(counts) / 65536 - np.arange(256) / 255), 2.**-17)

  def test_floating_probabilities_are_exact(self):
    rng = np.random.default_rng(0)
    values = np.concatenate([
        [0., 1., 2.**-18, 2.**-17, 1 - 2.**-17, 1 - 2.**-18, 0.5],
        rng.uniform(size=100)]).astype(np.float32)
    counts = [self.count_of_ones(tf.fill([65536], tf.constant(x)))
              for x in values]
    self.assertAllEqual(counts, np.floor(65536 * values.astype(float) + 0.5))

  @parameterized.parameters(tf.uint8, tf.float32, tf.float64)
  def test_every_pixel_has_its_mean(self, dtype):
    n, levels = 10_000, np.arange(256)
    pixels = levels if dtype == tf.uint8 else levels / 255
    images = tf.tile(tf.constant(pixels, dtype)[None, :, None, None],
                     [n, 1, 1, 1])
    means = tf.reduce_mean(data.bernoulli_draw(images, _SEED), 0)[:, 0, 0]
    p = levels / 255
    # 4 standard errors of a Bernoulli mean; 0 for p = 0 and p = 1.
    self.assertAllLessEqual(np.abs(means - p) - 4 * np.sqrt(p * (1 - p) / n),
                            1e-7)

  def test_numbers_of_a_word_are_independent(self):
    n = 100_000
    bits = data.bernoulli_draw(tf.fill([n, 4], tf.constant(128, tf.uint8)),
                               _SEED).numpy()
    # The correlation of n independent pairs has standard error 1 / sqrt(n).
    self.assertAllLess(
        np.abs(np.corrcoef(bits.T) - np.eye(4)), 4 / np.sqrt(n))

  @parameterized.parameters(((1, 1, 1, 1),), ((3, 5, 5, 1),), ((2, 3, 4, 5),),
                            ((0, 2, 2, 1),))
  def test_shape(self, shape):
    bits = data.bernoulli_draw(tf.fill(shape, tf.constant(90, tf.uint8)), _SEED)
    self.assertEqual(bits.shape, shape)
    self.assertEqual(bits.dtype, tf.float32)

  @parameterized.parameters(False, True)
  def test_graph_and_xla_draw_the_same(self, jit_compile):
    images = tf.reshape(tf.range(7 * 5 * 5) % 256, [7, 5, 5, 1])
    images = tf.cast(images, tf.uint8)
    draw = tf.function(data.bernoulli_draw, jit_compile=jit_compile)
    self.assertAllEqual(draw(images, _SEED), data.bernoulli_draw(images, _SEED))

  @parameterized.parameters((tf.float32, False), (tf.uint8, True))
  def test_part_is_what_the_whole_has_there(self, dtype, jit_compile):
    # 15 pixels an image: a part begins anywhere in a random word.
    images = tf.constant(np.random.default_rng(0).integers(
        0, 256, [7, 5, 3, 1], np.uint8))
    if dtype != tf.uint8:
      images = data.unit_interval(images)

    @tf.function(jit_compile=jit_compile)
    def draw(rows, before):
      return data.bernoulli_draw(rows, _SEED, tf.shape(before)[0])

    whole = data.bernoulli_draw(images, _SEED)
    for start, end in ((0, 4), (3, 7), (7, 7)):
      self.assertAllEqual(draw(images[start:end], images[:start]),
                          whole[start:end])

  def test_seed(self):
    images = tf.fill([100, 8, 8, 1], tf.constant(128, tf.uint8))
    bits = [data.bernoulli_draw(images, tf.constant(s))
            for s in ([3, 14], [3, 15], [4, 14])]
    self.assertAllEqual(bits[0], data.bernoulli_draw(images, _SEED))
    for i, j in (0, 1), (0, 2), (1, 2):
      # Independent fair bits agree half the time: 4 standard errors of 6,400.
      agree = tf.reduce_mean(tf.cast(bits[i] == bits[j], tf.float32))
      self.assertNear(agree, 0.5, 4 * 0.5 / 80)


class FixedBinarizationTest(parameterized.TestCase, tf.test.TestCase):

  def drawn(self, images, *keys):
    """Draws images, a part for each key, from the words of Philox in NumPy."""
    bits = []
    for part, key in zip(np.array_split(images, len(keys)), keys, strict=True):
      words = tf.random.stateless_uniform(
          [part.size], tf.constant(key, tf.int64), minval=None, maxval=None,
          dtype=tf.uint32, alg='philox').numpy()
      u = words.view(np.uint16)[:part.size].reshape(part.shape)
      bits.append(u < (65536 * part.astype(int) + 127) // 255)
    return np.concatenate(bits)

  @parameterized.parameters('train', 'validation', 'test')
  def test_keys(self, split):
    images = np.random.default_rng(0).integers(0, 256, [6, 5, 4, 1], np.uint8)
    code = 1 + (zlib.crc32(split.encode()) & 0x3fffffff)
    with mock.patch.object(fixed, '_CHUNK_PIXELS', 60):  # Three images.
      bits = data.fixed_binarization(images, 3, split)
      static = fixed.static_binarization(images, 3)
    self.assertAllEqual(bits, self.drawn(
        images, [3, -1 - code * 2**32], [3, -2 - code * 2**32]))
    self.assertAllEqual(static, self.drawn(images, [3, -1], [3, -2]))

  def test_test_is_the_split_that_is_not_named(self):
    images = np.full([10, 8, 8, 1], 128, np.uint8)
    self.assertAllEqual(data.fixed_binarization(images, 1),
                        data.fixed_binarization(images, 1, split='test'))

  def test_digits_are_not_inverted(self):
    digits = datasets.load_digits().images[..., None]
    images = np.round(digits * 255 / 16).astype(np.uint8)
    bits = data.fixed_binarization(images, seed=1)
    self.assertEqual((bits.dtype, bits.shape), (np.uint8, images.shape))
    self.assertAllEqual(bits[images == 0], np.zeros_like(bits[images == 0]))
    self.assertAllEqual(bits[images == 255], np.ones_like(bits[images == 255]))
    p = images / 255
    error = np.sqrt((p * (1 - p)).sum())
    self.assertNear(bits.sum(), p.sum(), 4 * error)  # 4 standard errors.

  def test_does_not_depend_on_how_many_images_there_are(self):
    count = fixed._CHUNK_PIXELS // 64  # Images of 8x8 in a chunk.
    images = np.full([count + 10, 8, 8, 1], 128, np.uint8)
    bits = data.fixed_binarization(images, seed=1)
    for n in (1, 13, count - 1, count, count + 1):
      self.assertAllEqual(data.fixed_binarization(images[:n], seed=1), bits[:n])
    self.assertNotAllEqual(bits[:10], bits[count:])  # Chunks differ.
    self.assertNotAllEqual(bits, data.fixed_binarization(images, seed=2))

  def test_leaves_bits_alone(self):
    bits = np.random.default_rng(0).integers(0, 2, [20, 3, 3, 1], np.uint8)
    for images in (bits, bits * np.uint8(255), bits.astype(np.float32)):
      self.assertAllEqual(data.fixed_binarization(images, seed=5), bits)


class MissingValuesTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.x = rng.random([50, 6]).astype(np.float32)
    self.holes = rng.random(self.x.shape) < 0.2
    self.with_holes = np.where(self.holes, np.float32(np.nan), self.x)

  @parameterized.parameters(False, True)
  def test_stay_in_a_draw(self, jit_compile):
    draw = tf.function(data.bernoulli_draw, jit_compile=jit_compile)
    self.assertAllEqual(
        draw(self.with_holes, _SEED),
        np.where(self.holes, np.nan, data.bernoulli_draw(self.x, _SEED)))

  def test_stay_in_fixed_bits(self):
    bits = data.fixed_binarization(self.with_holes, 3)
    self.assertEqual(bits.dtype, np.float32)
    self.assertAllEqual(bits, np.where(
        self.holes, np.nan, data.fixed_binarization(self.x, 3)))

  def test_have_every_support(self):
    data.check_support(self.with_holes, 'dynamic')
    data.check_support(np.round(self.with_holes), 'none')
    with self.assertRaisesRegex(ValueError, 'number 2'):
      data.check_support(2 * np.round(self.with_holes), 'static')
    with self.assertRaisesRegex(ValueError, 'of these are gray'):
      data.check_support(self.with_holes, 'none')


class CheckSupportTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ('uint8', [0, 255]), ('uint8', [0, 1]), ('uint8', [0, 0]),
      ('float32', [0., 1.]))
  def test_bits_need_no_binarization(self, dtype, pixels):
    data.check_support(np.array(pixels, dtype), 'none')

  @parameterized.parameters(
      ('uint8', [0, 128, 255, 255], '25.0% of these.*a pixel of 128 on .*255'),
      ('uint8', [0, 1, 2, 0], '50.0%'), ('float32', [0., 0.5], 'pixel of 0.5'))
  def test_gray_pixels_need_it(self, dtype, pixels, message):
    images = np.array(pixels, dtype)
    with self.assertRaisesRegex(ValueError, message) as caught:
      data.check_support(images, 'none')
    self.assertIn("`binarization='dynamic'`", str(caught.exception))
    for binarization_name in ('dynamic', 'static'):
      data.check_support(images, binarization_name)

  def test_unknown_binarization(self):
    with self.assertRaisesRegex(
        ValueError, "dynamic, static, none.*binarization='threshold'"):
      data.check_support(np.zeros([1], np.uint8), 'threshold')


if __name__ == '__main__':
  tf.test.main()
