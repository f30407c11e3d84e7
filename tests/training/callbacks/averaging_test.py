"""Averaged weights in a run: where they are used, and where they are not."""

import numpy as np
import tensorflow as tf

from tfvae.training import callbacks
from tfvae.training import Config
from tfvae.training.callbacks.validation import Validation
from tfvae.training.fit.building import compiled_model

_CONFIG = Config(latents='z:2', hidden_units=(4,), batch_size=8, jit='false',
                 learning_rate=.05, ema_decay=.5, steps_per_execution='1')
_STEPS = 3  # An epoch.


def _images():
  return np.random.default_rng(0).integers(
      0, 2, [24, 3, 3, 1]).astype(np.float32)


class AveragedRunTest(tf.test.TestCase):

  def _run(self, workdir, epochs):
    """Trains, from the last checkpoint on; returns model, record, history."""
    model = compiled_model(_CONFIG, (3, 3, 1), 24)
    checkpoint = callbacks.Checkpoint(
        model, workdir, _CONFIG.training, _STEPS,
        callbacks.History(workdir, 24))
    done = checkpoint.restore(model) // _STEPS
    data = tf.data.Dataset.from_tensor_slices(_images()).batch(8)
    history = model.fit(
        data, initial_epoch=done, epochs=epochs,
        callbacks=[Validation(data.repeat(), _STEPS), checkpoint],
        verbose=0).history
    return model, checkpoint, history

  def test_checkpoints_hold_both(self):
    whole, halves = self.create_tempdir().full_path, (
        self.create_tempdir().full_path)
    self._run(halves, 1)
    _, _, second = self._run(halves, 2)
    model, checkpoint, both = self._run(whole, 2)
    # Bit for bit: the second half resumed from the weights themselves.
    self.assertEqual(second['val_elbo'], both['val_elbo'][1:])
    self.assertEqual(second['elbo'], both['elbo'][1:])

    checkpoint.restore(model)
    own = model.get_weights()
    averages = _averages(model)
    self.assertNotAllClose(own[0], averages[0])
    # The best epoch is chosen on the averages, and they are what is kept.
    self.assertEqual(int(checkpoint.best_epoch), 2)
    model.set_weights(checkpoint.best_weights())
    for weight, average in zip(model.get_weights(), averages, strict=True):
      self.assertAllEqual(weight, average)
    data = tf.data.Dataset.from_tensor_slices(_images()).batch(8)
    self.assertAllClose(
        model.evaluate(data, verbose=0, return_dict=True)['elbo'],
        both['val_elbo'][1], rtol=1e-6)


def _averages(model):
  named = {variable.name: variable.numpy()
           for variable in model.optimizer.variables}
  return [named[f'average/{weight.name}'] for weight in model.weights]


if __name__ == '__main__':
  tf.test.main()
