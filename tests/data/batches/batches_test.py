"""Batches for training and evaluation, of images that differ."""

import itertools
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import data
from tfvae.data import binarization as binarization_lib
from tfvae.data.batches import evaluation_batches

_N, _BATCH = 23, 5  # Five batches, the last of three images.
_NUMBERED = np.tile(np.arange(_N, dtype=np.uint8)[:, None, None, None],
                    [1, 4, 3, 1])
_NUMBERED[:, 0, 0] = 255  # Or the images would be taken for bits.
_NUMBERED_40 = np.tile(np.arange(40, dtype=np.uint8)[:, None, None, None],
                       [1, 4, 3, 1])
_NUMBERED_40[:, 0, 0] = 255
_GREY = np.random.default_rng(0).integers(0, 256, [_N, 4, 3, 1], np.uint8)


def _epochs(count, images, binarization, batch_size=_BATCH, **kwargs):
  """Returns the first epochs: a list of lists of batches."""
  kwargs = {'seed': 7, **kwargs}
  steps = data.steps_per_epoch(len(images), batch_size)
  batches = data.training_batches(images, batch_size, binarization=binarization,
                                  **kwargs).as_numpy_iterator()
  return [list(itertools.islice(batches, steps)) for _ in range(count)]


def _numbers(batches):
  """Recovers the numbers of the images in each batch of one epoch."""
  return [np.round(b[:, 3, 2, 0] * 255).astype(int).tolist() for b in batches]


class TrainingBatchesTest(parameterized.TestCase, tf.test.TestCase):

  def test_every_image_once_an_epoch_and_the_last_batch_is_kept(self):
    for epoch in map(_numbers, _epochs(4, _NUMBERED, 'none')):
      self.assertEqual([len(b) for b in epoch], [5, 5, 5, 5, 3])
      self.assertCountEqual(sum(epoch, []), range(_N))

  def test_order_is_shuffled_before_batching(self):
    epochs = [_numbers(e) for e in _epochs(4, _NUMBERED, 'none')]
    for one, other in itertools.combinations(epochs, 2):
      self.assertNotEqual(sum(one, []), sum(other, []))
      # The batches hold other images, not the same ones in another order.
      self.assertNotEqual(set(map(frozenset, one)), set(map(frozenset, other)))

  def test_every_image_comes_first_equally_often(self):
    n, epochs = 4, 2_000
    images = _NUMBERED[:n]
    first = [_numbers(e)[0][0]
             for e in _epochs(epochs, images, 'none', batch_size=n)]
    # 4 standard errors of a multinomial share of 1/4.
    self.assertAllClose(np.bincount(first, minlength=n) / epochs, [1 / n] * n,
                        rtol=0, atol=4 * np.sqrt(0.25 * 0.75 / epochs))

  @parameterized.parameters(*data.BINARIZATIONS)
  def test_seed_fixes_everything(self, binarization):
    first, again, other = (
        np.concatenate(_epochs(1, _GREY, binarization, seed=s)[0])
        for s in (7, 7, 8))
    self.assertAllEqual(first, again)
    self.assertNotAllEqual(first, other)

  @parameterized.parameters(*data.BINARIZATIONS)
  def test_resumes_bit_for_bit(self, binarization):
    whole = _epochs(4, _GREY, binarization)
    resumed = _epochs(2, _GREY, binarization, start_epoch=2)
    for expected, batches in zip(whole[2:], resumed, strict=True):
      for one, other in zip(expected, batches, strict=True):
        self.assertAllEqual(one, other)

  def test_grey_values_are_scaled(self):
    epoch = np.concatenate(_epochs(1, _GREY, 'none')[0])
    self.assertEqual(epoch.dtype, np.float32)
    self.assertAllClose(np.sort(epoch, axis=None),
                        np.sort(_GREY / 255, axis=None), rtol=1e-6)

  def order(self, epochs):
    """The order depends on seed and epoch alone, so numbers reveal it."""
    return [np.concatenate(_numbers(e))
            for e in _epochs(epochs, _NUMBERED, 'none')]

  def test_static_bits_stay(self):
    bits = binarization_lib.static_binarization(_GREY, seed=7)
    for batches, order in zip(_epochs(3, _GREY, 'static'), self.order(3),
                              strict=True):
      self.assertAllEqual(np.concatenate(batches), bits[order])

  @parameterized.parameters('dynamic', 'static')
  def test_bits_are_independent_of_those_of_evaluation(self, binarization):
    half = np.full([40, 30, 30, 1], 0.5, np.float32)
    training, = _epochs(1, half, binarization, batch_size=40)
    # The order of equal images is that of any others.
    order = np.concatenate(_numbers(
        _epochs(1, _NUMBERED_40, 'none', batch_size=40)[0]))
    bits = np.empty_like(half)
    bits[order] = training[0]
    for split in ('train', 'validation', 'test'):
      batches = data.evaluation_batches(half, 40, 7, binarization, split=split)
      evaluated = next(iter(batches)).numpy()
      # Independent fair bits agree half the time: 5 standard errors.
      self.assertNear(np.mean(bits == evaluated), 0.5,
                      5 * 0.5 / np.sqrt(half.size))

  def test_dynamic_bits_are_drawn_again_with_the_right_mean(self):
    count = 1_000
    draws = np.empty([count, *_GREY.shape])
    epochs = _epochs(count, _GREY, 'dynamic')
    for i, order in enumerate(self.order(count)):
      draws[i, order] = np.concatenate(epochs[i])
    self.assertAllInSet(draws, [0., 1.])
    p = _GREY / 255
    # 4 standard errors of a Bernoulli mean, pixel by pixel.
    self.assertAllLessEqual(
        np.abs(draws.mean(0) - p) - 4 * np.sqrt(p * (1 - p) / count), 1e-9)
    # Successive epochs are independent: products of standardized bits have
    # mean 0 and variance 1.
    drawn = (p > 0.01) & (p < 0.99)
    z = ((draws - p) / np.sqrt(p * (1 - p) + 1e-9))[:, drawn]
    products = z[1:] * z[:-1]
    self.assertNear(products.mean(), 0, 4 / np.sqrt(products.size))

  def test_no_two_batches_share_their_random_bits(self):
    half = np.full([20, 4, 3, 1], 128, np.uint8)
    batches = sum(_epochs(5, half, 'dynamic'), [])
    self.assertLen({b.tobytes() for b in batches}, 20)  # Of 60 fair bits each.

  def test_dynamic_bits_differ_from_those_of_evaluation(self):
    fixed = data.fixed_binarization(_GREY, seed=7)
    for batches, order in zip(_epochs(3, _GREY, 'dynamic'), self.order(3),
                              strict=True):
      self.assertNotAllEqual(np.concatenate(batches), fixed[order])

  def test_images_of_bits_are_left_alone(self):
    bits = np.random.default_rng(1).integers(0, 2, [_N, 4, 3, 1], np.uint8)
    for binarization in data.BINARIZATIONS:
      epoch = np.concatenate(_epochs(1, bits, binarization)[0])
      self.assertAllEqual(epoch, bits[self.order(1)[0]])

  def test_floating_images(self):
    images = (_GREY / 255).astype(np.float32)
    epoch = np.concatenate(_epochs(1, images, 'none')[0])
    self.assertAllEqual(epoch, images[self.order(1)[0]])

  def test_a_batch_larger_than_the_data_is_all_of_it(self):
    epochs = _epochs(2, _NUMBERED, 'none', batch_size=100)
    self.assertEqual([[len(b) for b in e] for e in epochs], [[_N], [_N]])

  def test_shapes_and_cardinality(self):
    batches = data.training_batches(_GREY, _BATCH, 0, 'dynamic')
    self.assertEqual(batches.element_spec,
                     tf.TensorSpec([None, 4, 3, 1], tf.float32))
    self.assertEqual(batches.cardinality(), tf.data.INFINITE_CARDINALITY)
    self.assertTrue(batches.options().deterministic)

  def test_start_epoch_is_not_negative(self):
    with self.assertRaisesRegex(ValueError, 'start_epoch=-1'):
      data.training_batches(_GREY, _BATCH, 0, 'none', start_epoch=-1)


class EvaluationBatchesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(binarization=('dynamic', 'static'),
                         batch_size=(1, 5, _N, 100))
  def test_one_binarization_whatever_the_pass_and_batch(self, binarization,
                                                        batch_size):
    batches = data.evaluation_batches(_GREY, batch_size, 7, binarization)
    bits = data.fixed_binarization(_GREY, seed=7)
    for _ in range(2):
      arrays = list(batches.as_numpy_iterator())
      self.assertLen(arrays, data.steps_per_epoch(_N, batch_size))
      self.assertAllEqual(np.concatenate(arrays), bits)

  def test_bits_that_are_not_kept_are_the_same(self):
    with (mock.patch.object(evaluation_batches, '_KEPT_BITS', 0),
          mock.patch.object(binarization_lib.fixed, '_CHUNK_PIXELS', 24),
          mock.patch.object(evaluation_batches, 'fixed_binarization') as kept):
      batches = data.evaluation_batches(_GREY, _BATCH, 7, 'static')
      arrays = list(batches.as_numpy_iterator())
      bits = data.fixed_binarization(_GREY, seed=7)
    kept.assert_not_called()
    self.assertAllEqual(np.concatenate(arrays), bits)

  def test_order_and_scale(self):
    batches = data.evaluation_batches(_GREY, _BATCH, 7, 'none')
    arrays = list(batches.as_numpy_iterator())
    self.assertEqual([len(a) for a in arrays], [5, 5, 5, 5, 3])
    self.assertAllClose(np.concatenate(arrays), _GREY / 255, rtol=1e-6)
    self.assertEqual(batches.element_spec,
                     tf.TensorSpec([None, 4, 3, 1], tf.float32))
    self.assertEqual(batches.cardinality(), 5)

  def test_255_is_exactly_one(self):
    images = np.full([3, 2, 2, 1], 255, np.uint8)
    for batch in data.evaluation_batches(images, 2, 0, 'none'):
      self.assertAllEqual(batch, np.ones(batch.shape))


class ArgumentsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(
      make=(data.training_batches, data.evaluation_batches),
      case=(
          ({'batch_size': 0}, 'at least one image.*batch_size=0'),
          ({'batch_size': -3}, 'batch_size=-3'),
          ({'binarization': 'binary'}, "dynamic, static.*tion='binary'"),
          ({'images': _GREY[:0]}, r'n > 0.*\(0, 4, 3, 1\)'),
          ({'images': _GREY[:, 0, 0, 0]}, r'channels\].*\(23,\)'),
          ({'images': _GREY.astype(np.int32)}, 'uint8, or floating.*int32')))
  def test_refused(self, make, case):
    kwargs, message = case
    kwargs = {'images': _GREY, 'batch_size': 5, 'seed': 0,
              'binarization': 'none', **kwargs}
    with self.assertRaisesRegex(ValueError, message):
      make(**kwargs)

  @parameterized.parameters((10, 5, 2), (11, 5, 3), (3, 100, 1))
  def test_steps_per_epoch(self, num_images, batch_size, steps):
    self.assertEqual(data.steps_per_epoch(num_images, batch_size), steps)


class DistributionTest(tf.test.TestCase):

  def test_a_strategy_gets_the_same_batches(self):
    batches = data.training_batches(_NUMBERED, _BATCH, 7, 'none')
    whole = _numbers(list(itertools.islice(batches.as_numpy_iterator(), 10)))
    strategy = tf.distribute.MirroredStrategy(['CPU:0'])
    shared = strategy.experimental_distribute_dataset(batches)
    replicas = [strategy.experimental_local_results(b)[0].numpy()
                for b in itertools.islice(shared, 10)]
    self.assertEqual(_numbers(replicas), whole)


if __name__ == '__main__':
  tf.test.main()
