"""Training batches streamed from several files, on images known by number."""

import itertools
import tempfile

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests import numbered_images
from tfvae import data
from tfvae.data.batches.worker_part import WorkerPart

_BATCH = 10


class StreamedTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.names = {config: numbered_images.prepare(cls.data_dir, config)
                 for config in ('gray', 'bits', 'float', 'bright')}
    cls.memory = data.load_images(cls.names['gray'], cls.data_dir)
    cls.streamed = data.load_images(cls.names['gray'], cls.data_dir,
                                    cache='none')
    cls.num_images = len(cls.memory.train.images)  # 93, in 10 steps.
    cls.steps = data.steps_per_epoch(cls.num_images, _BATCH)

  def batches(self, count, binarization='none', **kwargs):
    kwargs = {'seed': 0, 'shuffle_buffer': 30, **kwargs}
    return list(itertools.islice(data.streamed_batches(
        self.streamed.train.images, _BATCH, binarization=binarization, **kwargs
    ).as_numpy_iterator(), count))

  def epochs(self, count, **kwargs):
    """The numbers of the images in each batch of each epoch."""
    found = [numbered_images.numbers(batch)
             for batch in self.batches(count * self.steps, **kwargs)]
    return [found[i:i + self.steps] for i in range(0, len(found), self.steps)]

  def expected(self):
    return numbered_images.numbers(self.memory.train.images)

  def test_data_are_those_in_memory(self):
    for part in ('train', 'validation', 'test'):
      streamed, array = (getattr(d, part) for d in (self.streamed, self.memory))
      self.assertEqual(data.is_in_memory(streamed.images), part != 'train')
      self.assertEqual(streamed.images.shape, array.images.shape)
      self.assertEqual(streamed.images.dtype, array.images.dtype)
      self.assertAllEqual(np.asarray(streamed.images), array.images)
      self.assertAllEqual(streamed.images[30:40], array.images[30:40])
      self.assertAllEqual(streamed.labels, array.labels)

  def test_every_image_once_an_epoch_in_other_batches(self):
    epochs = self.epochs(3)
    for epoch in epochs:
      self.assertEqual([len(batch) for batch in epoch], [10] * 9 + [3])
      self.assertCountEqual(sum(epoch, []), self.expected())
    for one, other in itertools.combinations(epochs, 2):
      self.assertNotEqual(set(map(frozenset, one)), set(map(frozenset, other)))
      self.assertNotEqual(sum(one, []), self.expected())

  def test_files_are_shuffled_and_read_in_turn(self):
    # Without a buffer, the order is that in which the files are read.
    one, other = (sum(epoch, []) for epoch in self.epochs(
        2, shuffle_buffer=1))
    self.assertNotEqual(one, other)
    self.assertCountEqual(one, other)

  def test_a_buffer_larger_than_memory_takes_no_more_than_the_images(self):
    epoch, = self.epochs(1, shuffle_buffer=2**60)
    self.assertCountEqual(sum(epoch, []), self.expected())

  def test_workers_share_an_epoch(self):
    workers = [self.epochs(2, shard=(i, 2)) for i in range(2)]
    for epoch in range(2):
      self.assertCountEqual(
          sum(sum((w[epoch] for w in workers), []), []), self.expected())
      # Each step's parts are those of one worker's batch.
      steps = list(zip(*(w[epoch] for w in workers), strict=True))
      sizes = [sum(map(len, parts)) for parts in steps]
      self.assertEqual(sizes, [10] * 9 + [3])
      for parts in steps:
        lengths = list(map(len, parts))
        self.assertLessEqual(max(lengths) - min(lengths), 1)

  def test_a_worker_without_images_takes_empty_steps(self):
    images = self.streamed.train.images.rows(np.arange(1))
    batches = data.streamed_batches(images, _BATCH, 0, 'dynamic', shard=(1, 2))
    for batch in batches.take(3):
      self.assertEqual(batch.shape, [0, 4, 3, 1])

  def test_resumes_bit_for_bit_at_any_step(self):
    kwargs = {'binarization': 'dynamic',
              'labels': self.streamed.train.one_hot(10)}
    whole = self.batches(25, **kwargs)
    tf.random.set_seed(99)  # Must not matter.
    for epoch, step in ((0, 3), (1, 0), (1, 9)):
      start = epoch * self.steps + step
      resumed = self.batches(25 - start, start_epoch=epoch, start_step=step,
                             **kwargs)
      for one, other in zip(whole[start:], resumed, strict=True):
        self.assertAllEqual(one['x'], other['x'])
        self.assertAllEqual(one['y'], other['y'])

  def test_seed_fixes_the_order(self):
    first, again, other = (self.epochs(1, seed=s) for s in (7, 7, 8))
    self.assertEqual(first, again)
    self.assertNotEqual(first, other)

  def test_pixels_are_those_of_the_images_and_labels_go_with_them(self):
    labels = self.streamed.train.one_hot(10)
    for batch in self.batches(self.steps, labels=labels):
      numbers = numbered_images.numbers(batch['x'])
      self.assertAllClose(
          batch['x'], [numbered_images.image(n) / 255 for n in numbers])
      self.assertAllEqual(np.argmax(batch['y'], 1), np.array(numbers) % 10)

  def test_dynamic_bits_of_all_workers_have_the_right_mean(self):
    count = 50
    workers = [self.batches(count * self.steps, 'dynamic', shard=(i, 2))
               for i in range(2)]
    full = [batch.tobytes() for w in workers for batch in w if len(batch) == 5]
    self.assertLen(set(full), len(full))  # None shares another's random bits.
    bits = np.concatenate(sum(workers, []))
    self.assertAllInSet(bits, [0., 1.])
    p = self.memory.train.images / 255
    # The mean over images and epochs, pixel by pixel, in 4 standard errors.
    error = np.sqrt((p * (1 - p)).sum(0) / count) / self.num_images
    self.assertAllLessEqual(np.abs(bits.mean(0) - p.mean(0)) - 4 * error, 1e-7)

  def test_without_an_order_every_image_still_comes_once_an_epoch(self):
    for epoch in self.epochs(2, deterministic=False):
      self.assertCountEqual(sum(epoch, []), self.expected())

  @parameterized.parameters('dynamic', 'none')
  def test_evaluation_is_that_of_an_array(self, binarization):
    one, other = (
        list(data.evaluation_batches(
            d.train.images, 20, 7, binarization, labels=d.train.one_hot(10)
        ).as_numpy_iterator()) for d in (self.memory, self.streamed))
    for a, b in zip(one, other, strict=True):
      self.assertAllEqual(a['x'], b['x'])
      self.assertAllEqual(a['y'], b['y'])

  def test_bits_are_scaled_unless_they_are_counts(self):
    images = data.load_images(self.names['bits'], self.data_dir,
                              cache='none').train.images
    data.check_support(images, 'none')
    for counts in (False, True):
      x = next(iter(data.streamed_batches(images, 93, 0, 'none',
                                          as_counts=counts)))
      self.assertAllEqual(np.unique(x), [0, 1])

  def test_floating_images(self):
    images = data.load_images(self.names['float'], self.data_dir,
                              cache='none').train.images
    x = next(iter(data.streamed_batches(images, 93, 0, 'none')))
    self.assertCountEqual(numbered_images.numbers(x.numpy()), self.expected())
    with self.assertRaisesRegex(ValueError, r"\[0, 1\].*split 'train'"):
      data.load_images(self.names['bright'], self.data_dir, cache='none')

  def test_shapes_and_cardinality(self):
    batches = data.streamed_batches(self.streamed.train.images, _BATCH, 0,
                                    'dynamic')
    self.assertEqual(batches.element_spec,
                     tf.TensorSpec([None, 4, 3, 1], tf.float32))
    self.assertEqual(batches.cardinality(), tf.data.INFINITE_CARDINALITY)

  @parameterized.parameters(
      (dict(binarization='static'), "set `cache='disk'"),
      (dict(binarization='dynamic', as_counts=True), 'not binarized'),
      (dict(start_epoch=-1), 'from 0 to 9.*start_epoch=-1'),
      (dict(start_step=10), 'from 0 to 9.*start_step=10'),
      (dict(shard=(2, 2)), 'worker 2 of 2'),
      (dict(shard=(0, 11)), 'increase `batch_size`.*batch_size=10'))
  def test_refused(self, kwargs, message):
    with self.assertRaisesRegex(ValueError, message):
      self.batches(1, **kwargs)

  @parameterized.parameters('static', 'none')
  def test_batches_in_any_order_are_refused(self, binarization):
    with self.assertRaisesRegex(ValueError, "streamed_batches.*='disk'"):
      data.training_batches(self.streamed.train.images, _BATCH, 0, binarization)


class WorkerPartTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(num_images=(1, 10, 99, 100, 101, 104),
                         batch_size=(7, 10, 200), count=(1, 2, 3, 7))
  def test_parts_are_one_worker_s_batches_cut(self, num_images, batch_size,
                                              count):
    parts = [WorkerPart.of(num_images, batch_size, (i, count))
             for i in range(count)]
    taken = [i for part in parts
             for i in range(part.start, part.start + part.size)]
    self.assertEqual(taken, list(range(num_images)))
    steps = data.steps_per_epoch(num_images, batch_size)
    self.assertEqual(
        sum(part.last for part in parts), num_images - (steps - 1) * batch_size)
    self.assertEqual(sum(part.batch_size for part in parts), batch_size)
    for part in parts:
      self.assertEqual(part.size, (steps - 1) * part.batch_size + part.last)


if __name__ == '__main__':
  tf.test.main()
