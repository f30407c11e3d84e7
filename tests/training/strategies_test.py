"""Strategies by name, who is chief, and what TF_CONFIG has to say."""

import json
import os
import types
from unittest import mock

from absl.testing import parameterized
import tensorflow as tf

from tfvae.training import strategies
from tfvae.training import TrainingConfig


def _cluster_resolver(jobs, task_type, task_id):
  return tf.distribute.cluster_resolver.SimpleClusterResolver(
      tf.train.ClusterSpec(jobs), task_type=task_type, task_id=task_id)


def _tf_config(cluster, task_type='worker', index=0):
  return json.dumps({'cluster': cluster,
                     'task': {'type': task_type, 'index': index}})


class StrategiesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ('auto', tf.distribute.get_strategy().__class__),
      ('default', tf.distribute.get_strategy().__class__),
      ('one_device', tf.distribute.OneDeviceStrategy),
      ('mirrored', tf.distribute.MirroredStrategy))
  def test_names(self, name, kind):
    if tf.config.list_physical_devices('GPU') and name == 'auto':
      self.skipTest('With several GPUs auto is another.')
    strategy = strategies.make_strategy(TrainingConfig(strategy=name))
    self.assertIs(type(strategy), kind)
    self.assertTrue(strategies.is_chief(strategy))
    self.assertFalse(strategies.is_asynchronous(strategy))
    self.assertEqual(strategies.num_workers(strategy), 1)
    self.assertEqual(strategies.sum_over_workers(strategy, [3, 0, 5]),
                     [3, 0, 5])
    self.assertFalse(strategies.serve_if_server(TrainingConfig(strategy=name)))

  def test_two_replicas_are_one_worker(self):
    strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
    self.assertEqual(strategies.num_workers(strategy), 1)
    self.assertEqual(strategies.sum_over_workers(strategy, [3, 0]), [3, 0])

  @parameterized.parameters(
      (('worker',), 'worker', 0, True), (('worker',), 'worker', 1, False),
      (('worker', 'chief'), 'chief', 0, True),
      (('worker', 'chief'), 'worker', 0, False),
      (('worker', 'chief', 'ps'), 'ps', 0, False))
  def test_chief(self, jobs, task_type, task_id, expected):
    resolver = _cluster_resolver(
        {job: ['a:1', 'b:2'][:1 + (job == 'worker')] for job in jobs},
        task_type, task_id)
    self.assertEqual(strategies.is_chief(
        types.SimpleNamespace(cluster_resolver=resolver)), expected)

  @parameterized.product(
      strategy=('multi_worker', 'parameter_server'),
      text=('', 'worker', '[]', '3', 'null', '{}',
            '{"cluster": {"worker": ["a:1"]}}',
            '{"task": {"type": "worker", "index": 0}}',
            _tf_config({}), _tf_config([]), _tf_config({'worker': []}),
            _tf_config({'worker': ['a:1']}, 'evaluator'),
            _tf_config({'worker': ['a:1']}, 'worker', 1),
            _tf_config({'worker': ['a:1']}, 'worker', -1),
            _tf_config({'worker': ['a:1']}, 'worker', 'first'),
            _tf_config({'worker': ['a:1']}, 'worker', None),
            _tf_config({'worker': 'a:1'}), _tf_config({'worker': ['a']}),
            _tf_config({'worker': [1, 2]}),
            _tf_config({'worker': ['a:1'], 'chief': {'0': 'b:1'}}),
            _tf_config({'chief': ['a:1']}, 'chief'),
            _tf_config({'worker': ['a:1'], 'master': ['b:1']})))
  def test_bad_tf_config(self, strategy, text):
    config = TrainingConfig(strategy=strategy)
    for function in (strategies.make_strategy, strategies.serve_if_server):
      if (function, strategy) == (strategies.serve_if_server, 'multi_worker'):
        continue
      with (mock.patch.dict(os.environ, {'TF_CONFIG': text}),
            self.assertRaises(ValueError) as caught):
        function(config)
      message = str(caught.exception)
      self.assertStartsWith(message, f'`strategy={strategy!r}` needs the ')
      example = message.split('such as ')[1].split('. Received: ')[0]
      self.assertEqual(json.loads(example)['task'],
                       {'type': 'worker', 'index': 0})
      self.assertEndsWith(message, f'Received: TF_CONFIG={text!r}')

  def test_parameter_server_needs_servers(self):
    text = _tf_config({'worker': ['a:1'], 'chief': ['b:1']})
    with (mock.patch.dict(os.environ, {'TF_CONFIG': text}),
          self.assertRaisesRegex(ValueError, '"ps": ')):
      strategies.serve_if_server(TrainingConfig(strategy='parameter_server'))

  def test_no_tf_config(self):
    with mock.patch.dict(os.environ):
      os.environ.pop('TF_CONFIG', None)
      with self.assertRaisesRegex(ValueError, "Received: TF_CONFIG=''"):
        strategies.make_strategy(TrainingConfig(strategy='multi_worker'))


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
