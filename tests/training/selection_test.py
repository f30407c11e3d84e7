"""Which epoch is kept: by the objective, by the ELBO, or the last one."""

import csv
import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.training import callbacks
from tfvae.training import Config
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training.fit import fitting
from tfvae.training.fit.building import compiled_model

# Validation figures of four epochs in which each rule keeps another one.
_LOSSES, _ELBOS = [5., 2., 3., 4.], [-8., -7., -6., -9.]
_KEPT = {'objective': 2, 'elbo': 3, 'last': 4}


def _config(**settings):
  return Config(**dict(latents='z:2', hidden_units=(4,), jit='false',
                       steps_per_execution='1', checkpoint_min_seconds=0)
                | settings)


class CheckpointTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(select_by=list(_KEPT), is_resumed=[False, True])
  def test_keeps_the_epoch(self, select_by, is_resumed):
    workdir, config = self.create_tempdir().full_path, _config(
        select_by=select_by)
    model = compiled_model(config, (3, 3, 1), 24)

    def checkpoint():
      made = callbacks.Checkpoint(
          model, workdir, config.training, 1, callbacks.History(workdir, 24))
      made.set_model(model)
      made.restore(model)
      return made

    made, size = checkpoint(), model.count_params()
    for epoch, (loss, elbo) in enumerate(zip(_LOSSES, _ELBOS, strict=True)):
      if is_resumed:
        made = checkpoint()
      model.set_weights([np.full(w.shape, epoch + 1.)
                         for w in model.get_weights()])
      made.on_epoch_begin(epoch)
      made.on_epoch_end(epoch, {'val_loss': loss, 'val_elbo': elbo})
    self.assertAllEqual(made.best_epoch, _KEPT[select_by])
    self.assertEqual(sum(map(np.sum, made.best_weights())),
                     size * _KEPT[select_by])


  @parameterized.parameters((0, [4, 6]), (1000, [6]))
  def test_epochs_that_end_soon_after_a_checkpoint_write_none(
      self, seconds, expected):
    workdir = self.create_tempdir().full_path
    config = _config(checkpoint_min_seconds=seconds, select_by='last')
    model = compiled_model(config, (3, 3, 1), 24)
    history = callbacks.History(workdir, 24)
    checkpoint = callbacks.Checkpoint(
        model, workdir, config.training, 2, history)
    model.fit(np.ones([24, 3, 3, 1], np.float32), batch_size=12, epochs=3,
              verbose=0, callbacks=[history, checkpoint])
    self.assertEqual(
        sorted(map(int, os.listdir(os.path.join(workdir, 'checkpoints')))),
        expected)
    with open(os.path.join(workdir, 'history.csv'), encoding='utf-8') as file:
      self.assertLen(file.readlines(), 4)
    self.assertEqual(checkpoint.restore(model), 6)


class RunTest(tf.test.TestCase):

  def test_delivers_the_averaged_weights_of_the_epoch_with_the_best_elbo(self):
    self.enterContext(mock.patch.object(fitting, 'TensorBoard'))
    self.enterContext(mock.patch.object(train, 'write_report'))
    data_dir = self.create_tempdir().full_path
    workdir = os.path.join(data_dir, 'run')
    metrics = train_and_evaluate(_config(
        data_dir=data_dir, latents='z:16', hidden_units=(32,), epochs=8,
        learning_rate=0.02, export=False, kl_weight=0.01, ema_decay=0.9,
        select_by='elbo', evaluations=('importance_weighted',),
        eval_importance_samples=1, eval_importance_examples=1,
        steps_per_execution='auto'), workdir)
    with open(os.path.join(workdir, 'history.csv'), encoding='utf-8') as file:
      rows = list(csv.DictReader(file))
    losses, elbos = (np.array([float(row[name]) for row in rows])
                     for name in ('val_loss', 'val_elbo'))
    # Otherwise this shows nothing: the two rules differ.
    best = np.argmax(elbos)
    self.assertNotEqual(np.argmin(losses), best)
    self.assertEqual(metrics['best_epoch'], best + 1)
    # The weights are those of that epoch.
    self.assertAllClose(
        metrics['validation']['objective'], losses[best], rtol=1e-5)


if __name__ == '__main__':
  tf.test.main()
