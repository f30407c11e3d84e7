"""Signals in the middle of a run, and the result of resuming it."""

import csv
import os
import signal
import tempfile
import threading
from unittest import mock

import tensorflow as tf

from tests import numbered_images
from tfvae.training import Config
from tfvae.training import train
from tfvae.training.callbacks import checkpoints
from tfvae.training.callbacks.interruption import Interruption
from tfvae.training.callbacks.interruption import TrainingInterruptedError
from tfvae.training.fit import fitting

_TIMES = ('seconds', 'images_per_second')


class InterruptionTest(tf.test.TestCase):

  def test_first_signal_is_noted_and_the_second_ends(self):
    before = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
    interruption = Interruption()
    with self.assertRaises(KeyboardInterrupt), interruption.awaited():
      self.assertIsNone(interruption.signal)
      os.kill(os.getpid(), signal.SIGTERM)
      self.assertEqual(interruption.signal, signal.SIGTERM)
      os.kill(os.getpid(), signal.SIGINT)
      self.fail()
    self.assertEqual(interruption.signal, signal.SIGTERM)
    self.assertEqual(
        [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)], before)

  def test_another_thread_leaves_the_handlers_alone(self):
    before, inside = signal.getsignal(signal.SIGTERM), []

    def wait():
      with Interruption().awaited():
        inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    self.assertEqual(inside, [before])


class InterruptedRunTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    # What follows takes most of the time, and is a function of the weights.
    self.enterContext(mock.patch.object(fitting, 'TensorBoard'))
    self.enterContext(mock.patch.object(
        train, '_evaluate', lambda model, *_: {'weights': model.get_weights()}))

  def run_until(self, config, workdir, number):
    """Trains until a checkpoint is written, while which a signal comes."""
    save = checkpoints.CheckpointStore.save

    def save_and_signal(store, checkpoint, saved):
      if saved == number:
        os.kill(os.getpid(), signal.SIGTERM)
      save(store, checkpoint, saved)

    with mock.patch.object(checkpoints.CheckpointStore, 'save',
                           save_and_signal):
      train.train_and_evaluate(config, workdir)

  def history(self, workdir):
    with open(os.path.join(workdir, 'history.csv'), encoding='utf-8') as file:
      return [{name: text for name, text in row.items() if name not in _TIMES}
              for row in csv.DictReader(file)]

  def test_ends_as_if_it_had_not_been_interrupted(self):
    data_dir = self.enterContext(tempfile.TemporaryDirectory())
    config = Config(  # Five steps an epoch.
        dataset=numbered_images.prepare(data_dir), data_dir=data_dir,
        latents='z:2', hidden_units=(4,), epochs=3, batch_size=20, jit='false',
        ema_decay=.9, learning_rate=.01, learning_rate_schedule='cosine',
        steps_per_execution='1', checkpoint_every_steps=3,
        checkpoint_min_seconds=0, export=False)
    interrupted, whole = (os.path.join(data_dir, name)
                          for name in ('interrupted', 'whole'))
    with self.assertRaisesRegex(
        TrainingInterruptedError, 'after step 9, in epoch 2 of 3; the same '
        'command resumes from there'):
      self.run_until(config, interrupted, 8)
    with self.assertLogs('tfvae', 'INFO') as logs:
      resumed = train.train_and_evaluate(config, interrupted)
    self.assertIn('Resuming after step 4 of epoch 2 of 3', ''.join(logs.output))
    expected = train.train_and_evaluate(config, whole)
    self.assertLen(self.history(whole), 3)
    self.assertEqual(self.history(interrupted), self.history(whole))
    for actual, weight in zip(resumed['weights'], expected['weights'],
                              strict=True):
      self.assertAllEqual(actual, weight)


if __name__ == '__main__':
  tf.test.main()
