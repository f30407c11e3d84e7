"""Two processes that train together, and the death of one of them."""

import contextlib
import csv
import json
import os
import pathlib
import socket
import time
from unittest import mock

import numpy as np
import tensorflow as tf

from tests import fresh_process
from tfvae import data
from tfvae.training import batches
from tfvae.training import Config
from tfvae.training import fitting

_PROGRAM = pathlib.Path(__file__).parents[2] / 'train_main.py'
_SECONDS = 240  # After which a test fails that would wait for ever.


def _free_ports(count):
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.create_server(('localhost', 0)))
               for _ in range(count)]
    return [s.getsockname()[1] for s in sockets]


def _curve(rows):
  return [[float(row[name]) for name in ('loss', 'kl', 'val_loss', 'val_kl')]
          for row in rows]


class SeveralWorkersTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = self.create_tempdir().full_path
    self.config = Config(
        data_dir=self.directory, latents='z:2', hidden_units=(8,), epochs=2,
        batch_size=100, jit='false', steps_per_execution='1',
        checkpoint_every_steps=5, export=False, eval_importance_samples=2,
        eval_importance_examples=10, evaluations=('importance_weighted',))
    # Prepared here, or both processes would do it at once.
    self.images = data.load_images('digits', data_dir=self.directory)
    self.workdir = os.path.join(self.directory, 'run')
    self.addresses = [f'localhost:{port}' for port in _free_ports(2)]

  def start(self, index):
    flags = self.config.to_flags() | {
        'strategy': 'multi_worker', 'workdir': self.workdir}
    tf_config = {'cluster': {'worker': self.addresses},
                 'task': {'type': 'worker', 'index': index}}
    process = fresh_process.start(
        [_PROGRAM, *(f'--{name}={text}' for name, text in flags.items())],
        f'{self.workdir}.{index}.log', TF_CONFIG=json.dumps(tf_config))
    self.addCleanup(process.join)
    self.addCleanup(process.kill)
    return process

  def log(self, index):
    return pathlib.Path(f'{self.workdir}.{index}.log').read_text('utf-8')

  def wait_for_checkpoint(self, processes):
    deadline = time.monotonic() + _SECONDS
    while not tf.io.gfile.glob(f'{self.workdir}/checkpoints/[0-9]*'):
      self.assertLess(time.monotonic(), deadline, self.log(0))
      for index, process in enumerate(processes):
        self.assertTrue(process.is_alive(), self.log(index))
      time.sleep(.05)

  def one_worker_curve(self):
    train_input = batches.TrainingInput(
        self.images, self.config, tf.distribute.get_strategy())
    model = fitting.build(self.config, self.images, train_input.batch_fn)
    with mock.patch.object(fitting, 'TensorBoard'):
      _, history = fitting.fit(
          model, self.config, self.images, train_input,
          os.path.join(self.directory, 'one'))
    return _curve(history._rows)

  def test_killed_worker_comes_back_and_both_finish(self):
    processes = [self.start(0), self.start(1)]
    self.wait_for_checkpoint(processes)
    processes[1].kill()
    processes[1].join()
    self.assertNotIn('metrics.json', os.listdir(self.workdir))
    processes[1] = self.start(1)
    for index, process in enumerate(processes):
      process.join(_SECONDS)
      self.assertEqual(process.exitcode, 0, self.log(index))
    self.assertIn('Another worker is gone', self.log(0))
    self.assertIn('Resuming after step', self.log(0))
    self.assertIn('test elbo: ', self.log(0))  # The chief alone has results.
    self.assertNotIn('test elbo: ', self.log(1))
    path = os.path.join(self.workdir, 'history.csv')
    with open(path, encoding='utf-8') as file:
      curve = _curve(csv.DictReader(file))
    self.assertEqual(np.shape(curve), (2, 4))
    self.assertAllClose(curve, self.one_worker_curve(), rtol=1e-4)


if __name__ == '__main__':
  tf.test.main()
