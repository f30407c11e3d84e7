"""Runs with steps that are skipped: what is reported, and when they end."""

import csv
import os

import numpy as np
import tensorflow as tf

from tfvae.models.steps.skipped_steps import check_finite
from tfvae.models.steps.skipped_steps import SkippedSteps
from tfvae.training import callbacks
from tfvae.training import Config
from tfvae.training.fit.building import compiled_model


class SkippedStepsTest(tf.test.TestCase):

  def test_run_with_bad_batches(self):
    workdir = self.create_tempdir().full_path
    config = Config(latents='z:2', hidden_units=(3,), batch_size=4, jit='false',
                    steps_per_execution='5', checkpoint_min_seconds=0)
    model = compiled_model(config, (3, 3, 1), 40)
    x = np.random.default_rng(0).integers(
        0, 2, [40, 4, 3, 3, 1]).astype(np.float32)
    # Ten steps an epoch: two are bad in the second, all from the 26th on.
    x[[12, 14]] = np.nan
    x[25:] = np.inf
    history = callbacks.History(workdir, 40)
    checkpoint = callbacks.Checkpoint(
        model, workdir, config.training, 10, history)
    with self.assertRaisesRegex(
        FloatingPointError,
        'stopped in step 30: 5 steps in a row.*lower the learning rate'):
      model.fit(
          tf.data.Dataset.from_tensor_slices(x), epochs=4, steps_per_epoch=10,
          validation_data=(x[0], x[0]), verbose=0, callbacks=[
              SkippedSteps(4, adds_to_logs=True), history, checkpoint])
    path = os.path.join(workdir, 'history.csv')
    with open(path, encoding='utf-8') as file:
      rows = list(csv.DictReader(file))
    self.assertEqual([row['skipped_steps'] for row in rows], ['0', '2'])
    self.assertTrue(all(np.isfinite(float(value)) for row in rows
                        for value in row.values()))
    self.assertEqual(checkpoint.restore(model), 20)
    self.assertAllEqual(model.skipped_steps, 2)
    self.assertAllEqual(model.optimizer.iterations, 18)

  def _fit(self, x, batch_size, **kwargs):
    model = compiled_model(
        Config(latents='z:2', hidden_units=(3,), jit='false'), (3, 3, 1), 40)
    model.fit(x, batch_size=batch_size, shuffle=False, verbose=0, **kwargs)
    return model

  def test_fit_warns_of_a_few(self):
    x = np.zeros([40, 3, 3, 1], np.float32)
    x[20] = np.nan
    with self.assertLogs('tfvae', 'WARNING') as logs:
      model = self._fit(x, 4)
    self.assertRegex(
        logs.output[0], r'1 of 10 steps \(10%\) of epoch 1 were skipped.*NaN')
    self.assertAllEqual(model.skipped_steps, 1)

  def test_fit_ends_where_most_are_skipped(self):
    x = np.zeros([90, 3, 3, 1], np.float32)
    x[6::7] = np.nan  # A cell of every seventh row; the first batch is whole.
    with self.assertRaisesRegex(
        FloatingPointError, r'12 of 15 steps \(80%\).*NaN or infinite values'):
      self._fit(x, 6)

  def test_state_that_is_not_finite(self):
    model = compiled_model(
        Config(latents='z:2', hidden_units=(3,), jit='false'), (3, 3, 1), 40)
    model.optimizer.build(model.trainable_variables)
    check_finite(model)
    moment = model.optimizer.variables[-1]
    moment.assign(tf.fill(moment.shape, np.inf))
    with self.assertRaisesRegex(FloatingPointError, 'after step 0; the last'):
      check_finite(model)


if __name__ == '__main__':
  tf.test.main()
