"""The settings of a run and the flags made of them."""

import dataclasses
import os

from absl import flags
from absl.testing import parameterized
import tensorflow as tf

from tfvae.settings import flag_text
from tfvae.training import Config
from tfvae.training import config_from_flags
from tfvae.training import define_flags
from tfvae.training import ModelConfig
from tfvae.training.command_line import help_text
from tfvae.training.config import FIELDS


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
        '--learning_rate=0.01', '--jit=false', '--epochs=3', '--network=conv'))
    self.assertEqual(config, Config(
        dataset='mnist', data_dir='/data', hidden_units=(7, 5),
        learning_rate=0.01, jit='false', epochs=3, network='conv'))

  def test_written_flags_repeat_the_config(self):
    config = Config(dataset='mnist', hidden_units=(3,), jit='false',
                    learning_rate=1e-4, validation_split='train[90%:]')
    self.assertEqual(config, config_from_flags(_parse(
        *(f'--{name}={text}' for name, text in config.to_flags().items()))))

  def test_every_setting_is_in_the_help(self):
    text = help_text()
    for name in FIELDS:
      self.assertIn(f'  --{name}', text)
    self.assertLess(max(map(len, text.splitlines())), 80)

  def test_graph_of_a_preset_with_other_sizes(self):
    graph = Config(preset='two_layer', latents='z1:7,z2:5').model.graph()
    self.assertEqual(graph.inference_text, 'z1|x; z2|z1')
    self.assertEqual(graph.latent_size('z2'), 5)
    self.assertEqual(Config().model.graph().latents_text, 'z:16')

  def test_is_frozen(self):
    for settings in (Config(), Config().training):
      with self.assertRaises(dataclasses.FrozenInstanceError):
        settings.epochs = 3

  def test_settings_are_given_by_name_or_by_group(self):
    model = ModelConfig(likelihood='normal', likelihood_scale=0.1)
    config = Config(model=model, prior='vamp', epochs=3)
    self.assertEqual(config, Config(
        likelihood='normal', likelihood_scale=0.1, prior='vamp', epochs=3))
    changed = dataclasses.replace(config, epochs=4, likelihood_scale=None)
    self.assertEqual(changed.training.epochs, 4)
    self.assertIsNone(changed.model.likelihood_scale)
    self.assertEqual(changed.model.prior, 'vamp')
    self.assertEqual(changed.flat(), config.flat() | {
        'epochs': 4, 'likelihood_scale': None})

  def test_rejects_unknown_names_and_groups(self):
    with self.assertRaisesRegex(TypeError, '`epoch`; did you mean `epochs`?'):
      Config(epoch=3)
    with self.assertRaisesRegex(TypeError, "ModelConfig.*model='vae'"):
      Config(model='vae')

  @parameterized.parameters(
      (dict(epochs=0), '`epochs` must be at least 1.*epochs=0'),
      (dict(latents='z:0'), 'z:0'),
      (dict(latents='z1:2,z2:2'), 'z1'),
      (dict(inference='z|x,w'), 'unknown variable .w.'),
      (dict(info_alpha=1.5), '`info_alpha` must be at most 1.*=1.5'),
      (dict(mmd_kernel='cubic', objective='info_vae'),
       '`mmd_kernel` must be one of imq, rbf'),
      (dict(mmd_bandwidth=0., objective='info_vae'),
       '`mmd_bandwidth` must be above 0'),
      (dict(info_lambda=.25, info_alpha=.5, objective='info_vae'),
       '.info_lambda. must.*1 - α.*info_lambda=0.25, info_alpha=0.5'),
      (dict(info_alpha=1., kl_warm_up='linear', objective='info_vae'),
       "kl_warm_up. has no effect.*kl_warm_up=linear.*'alpha': 1.0"),
      (dict(free_bits=1., kl_capacity=2.), 'exclude each other'),
      (dict(preset='stairs'), '`preset` must be one of vae'),
      (dict(batch_size=-1), '`batch_size` must be at least 1.*batch_size=-1'),
      (dict(hidden_units=(20, 0)), '`hidden_units` must be at least.*=20,0'),
      (dict(hidden_units=()), '`hidden_units` needs at least one'),
      (dict(learning_rate=0.), '`learning_rate` must be above 0'),
      (dict(batch_size=2**31), '`batch_size` must be at most .*=2147483648'),
      (dict(kl_weight=1e39), r'`kl_weight` must be at most 3.4e\+38 .*=1e\+39'),
      (dict(weight_decay=.1), '`weight_decay` has no effect with `optimizer='),
      (dict(clip_norm=0.), '`clip_norm` must be above 0'),
      (dict(ema_decay=1.), '`ema_decay` must be below 1'),
      (dict(max_skipped_steps=0), '`max_skipped_steps` must be at least 1'),
      (dict(precision='half'), '`precision` must be one of float32, bfloat16'),
      (dict(learning_rate=float('nan')), '`learning_rate` must be finite'),
      (dict(validation_fraction=1.), '`validation_fraction` must be below 1'),
      (dict(kl_weight=-1.), '`kl_weight` must be at least 0'),
      (dict(seed=2**31), '`seed` must be below'),
      (dict(refine_steps=-1), '`refine_steps` must be at least 0'),
      (dict(posterior='spline', posterior_spline_bins=1),
       '`posterior_spline_bins` must be at least 2.*posterior_spline_bins=1'),
      (dict(posterior='mixture', posterior_components=0),
       '`posterior_components` must be at least 1.*posterior_components=0'),
      (dict(posterior='mixture', objective='dreg'),
       "use `objective='elbo'`, `objective='stl'` or .*iwae'`.*DiagMixture"),
      (dict(posterior='mixture', preset='ladder'),
       'needs a graph with a single latent.*z1:.*DiagMixture'),
      (dict(refine_steps=5, posterior='iaf'),
       "needs Gaussian.*posterior='normal_tril'.*=5, posterior=iaf"),
      (dict(eval_seed=-1), '`eval_seed` must be at least 0'),
      (dict(eval_seed=2**31), '`eval_seed` must be below'),
      (dict(network='rnn'), "`network` must be one of conv, mlp.*'rnn'"),
      (dict(binarization='some'), '`binarization` must be one of auto'),
      (dict(cache='ram'), '`cache` must be one of memory, disk, none'),
      (dict(cache='none', binarization='static'),
       "use `cache='disk'`.*=static"),
      (dict(cache='none', shuffle_buffer=0), '`shuffle_buffer` must be at'),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      Config(**arguments)

  @parameterized.parameters(
      (dict(objective='iwae', free_bits=1.), "`objective='elbo'`"),
      (dict(objective='beta_tc', kl_weight=4.), "`objective='elbo'`"),
      (dict(objective='info_vae', kl_capacity=2.), "`objective='elbo'`"),
      (dict(objective='dreg', kl_warm_up='linear'),
       "`objective='beta_tc'` or `objective='elbo'` or `objective='info_vae'` "
       "or `objective='stl'`"),
      (dict(objective='stl', free_bits=1.), "`objective='elbo'`"),
      (dict(objective='stl', importance_samples=9), "`objective='iwae'`"),
      (dict(objective='beta_tc', importance_samples=9),
       "`objective='iwae'` or `objective='dreg'`"),
      (dict(tc_weight=4.), "`objective='beta_tc'`"),
      (dict(objective='iwae', info_alpha=-1.), "`objective='info_vae'`"),
      (dict(info_lambda=9.), "`objective='info_vae'`"),
      (dict(mmd_kernel='rbf'), "`objective='info_vae'`"),
      (dict(mmd_bandwidth=2.), "`objective='info_vae'`"),
      (dict(kl_warm_up_epochs=3), "`kl_warm_up='linear'` or"),
      (dict(prior_components=3), "`prior='mixture'` or `prior='vamp'`"),
      (dict(prior_spline_layers=3), "`prior='spline'`"),
      (dict(posterior_components=3), "`posterior='mixture'`"),
      (dict(posterior_spline_units=(8,)), "`posterior='spline'`"),
      (dict(cache_dir='/cache'), "`cache='disk'`"),
      (dict(cache='disk', shuffle_buffer=9), "`cache='none'`"),
      (dict(deterministic=False), "`cache='none'`"),
      (dict(likelihood_components=3), "`likelihood='discretized_logistic'`"))
  def test_refuses_what_would_have_no_effect(self, arguments, remedy):
    name, value = list(arguments.items())[-1]
    with self.assertRaisesRegex(
        ValueError, f'`{name}` has no effect with `.*; leave it out, or use '
        f'{remedy}.* Received: {name}={flag_text(value)}'):
      Config(**arguments)

  @parameterized.parameters(
      dict(objective='beta_tc', tc_weight=4., kl_warm_up='linear'),
      dict(objective='info_vae', info_alpha=.5, kl_warm_up='cyclical'),
      dict(objective='info_vae', info_alpha=1., info_lambda=0.),
      dict(objective='beta_tc', preset='conditional'),
      dict(objective='info_vae', preset='ladder'),
      dict(objective='dreg', preset='two_layer'),
      dict(objective='gdreg', preset='ladder', importance_samples=9),
      dict(objective='stl', kl_warm_up='linear'))
  def test_takes_what_has_an_effect(self, **arguments):
    Config(**arguments)

  @parameterized.parameters('two_layer', 'ladder')
  def test_refuses_objectives_the_graph_does_not_allow(self, preset):
    with self.assertRaisesRegex(
        ValueError, "BetaTC needs a single latent; use `objective='elbo'`.*"
        'Received: latents=z1,z2'):
      Config(objective='beta_tc', preset=preset)

  def test_refuses_beta_tc_without_densities_of_dimensions(self):
    with self.assertRaisesRegex(
        ValueError, "use `posterior='normal_diag'.*posterior=Inverse"):
      Config(objective='beta_tc', posterior='iaf')

  @parameterized.parameters('beta_tc', 'info_vae')
  def test_refuses_single_examples_where_they_are_compared(self, objective):
    with self.assertRaisesRegex(ValueError, 'at least 2.*batch_size=1'):
      Config(objective=objective, batch_size=1)

  def test_refuses_units_that_are_no_numbers(self):
    with self.assertRaisesRegex(ValueError, 'hidden_units=20,wide'):
      config_from_flags(_parse('--hidden_units=20,wide'))

  @parameterized.parameters(
      'digits', 'mnist', 'fashion_mnist', 'mnist_conv')
  def test_shipped_configs_parse(self, name):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))))
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
