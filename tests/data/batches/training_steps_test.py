"""Steps and what is read of them: from the middle, in parts, and compiled."""

import itertools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import data

_N, _BATCH, _STEPS, _SEED = 23, 5, 5, 7  # The last step has three images.
_GREY = np.random.default_rng(0).integers(0, 256, [_N, 4, 3, 1], np.uint8)


def _take(count, start_step=0, seed=_SEED):
  steps = data.training_steps(_N, _BATCH, seed, start_step)
  return list(itertools.islice(steps.as_numpy_iterator(), count))


class TrainingStepsTest(parameterized.TestCase, tf.test.TestCase):

  def test_every_image_once_an_epoch(self):
    steps = _take(3 * _STEPS)
    self.assertEqual([len(s['rows']) for s in steps], [5, 5, 5, 5, 3] * 3)
    orders = [np.concatenate([s['rows'] for s in steps[i:i + _STEPS]]).tolist()
              for i in range(0, len(steps), _STEPS)]
    for order in orders:
      self.assertCountEqual(order, range(_N))
    self.assertLen(set(map(tuple, orders)), 3)

  def test_keys_are_those_written_down(self):
    for number, step in enumerate(_take(3 * _STEPS)):
      epoch, place = divmod(number, _STEPS)
      self.assertEqual(step['step'], number)
      self.assertEqual(step['key'], epoch * 2**32 + 1 + place)
    order = tf.random.experimental.stateless_shuffle(
        tf.range(_N), seed=tf.constant([_SEED, 2**32]), alg='philox')
    second = np.concatenate([s['rows'] for s in _take(_STEPS, _STEPS)])
    self.assertAllEqual(second, order)

  @parameterized.parameters(1, 4, 5, 8, 14)
  def test_goes_on_from_any_step(self, start):
    for one, other in zip(_take(17)[start:], _take(17 - start, start),
                          strict=True):
      self.assertEqual(set(one), set(other))
      for name, value in one.items():
        self.assertAllEqual(value, other[name])

  def test_batch_larger_than_the_data(self):
    steps = data.training_steps(3, 10, _SEED, 4).take(2).as_numpy_iterator()
    for number, step in zip((4, 5), steps, strict=True):
      self.assertCountEqual(step['rows'], range(3))
      self.assertEqual(step['step'], number)
      self.assertEqual(step['key'], number * 2**32 + 1)

  @parameterized.parameters(
      (dict(batch_size=0), 'batch_size=0'),
      (dict(start_step=-1), 'start_step=-1'))
  def test_refused(self, kwargs, message):
    with self.assertRaisesRegex(ValueError, message):
      data.training_steps(**dict(num_images=_N, batch_size=5, seed=0) | kwargs)


class BatchReaderTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters('dynamic', 'none')
  def test_the_same_in_tf_data_and_in_a_compiled_step(self, binarization):
    labels = np.eye(_N, dtype=np.float32)  # Each image is its own class.
    read = data.BatchReader(_GREY, binarization, _SEED, labels)
    mapped = data.training_steps(_N, _BATCH, _SEED).map(
        lambda step: read(step['rows'], step['key']))
    compiled = tf.function(read, jit_compile=True)
    for step, batch in zip(_take(_STEPS), mapped, strict=False):
      x = compiled(*map(tf.constant, (step['rows'], step['key'])))
      self.assertAllEqual(x['y'], labels[step['rows']])
      self.assertAllEqual(batch['y'], x['y'])
      if binarization == 'dynamic':
        self.assertAllInSet(x['x'], [0., 1.])
        self.assertAllEqual(x['x'], batch['x'])
      else:  # XLA multiplies by 1 / 255, which may move the last bit.
        for pixels in (x['x'], batch['x']):
          self.assertAllClose(pixels, _GREY[step['rows']] / 255, rtol=2e-7,
                              atol=0)

  @parameterized.parameters(*data.BINARIZATIONS)
  def test_parts_are_rows_of_the_whole(self, binarization):
    read = data.BatchReader(_GREY, binarization, _SEED)
    step = _take(1)[0]
    whole = read(step['rows'], step['key'])
    for start, end in ((0, 2), (2, 5), (4, 5), (5, 5)):
      self.assertAllEqual(read(step['rows'][start:end], step['key'], start),
                          whole[start:end])


if __name__ == '__main__':
  tf.test.main()
