"""Signals in the middle of a run, and what going on from there ends in."""

import csv
import os
import signal
import tempfile
import threading
from unittest import mock

import tensorflow as tf
import tf_keras

from tests import numbered_images
from tfvae.training import checkpoints
from tfvae.training import Config
from tfvae.training import train
from tfvae.training.interruption import Interruption
from tfvae.training.interruption import TrainingInterruptedError

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
    # What shows a run takes most of its time, and is not what it depends on.
    for shown in ('write_report', 'TensorBoard'):
      self.enterContext(mock.patch.object(train, shown))

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

  def results(self, workdir):
    with open(os.path.join(workdir, 'history.csv'), encoding='utf-8') as file:
      rows = [{name: text for name, text in row.items() if name not in _TIMES}
              for row in csv.DictReader(file)]
    return rows, tf_keras.models.load_model(
        os.path.join(workdir, 'model.keras')).get_weights()

  def test_ends_as_if_it_had_not_been_interrupted(self):
    data_dir = self.enterContext(tempfile.TemporaryDirectory())
    config = Config(  # Five steps an epoch.
        dataset=numbered_images.prepare(data_dir), data_dir=data_dir,
        latents='z:2', hidden_units=(4,), epochs=3, batch_size=20, jit='false',
        ema_decay=.9, learning_rate=.01, learning_rate_schedule='cosine',
        steps_per_execution='1', checkpoint_every_steps=3, export=False,
        evaluations=('importance_weighted',), eval_importance_samples=2)
    interrupted, whole = (os.path.join(data_dir, name)
                          for name in ('interrupted', 'whole'))
    for saved, stopped in ((5, 'after step 5, in epoch 1 of 3'),
                           (8, 'after step 9, in epoch 2 of 3')):
      with self.assertRaisesRegex(
          TrainingInterruptedError,
          f'{stopped}; run the same command to go on from there'):
        self.run_until(config, interrupted, saved)
    with self.assertLogs('tfvae', 'INFO') as logs:
      metrics = train.train_and_evaluate(config, interrupted)
    self.assertIn('Resuming after step 4 of epoch 2 of 3', ''.join(logs.output))
    expected = train.train_and_evaluate(config, whole)
    for split in ('train', 'validation', 'test'):
      self.assertEqual(metrics[split], expected[split])
    rows, weights = self.results(interrupted)
    expected_rows, expected_weights = self.results(whole)
    self.assertLen(rows, 3)
    self.assertEqual(rows, expected_rows)
    for actual, weight in zip(weights, expected_weights, strict=True):
      self.assertAllEqual(actual, weight)


if __name__ == '__main__':
  tf.test.main()
