"""XLA and the number of steps per execution, by rule or by flag."""

from unittest import mock

from absl.testing import parameterized
import tensorflow as tf

from tfvae.training import Config
from tfvae.training import TrainingConfig
from tfvae.training.fit import building
from tfvae.training.fit import execution


class ExecutionTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ({}, True, True), (dict(network='conv'), False, True),
      (dict(network='resnet'), False, True),
      (dict(objective='iwae', importance_samples=50), True, True),
      (dict(jit='true', network='conv'), True, True),
      # On a CPU TensorFlow alone is wrong; see device_test.py.
      (dict(network='conv', precision='bfloat16'), True, True),
      (dict(network='conv', precision='float16'), False, True),
      (dict(jit='false'), False, False))
  def test_jit(self, settings, on_cpu, on_gpu):
    config = Config(**settings, hidden_units=(2,))
    model = building.build_model(
        config.model, (4, 4, 1), precision=config.training.precision)
    for gpus, expected in (([], on_cpu), (['GPU:0'], on_gpu)):
      with mock.patch.object(tf.config, 'list_logical_devices',
                             return_value=gpus):
        self.assertEqual(
            execution.uses_jit(config.training, model), expected)

  def test_warns_of_bfloat16_without_xla_on_a_cpu(self):
    for precision, jit, gpus, warns in (
        ('bfloat16', 'false', [], True),
        ('bfloat16', 'false', ['GPU:0'], False),
        ('bfloat16', 'auto', [], False), ('float16', 'false', [], False)):
      config = Config(jit=jit, hidden_units=(2,), precision=precision)
      model = building.build_model(
          config.model, (4, 4, 1), precision=precision)
      with mock.patch.object(
          tf.config, 'list_logical_devices', return_value=gpus), (
              mock.patch.object(execution, '_LOGGER')) as logger:
        execution.uses_jit(config.training, model)
      self.assertEqual(logger.warning.called, warns)

  @parameterized.parameters(
      ('auto', 550, 50), ('auto', 13, 13), ('7', 550, 7), ('7', 5, 5),
      ('100', 550, 100))
  def test_steps_per_execution(self, setting, steps, expected):
    self.assertEqual(execution.steps_per_execution(
        TrainingConfig(steps_per_execution=setting), steps), expected)

  @parameterized.parameters('0', 'abc', '-1', '1.5', '')
  def test_steps_per_execution_that_is_no_number(self, text):
    with self.assertRaisesRegex(
        ValueError, f'must be auto or at least 1. .*_per_execution={text}$'):
      Config(steps_per_execution=text)

  @parameterized.parameters(
      ('cache', 'disk', 'memory'), ('cache', 'none', 'memory'),
      ('jit', 'true', 'auto'), ('precision', 'float16', 'bfloat16'))
  def test_parameter_server_refuses(self, name, value, remedy):
    with self.assertRaisesRegex(
        ValueError, f"use `{name}='{remedy}'`, or `strategy='multi_worker'`.*"
        f'strategy=parameter_server, {name}={value}$'):
      Config(strategy='parameter_server', **{name: value})

  @parameterized.parameters(
      (dict(objective='beta_tc'), "BetaTC.*strategy='one_device'.*2 replicas"),
      (dict(objective='info_vae'), "InfoVAE.*='one_device'.*2 replicas"),
      (dict(batch_size=1), 'raise `batch_size`. .*batch_size=1, 2 replicas'))
  def test_refused_with_two_replicas(self, settings, message):
    strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
    with strategy.scope(), self.assertRaisesRegex(ValueError, message):
      building.compiled_model(Config(latents='z:2', **settings), (8, 8, 1), 100)


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
