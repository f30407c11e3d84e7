"""Hidden values: their draws, and batches for training and evaluation."""

import itertools
from unittest import mock
import zlib

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import data
from tfvae.data.batches import evaluation_batches
from tfvae.data.binarization import fixed
from tfvae.data.binarization import fixed_hidden
from tfvae.data.binarization import hidden

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=[23, 5]).astype(np.float32)
_X[_RNG.random(_X.shape) < 0.1] = np.nan
_GRAY = _RNG.integers(0, 256, [23, 4, 3, 2], np.uint8)
_KEY = tf.constant(3 * 2**32 + 5, tf.int64)


def _words(count, key, dtype):
  """Returns words of Philox, uint16 `[count, …]`."""
  return tf.random.stateless_uniform(
      [count, 2] if dtype == tf.uint64 else [count],
      tf.constant(key, tf.int64), minval=None, maxval=None, dtype=dtype,
      alg='philox').numpy()


class DrawTest(parameterized.TestCase, tf.test.TestCase):

  def assert_hidden(self, x, found, is_hidden):
    self.assertAllEqual(found, np.where(is_hidden, np.nan, x))

  def test_keys_of_training(self):
    words = _words(30, [7, 3 * 2**32 + 5 + 2**62], tf.uint64)[:, 0]
    u = np.ascontiguousarray(words).view(np.uint16)
    self.assert_hidden(_X, hidden(tf.constant(_X), 0.3, 7, _KEY),
                       u[5:120].reshape(23, 5) < np.floor(0.3 * 65536 + 0.5))

  @parameterized.parameters('train', 'validation', 'test')
  def test_keys_of_an_evaluation(self, split):
    code = 1 + zlib.crc32(split.encode()) % 2**30
    u = _words(58, [7, -1 - 2**62 - code * 2**32 - 4], tf.uint32).view(
        np.uint16)
    self.assert_hidden(
        _X, fixed_hidden(tf.constant(_X), 0.3, 7, fixed.evaluation_stream(
            split), tf.constant(4, tf.int64)),
        u[:115].reshape(23, 5) < np.floor(0.3 * 65536 + 0.5))

  @parameterized.parameters(0.001, 0.2, 0.5, 0.99)
  def test_fraction(self, fraction):
    x = tf.zeros([1000, 300])
    holes = np.isnan(hidden(x, fraction, 0, _KEY))
    # 4 standard errors of a binomial share, of all and of each element, where
    # 300 elements are compared, and an error of 2^-17.
    error = np.sqrt(fraction * (1 - fraction))
    self.assertNear(holes.mean(), fraction, 4 * error / np.sqrt(3e5) + 2**-17)
    self.assertAllLess(np.abs(holes.mean(axis=0) - fraction),
                       5 * error / np.sqrt(1000) + 2**-17)

  def test_pixels_are_hidden_whole(self):
    x = data.unit_interval(tf.constant(_GRAY))
    holes = np.isnan(hidden(x, 0.4, 0, _KEY))
    self.assertAllEqual(holes[..., 0], holes[..., 1])
    self.assertNear(holes.mean(), 0.4, 4 * np.sqrt(0.24 / 276))

  @parameterized.parameters(False, True)
  def test_part_is_what_the_whole_has_there(self, jit_compile):
    @tf.function(jit_compile=jit_compile)
    def of_part(rows, before):
      return hidden(rows, 0.3, 7, _KEY, tf.shape(before)[0])

    for x in (tf.constant(_X), data.unit_interval(tf.constant(_GRAY))):
      whole = hidden(x, 0.3, 7, _KEY)
      for start, end in ((0, 23), (0, 4), (3, 7), (22, 23), (7, 7)):
        self.assertAllEqual(of_part(x[start:end], x[:start]), whole[start:end])

  def test_draws_of_other_keys_are_independent(self):
    x = tf.zeros([100, 64])
    key = tf.constant(5, tf.int64)
    holes = [np.isnan(found) for found in (
        hidden(x, 0.5, 7, key), hidden(x, 0.5, 7, key + 1),
        hidden(x, 0.5, 8, key), fixed_hidden(x, 0.5, 7, 1, key))]
    holes.append(data.bernoulli_draw(x + 0.5, tf.stack([7, key])).numpy() > 0)
    for one, other in itertools.combinations(holes, 2):
      # They agree half the time: 4 standard errors of 6,400.
      self.assertNear(np.mean(one == other), 0.5, 4 * 0.5 / 80)


def _training(images, binarization, hide_fraction, epochs=2, **kwargs):
  steps = data.steps_per_epoch(len(images), 5)
  return list(itertools.islice(data.training_batches(
      images, 5, 7, binarization, hide_fraction=hide_fraction, **kwargs
  ).as_numpy_iterator(), epochs * steps))


class BatchesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(
      case=((_X, 'none'), (_GRAY, 'none'), (_GRAY, 'dynamic'),
            (_GRAY, 'static')))
  def test_training(self, case):
    plain, found, none = (
        _training(*case, fraction) for fraction in (0., 0.3, 0.))
    resumed = _training(*case, 0.3, 1, start_epoch=1)
    for one, other in zip(plain, none, strict=True):
      self.assertAllEqual(one, other)
    for one, other in zip(found[5:], resumed, strict=True):
      self.assertAllEqual(one, other)
    x, y = np.concatenate(plain), np.concatenate(found)
    # What is hidden is drawn after the bits, and what is missing stays so.
    self.assertAllEqual(y, np.where(np.isnan(y), np.nan, x))
    self.assertTrue(np.isnan(y[np.isnan(x)]).all())
    holes = np.isnan(y)[~np.isnan(x)]
    if x.ndim == 4:
      holes = holes[::2]  # One of two channels.
    self.assertNear(holes.mean(), 0.3, 4 * np.sqrt(0.21 / len(holes)))
    self.assertLen({np.isnan(batch).tobytes() for batch in found}, 10)

  @parameterized.product(
      batch_size=(1, 4, 23, 100), case=(
          (_X, 'none'), (_GRAY, 'none'), (_GRAY, 'dynamic'),
          (np.float32(_GRAY[:, 0]) / 255, 'static')))
  def test_evaluation(self, batch_size, case):
    images, binarization = case

    def read(fraction, size=batch_size, **kwargs):
      batches = data.evaluation_batches(
          images, size, 7, binarization, hide_fraction=fraction, **kwargs)
      one, other = (np.concatenate(list(batches)) for _ in range(2))
      self.assertAllEqual(one, other)
      return one

    with mock.patch.object(fixed, '_CHUNK_PIXELS', 7 * images[0].size):
      plain, found, whole = read(0.), read(0.3), read(0.3, 23)
      with mock.patch.object(evaluation_batches, '_KEPT_BITS', 0):
        self.assertAllEqual(found, read(0.3))
      others = [read(0.3, split='train')]
    self.assertAllEqual(found, whole)
    self.assertAllEqual(found, np.where(np.isnan(found), np.nan, plain))
    self.assertTrue(np.isnan(found[np.isnan(plain)]).all())
    observed = ~np.isnan(plain)
    self.assertNear(np.isnan(found)[observed].mean(), 0.3,
                    4 * np.sqrt(0.21 / observed[..., 0].size))
    for other in others:
      self.assertNotAllEqual(np.isnan(found), np.isnan(other))

  @parameterized.parameters('dynamic', 'static')
  def test_caches(self, binarization):
    x = np.where(np.isnan(_X), _X, np.abs(_X) % 1)
    parts = {'x': x, 'x_test': x, 'x_validation': x}
    found, evaluated = [], []
    for cache in ('memory', 'disk'):
      loaded = data.load(parts, missing='allow', cache=cache,
                         cache_dir=self.create_tempdir().full_path)
      found.append(np.concatenate(
          _training(loaded.train.images, binarization, 0.3)))
      evaluated.append(np.concatenate(list(data.evaluation_batches(
          loaded.test.images, 4, 7, binarization, hide_fraction=0.3))))
    self.assertAllEqual(*found)
    self.assertAllEqual(*evaluated)
    self.assertTrue(np.isnan(evaluated[0][np.isnan(x)]).all())
    self.assertAllInSet(found[0][~np.isnan(found[0])], [0, 1])

  @parameterized.parameters(1, 2)
  def test_streamed(self, workers):
    x = np.float32(np.arange(4000).reshape(400, 10) + 1)
    loaded = data.load({'x': x, 'x_test': x, 'x_validation': x}, cache='none')

    def steps(worker, start=0, count=16, fraction=0.3):
      return list(itertools.islice(data.streamed_batches(
          loaded.train.images, 50, 7, 'none', 0, start, shard=(worker, workers),
          hide_fraction=fraction).as_numpy_iterator(), count))

    found = []
    for worker in range(workers):
      batches = steps(worker)
      for one, other in zip(batches[3:], steps(worker, 3, 13), strict=True):
        self.assertAllEqual(one, other)
      for batch, plain in zip(batches, steps(worker, fraction=0.), strict=True):
        self.assertAllEqual(batch, np.where(np.isnan(batch), np.nan, plain))
      found += batches
    self.assertLen({np.isnan(batch).tobytes() for batch in found}, 16 * workers)
    self.assertNear(np.isnan(np.concatenate(found)).mean(), 0.3,
                    4 * np.sqrt(0.21 / 8000))

  @parameterized.product(
      make=(data.training_batches, data.evaluation_batches),
      hide_fraction=(-0.1, 1., float('nan')))
  def test_bad_fractions(self, make, hide_fraction):
    with self.assertRaisesRegex(ValueError, 'below 1.*hide_fraction='):
      make(_X, 5, 0, 'none', hide_fraction=hide_fraction)


if __name__ == '__main__':
  tf.test.main()
