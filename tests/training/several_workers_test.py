"""Processes that train together, and the death of one of them."""

import contextlib
import csv
import dataclasses
import json
import os
import pathlib
import socket
import sys
import time
from unittest import mock

import numpy as np
import tensorflow as tf

from tests import fresh_process
from tfvae import data
from tfvae.training import Config
from tfvae.training.fit import batches
from tfvae.training.fit import fitting

_PATH = os.pathsep.join([str(pathlib.Path(__file__).parents[2]), *sys.path])
# train_main.py, which leaves the weights of this process next to the workdir.
_PROGRAM = """
import json, os, sys
from unittest import mock
import numpy as np
from tfvae import __main__
from tfvae.training import train
from tfvae.training.fit import fitting

task = json.loads(os.environ['TF_CONFIG'])['task']

def fit(model, *arguments):
  result = original(model, *arguments)
  np.savez(f'{arguments[-1]}.{task["type"]}.{task["index"]}.npz',
           *model.get_weights())
  return result

fitting.fit, original = fit, fitting.fit
fitting.TensorBoard = train.write_report = mock.MagicMock()
if 'parameter_server' in str(sys.argv):  # As on a machine of one core.
  os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
  train._evaluate = lambda *_: {}  # The test reads the history.
__main__.run()
"""
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
        data_dir=self.directory, latents='z:2', hidden_units=(8,), epochs=1,
        batch_size=100, jit='false', steps_per_execution='1',
        checkpoint_every_steps=5, export=False, eval_importance_samples=2,
        eval_importance_examples=10, evaluations=('importance_weighted',),
        hide_fraction=0.1)  # All workers hide the same pixels.
    # Prepared here, or both processes would do it at once.
    self.images = data.load_images('digits', data_dir=self.directory)
    self.workdir = os.path.join(self.directory, 'run')

  def start(self, strategy, cluster, job, index=0):
    flags = self.config.to_flags() | {
        'strategy': strategy, 'workdir': self.workdir}
    process = fresh_process.start(
        ['-c', _PROGRAM, *(f'--{name}={text}' for name, text in flags.items())],
        f'{self.workdir}.{job}.{index}.log', PYTHONPATH=_PATH,
        TF_CONFIG=json.dumps(
            {'cluster': cluster, 'task': {'type': job, 'index': index}}))
    self.addCleanup(process.join)
    self.addCleanup(process.kill)
    return process

  def log(self, job, index=0):
    return pathlib.Path(f'{self.workdir}.{job}.{index}.log').read_text('utf-8')

  def weights(self, job, index=0):
    with np.load(f'{self.workdir}.{job}.{index}.npz') as arrays:
      return [arrays[name] for name in arrays]

  def curve(self):
    path = os.path.join(self.workdir, 'history.csv')
    with open(path, encoding='utf-8') as file:
      return _curve(csv.DictReader(file))

  def wait_for_checkpoint(self, processes):
    deadline = time.monotonic() + _SECONDS
    while not tf.io.gfile.glob(f'{self.workdir}/checkpoints/[0-9]*'):
      self.assertLess(time.monotonic(), deadline, self.log('worker'))
      for index, process in enumerate(processes):
        self.assertTrue(process.is_alive(), self.log('worker', index))
      time.sleep(.05)

  def one_worker_curve(self):
    train_input = batches.TrainingInput(
        self.images, self.config, tf.distribute.get_strategy())
    model = fitting.build(self.config, self.images, train_input.batch_fn)
    with mock.patch.object(fitting, 'TensorBoard'):
      _, history = fitting.fit(
          model, self.config, self.images, train_input,
          self.create_tempdir().full_path)
    return _curve(history._rows)

  def test_killed_worker_comes_back_and_both_finish(self):
    cluster = {'worker': [f'localhost:{port}' for port in _free_ports(2)]}
    processes = [self.start('multi_worker', cluster, 'worker', index)
                 for index in range(2)]
    self.wait_for_checkpoint(processes)
    processes[1].kill()
    processes[1].join()
    self.assertNotIn('metrics.json', os.listdir(self.workdir))
    processes[1] = self.start('multi_worker', cluster, 'worker', 1)
    for index, process in enumerate(processes):
      process.join(_SECONDS)
      self.assertEqual(process.exitcode, 0, self.log('worker', index))
    self.assertIn('Another worker is gone', self.log('worker', 0))
    self.assertIn('Resuming after step', self.log('worker', 0))
    # The chief alone has results.
    self.assertIn('test elbo: ', self.log('worker', 0))
    self.assertNotIn('test elbo: ', self.log('worker', 1))
    self.assertEqual(np.shape(self.curve()), (1, 4))
    self.assertAllClose(self.curve(), self.one_worker_curve(), rtol=1e-4)
    first, second = (self.weights('worker', index) for index in range(2))
    self.assertNotEmpty(first)
    for a, b in zip(first, second, strict=True):
      self.assertAllEqual(a, b)

  def test_parameter_server_reaches_the_elbo_of_one_worker(self):
    self.config = dataclasses.replace(
        self.config, learning_rate=.01, epochs=4, checkpoint_every_steps=None,
        jit='auto', steps_per_execution='auto')
    chief, server, *workers = [
        f'localhost:{port}' for port in _free_ports(4)]
    cluster = {'chief': [chief], 'ps': [server], 'worker': workers}
    coordinator, *_ = [
        self.start('parameter_server', cluster, job, index)
        for job, tasks in cluster.items() for index in range(len(tasks))]
    coordinator.join(_SECONDS)
    self.assertEqual(coordinator.exitcode, 0, self.log('chief'))
    (first, *_, last), (*_, expected) = [
        [row[2] for row in curve]
        for curve in (self.curve(), self.one_worker_curve())]
    self.assertAllClose(last, expected, rtol=.03)  # 28.6 and 28.4.
    self.assertGreater(first, 1.2 * last)


if __name__ == '__main__':
  tf.test.main()
