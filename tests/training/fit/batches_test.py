"""Parts of batches, and two replicas that share them, against one."""

import itertools
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests import numbered_images
from tfvae import data
from tfvae.training import Config
from tfvae.training.fit import batches
from tfvae.training.fit import fitting
from tfvae.training.fit.images import load_images

_STEPS = 3  # Of 93 images: two batches of 46 and one of a single image.


def _two_replicas():
  # Without collectives, whose keys models of all sizes in a process share.
  return tf.distribute.MirroredStrategy(
      ['CPU:0', 'CPU:1'], tf.distribute.ReductionToOneDevice())


class BatchesTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.name = numbered_images.prepare(cls.data_dir)

  def load(self, cache='memory', strategy=None, **settings):
    config = Config(**dict(
        dataset=self.name, data_dir=self.data_dir, cache=cache, batch_size=46,
        preset='conditional', latents='z:2', hidden_units=(4,), jit='false')
                    | settings)
    images = load_images(config)
    return config, images, batches.TrainingInput(
        images, config, strategy or tf.distribute.get_strategy())

  def taken(self, train_input, elements, count=_STEPS + 1):
    return [train_input.batch_fn(element, 0)
            for element in itertools.islice(elements, count)]

  def parts(self, train_input, start, parts):
    """Takes each part of the steps, and returns them step by step."""
    config, images = train_input._config, train_input._images
    if isinstance(images.train.images, data.StreamedImages):
      datasets = [train_input._streamed(start, i, parts) for i in range(parts)]
    else:
      datasets = [train_input._parts(
          train_input._steps(start, config.training.seed), i, parts)
                  for i in range(parts)]
    return zip(*(self.taken(train_input, d) for d in datasets), strict=True)

  def assert_places(self, step, number):
    """Checks the places of a step's parts in it."""
    size = 46 if (number + 1) % _STEPS else 1
    rows = [len(part.inputs['x']) for part in step]
    self.assertEqual(sum(rows), size)
    self.assertLessEqual(max(rows) - min(rows), 1)
    for part, start in zip(step, np.cumsum([0, *rows[:-1]]), strict=True):
      self.assertEqual((part.step, part.start), (number, start))
      self.assertEqual(part.size, size)

  @parameterized.parameters(('memory', 2), ('disk', 3))
  def test_parts_joined_are_the_batch(self, cache, parts):
    _, _, train_input = self.load(cache)
    whole = self.taken(train_input, train_input.dataset(1))
    steps = self.parts(train_input, 1, parts)
    for number, (expected, step) in enumerate(
        zip(whole, steps, strict=True), 1):
      self.assert_places([expected], number)
      self.assert_places(step, number)
      for name in ('x', 'y'):
        self.assertAllEqual(
            np.concatenate([part.inputs[name] for part in step]),
            expected.inputs[name])

  @parameterized.parameters(1, 3)
  def test_parts_of_streamed_images_are_an_epoch(self, parts):
    _, images, train_input = self.load(
        'none', likelihood='normal', binarization='none')
    steps = list(self.parts(train_input, 0, parts))
    for number, step in enumerate(steps):
      self.assert_places(step, number)
    self.assertCountEqual(
        numbered_images.numbers(np.concatenate(
            [part.inputs['x'] for step in steps[:_STEPS] for part in step])),
        numbered_images.numbers(images.train.images[:]))

  @parameterized.parameters(*data.CACHES)
  def test_replicas_take_the_parts(self, cache):
    strategy = _two_replicas()
    _, _, train_input = self.load(cache, strategy)
    local = strategy.experimental_local_results
    for step, expected in zip(
        train_input.dataset(1), self.parts(train_input, 1, 2), strict=False):
      for name in ('x', 'y'):
        for rows, part in zip(local(step['inputs'][name]), expected,
                              strict=True):
          self.assertAllEqual(rows, part.inputs[name])
      self.assertAllEqual(local(step['start']), [p.start for p in expected])

  @parameterized.parameters(('memory', 2), ('disk', 3))
  def test_hidden_values_of_parts_are_those_of_the_batch(self, cache, parts):
    config, images, train_input = self.load(cache, hide_fraction=0.3)
    whole = self.taken(train_input, train_input.dataset(1))
    for expected, step in zip(whole, self.parts(train_input, 1, parts),
                              strict=True):
      x = np.concatenate([part.inputs['x'] for part in step])
      self.assertAllEqual(x, expected.inputs['x'])
    holes = np.isnan(np.concatenate([step.inputs['x'] for step in whole]))
    self.assertNear(holes.mean(), 0.3, 4 * np.sqrt(0.21 / holes.size))
    one, other = (np.concatenate([batch['x'] for batch in (
        batches.evaluation_batches(images, 'validation', config, hides))])
                  for hides in (True, False))
    self.assertFalse(np.isnan(other).any())
    self.assertAllEqual(one, np.where(np.isnan(one), np.nan, other))
    holes = np.isnan(one)
    self.assertNear(holes.mean(), 0.3, 4 * np.sqrt(0.21 / holes.size))

  @parameterized.parameters(False, True)
  def test_a_compiled_step_hides_the_same(self, jit_compile):
    _, _, train_input = self.load(hide_fraction=0.3)
    read = tf.function(lambda step: train_input.batch_fn(step, 0).inputs['x'],
                       jit_compile=jit_compile)
    _, _, on_disk = self.load('disk', hide_fraction=0.3)
    for step, expected in zip(train_input.dataset(0).take(3),
                              self.taken(on_disk, on_disk.dataset(0), 3),
                              strict=True):
      self.assertAllEqual(read(step), expected.inputs['x'])

  def test_streamed_batches_hide(self):
    _, _, train_input = self.load('none', hide_fraction=0.3)
    x = np.concatenate([part.inputs['x'] for step in self.parts(
        train_input, 0, 2) for part in step])
    self.assertNear(np.isnan(x).mean(), 0.3, 4 * np.sqrt(0.21 / x.size))

  def evaluated(self, images, split, **settings):
    config = Config(eval_batch_size=40, **settings)
    return np.concatenate(
        list(batches.evaluation_batches(images, split, config)))

  def test_evaluation_is_that_of_its_own_seed(self):
    half = data.Split(np.full([40, 30, 30, 1], 128, np.uint8))
    images = data.ImageData('half', half, half, half)
    splits = {split: self.evaluated(images, split)
              for split in ('train', 'validation', 'test')}
    for split, bits in splits.items():
      for seed in range(1, 6):
        self.assertAllEqual(self.evaluated(images, split, seed=seed), bits)
    others = [self.evaluated(images, 'test', eval_seed=1), *splits.values()]
    for one, other in itertools.combinations(others, 2):
      # Independent fair bits agree half the time: 5 standard errors.
      self.assertNear(np.mean(one == other), 0.5,
                      5 * 0.5 / np.sqrt(one.size))

  @parameterized.parameters('memory', 'none')
  def test_carved_images_are_those_of_the_evaluation_seed(self, cache):
    def carved(**settings):
      images = self.load(cache, **settings)[1]
      return numbered_images.numbers(images.validation.images[:])

    expected = carved()
    self.assertEqual(carved(seed=5), expected)
    self.assertNotEqual(carved(eval_seed=1), expected)

  def test_evaluation_is_that_of_one_worker(self):
    means = []
    for strategy in (None, _two_replicas()):
      # Ten images: each replica takes three or two of a batch. Compiled, where
      # the size of what is drawn has to follow from a shape.
      config, images, train_input = self.load(
          strategy=strategy, jit='true', eval_batch_size=5)
      if strategy is None:
        model = fitting.build(config, images)
        validation = batches.evaluation_batches(images, 'validation', config)
      else:
        with strategy.scope():
          model = fitting.build(config, images, train_input.batch_fn)
        validation = batches.distributed_evaluation(
            images, 'validation', config, strategy)
      means.append(model.evaluate(validation, steps=2, verbose=0,
                                  return_dict=True))
    self.assertAllClose(*means, rtol=1e-5)

  def test_training_is_that_of_one_worker(self):
    curves, weights = [], []
    for strategy in (tf.distribute.get_strategy(), _two_replicas()):
      config, images, train_input = self.load(
          strategy=strategy, epochs=2, eval_batch_size=9, learning_rate=.01)
      with strategy.scope():
        model = fitting.build(config, images, train_input.batch_fn)
      with mock.patch.object(fitting, 'TensorBoard'):
        _, history = fitting.fit(model, config, images, train_input,
                                 self.create_tempdir().full_path)
      curves.append([[float(row[name]) for name in (
          'loss', 'kl', 'reconstruction', 'val_loss', 'val_kl')]
                     for row in history._rows])
      weights.append(model.get_weights())
    self.assertEqual(np.shape(curves), (2, 2, 5))
    self.assertAllClose(curves[1], curves[0], rtol=1e-5)
    # Adam divides by gradients, however small: a last bit of these counts.
    self.assertAllClose(weights[1], weights[0], rtol=1e-4, atol=1e-5)


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
