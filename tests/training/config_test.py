"""The settings of a run and the flags made of them."""

import dataclasses
import os

from absl import flags
from absl.testing import parameterized
import tensorflow as tf

from tfvae.training import Config
from tfvae.training import config_from_flags
from tfvae.training import define_flags
from tfvae.training.command_line import help_text


def _parse(*arguments):
  flag_values = flags.FlagValues()
  define_flags(flag_values)
  # `flagfile` belongs to absl's global flags.
  flags.DEFINE_string('flagfile', '', '', flag_values=flag_values)
  flag_values(['program', *arguments])
  return flag_values


class ConfigTest(tf.test.TestCase, parameterized.TestCase):

  def test_flags_without_arguments_are_the_defaults(self):
    self.assertEqual(config_from_flags(_parse()), Config())

  def test_flags_of_every_type(self):
    config = config_from_flags(_parse(
        '--dataset=mnist', '--data_dir=/data', '--hidden_units=7,5',
        '--learning_rate=0.01', '--nojit', '--epochs=3', '--network=conv'))
    self.assertEqual(config, Config(
        dataset='mnist', data_dir='/data', hidden_units=(7, 5),
        learning_rate=0.01, jit=False, epochs=3, network='conv'))

  def test_written_flags_repeat_the_config(self):
    config = Config(dataset='mnist', hidden_units=(3,), jit=False,
                    learning_rate=1e-4, validation_split='train[90%:]')
    self.assertEqual(config, config_from_flags(_parse(
        *(f'--{name}={text}' for name, text in config.to_flags().items()))))

  def test_every_setting_is_in_the_help(self):
    text = help_text()
    for field in dataclasses.fields(Config):
      self.assertIn(f'  --{field.name}', text)
    self.assertLess(max(map(len, text.splitlines())), 80)

  def test_graph_of_a_preset_with_other_sizes(self):
    graph = Config(preset='two_layer', latents='z1:7,z2:5').graph()
    self.assertEqual(graph.inference_text, 'z1|x; z2|z1')
    self.assertEqual(graph.latent_size('z2'), 5)
    self.assertEqual(Config().graph().latents_text, 'z:16')

  def test_is_frozen(self):
    with self.assertRaises(dataclasses.FrozenInstanceError):
      Config().epochs = 3

  @parameterized.parameters(
      (dict(epochs=0), '--epochs must be at least 1.*epochs=0'),
      (dict(latents='z:0'), 'z:0'),
      (dict(latents='z1:2,z2:2'), 'z1'),
      (dict(inference='z|x,w'), 'unknown variable .w.'),
      (dict(objective='iwae', free_bits=1.), 'no KL to control.*free_bits=1'),
      (dict(free_bits=1., kl_capacity=2.), 'exclude each other'),
      (dict(preset='stairs'), '--preset must be one of vae'),
      (dict(batch_size=-1), '--batch_size must be at least 1.*batch_size=-1'),
      (dict(hidden_units=(20, 0)), '--hidden_units must be at least.*=20,0'),
      (dict(hidden_units=()), '--hidden_units needs at least one'),
      (dict(learning_rate=0.), '--learning_rate must be above 0'),
      (dict(learning_rate=float('nan')), '--learning_rate must be finite'),
      (dict(validation_fraction=1.), '--validation_fraction must be below 1'),
      (dict(kl_weight=-1.), '--kl_weight must be at least 0'),
      (dict(seed=2**31), '--seed must be below'),
      (dict(network='rnn'), "--network must be one of mlp, conv.*'rnn'"),
      (dict(binarization='some'), '--binarization must be one of auto'),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      Config(**arguments)

  def test_refuses_units_that_are_no_numbers(self):
    with self.assertRaisesRegex(ValueError, 'hidden_units=20,wide'):
      config_from_flags(_parse('--hidden_units=20,wide'))

  @parameterized.parameters(
      'digits', 'mnist', 'fashion_mnist', 'mnist_conv')
  def test_shipped_configs_parse(self, name):
    root = os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    path = os.path.join(root, 'configs', f'{name}.flags')
    arguments = []
    with open(path, encoding='utf-8') as file:
      lines = file.read().splitlines()
    self.assertStartsWith(
        lines[0], f'# python train_main.py --flagfile=configs/{name}.flags')
    arguments = [line for line in lines if line and not line.startswith('#')]
    flag_values = _parse(*arguments)
    self.assertEqual(flag_values.workdir, f'runs/{name}')
    config_from_flags(flag_values)


if __name__ == '__main__':
  tf.test.main()
