"""Models, objectives and schedules built from flags; an epoch of each."""

import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

import tfvae
from tfvae.training import Config
from tfvae.training import ModelConfig
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training.fit import fitting
from tfvae.training.fit.building import compiled_model
from tfvae.training.fit.building import initialize_priors
from tfvae.training.fit.building import make_kl_schedule


class ObjectiveTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      (dict(objective='iwae', importance_samples=7),
       dict(num_samples=7, doubly_reparameterized=False,
            reparameterized_priors=False)),
      (dict(objective='dreg', importance_samples=7),
       dict(num_samples=7, doubly_reparameterized=True,
            reparameterized_priors=False)),
      (dict(objective='gdreg'),
       dict(num_samples=5, doubly_reparameterized=True,
            reparameterized_priors=True)),
      (dict(objective='stl'), {}),
      (dict(objective='beta_tc', tc_weight=4.),
       dict(beta=4., num_examples=123)),
      (dict(objective='info_vae', info_alpha=.5, info_lambda=9.,
            mmd_kernel='rbf', mmd_bandwidth=2.),
       dict(alpha=.5, lambda_=9., kernel='rbf', bandwidth=2.)))
  def test_settings_arrive(self, settings, expected):
    objective = ModelConfig(**settings).make_objective().for_training_set(123)
    self.assertEqual(objective.get_config(), expected)

  def test_default_is_the_elbo(self):
    self.assertIsInstance(ModelConfig().make_objective(), tfvae.objectives.ELBO)


class ModelTest(parameterized.TestCase, tf.test.TestCase):

  def test_settings_arrive(self):
    model = compiled_model(
        Config(preset='ladder', latents='z1:3,z2:2', hidden_units=(6, 5),
               factor_units=(4,), activation='relu', likelihood='normal',
               prior='mixture', prior_components=7, kl_weight=0.5,
               free_bits=0.25, merging='precision_weighted', jit='false',
               seed=3),
        (2, 3, 1), num_examples=250)
    config = model.get_config()
    self.assertEqual(
        config | {
            'graph': {'latents': 'z1:3,z2:2', 'inference': 'z2|x; z1|z2,x',
                      'generative': 'z2; z1|z2; x|z1'},
            'factor_units': [4], 'activation': 'relu', 'kl_weight': 0.5,
            'kl_controls': {'free_bits': 0.25, 'free_bits_per': 'latent',
                            'capacity': None},
            'merging': 'precision_weighted', 'seed': 3}, config)
    self.assertEqual(config['priors']['z2']['config']['num_components'], 7)
    self.assertEqual(
        [layer.units for layer in model.features.layers[2:]], [6, 5])
    self.assertIsInstance(
        model.decoder.layers[-1], tfvae.layers.IndependentNormal)

  def test_posterior(self):
    model = compiled_model(
        Config(latents='z:3', hidden_units=(6,), posterior='normal_tril'),
        (2, 3, 1), num_examples=250)
    self.assertIsInstance(model.inference_factors['z'].head,
                          tfvae.layers.MultivariateNormalTriL)

  @parameterized.parameters((None, 'shared'), (0.25, 0.25))
  def test_scale_of_the_likelihood(self, setting, expected):
    model = compiled_model(
        Config(latents='z:3', likelihood='normal', likelihood_scale=setting),
        (2, 3, 1), num_examples=250)
    self.assertEqual(model.decoder.layers[-1].settings, {'scale': expected})

  @parameterized.parameters(
      ('bernoulli', [[0, 51], [255, 102]], [[0.01, 0.2], [0.99, 0.4]]),
      # Bits are gray levels 0 and 255; counts are what they are.
      ('bernoulli', [[0, 1], [1, 0]], [[0.01, 0.99], [0.99, 0.01]]),
      ('poisson', [[0, 7], [255, 1]], [[0., 7.], [255., 1.]]))
  def test_vamp_prior_begins_with_training_images(
      self, likelihood, pixels, expected):
    model = compiled_model(
        Config(latents='z:3', likelihood=likelihood, prior='vamp',
               prior_components=2), (1, 2, 1), num_examples=2)
    images = np.uint8(pixels).reshape(2, 1, 2, 1)
    initialize_priors(model, images)
    self.assertAllClose(
        model.priors['z'].pseudo_inputs()[:, 0, :, 0], expected, atol=1e-5)
    with self.assertRaisesRegex(ValueError, '1 training images, 2 comp'):
      initialize_priors(model, images[:1])

  def test_same_seed_same_weights(self):
    first, second, other = (
        compiled_model(Config(latents='z:3', hidden_units=(6,), seed=seed),
                    (2, 3, 1), num_examples=250).get_weights()
        for seed in (0, 0, 1))
    for weights in zip(first, second, other, strict=True):
      self.assertAllEqual(*weights[:2])
    self.assertNotAllEqual(first[0], other[0])


class ScheduleTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ('linear', [0., .25, .5, .75, 1., 1.]),
      # Each of four cycles has ten steps, and rises in the first five.
      ('cyclical', [0., 1., 0., 1., 1., 1.]))
  def test_of_the_kl(self, kind, expected):
    schedule = make_kl_schedule(
        ModelConfig(kl_warm_up=kind, kl_warm_up_epochs=4), steps_per_epoch=10)
    steps = {'linear': [0, 10, 20, 30, 40, 99],
             'cyclical': [0, 5, 10, 16, 40, 99]}[kind]
    self.assertAllClose([float(schedule(tf.constant(s))) for s in steps],
                        expected)

  def test_no_warm_up(self):
    self.assertIsNone(make_kl_schedule(ModelConfig(), steps_per_epoch=10))

  @parameterized.parameters(
      ('constant', [.01] * 4), ('cosine', [.01, .005, 0., 0.]))
  def test_of_the_learning_rate(self, kind, expected):
    # 250 examples make 3 steps of up to 100; 4 epochs of them are 12.
    model = compiled_model(
        Config(latents='z:2', hidden_units=(3,), epochs=4, learning_rate=.01,
               learning_rate_schedule=kind),
        (2, 3, 1), num_examples=250)
    rate = model.optimizer.get_config()['learning_rate']
    schedule = (tf_keras.optimizers.schedules.deserialize(rate)
                if isinstance(rate, dict) else lambda step: rate)
    self.assertAllClose([float(schedule(step)) for step in (0, 6, 12, 99)],
                        expected)


class RunTest(tf.test.TestCase):

  def test_trains_an_epoch_of_digits(self):
    self.enterContext(mock.patch.object(fitting, 'TensorBoard'))
    self.enterContext(mock.patch.object(train, 'write_report'))
    data_dir = self.create_tempdir().full_path
    workdir = os.path.join(data_dir, 'run')
    metrics = train_and_evaluate(Config(
        data_dir=data_dir, latents='z:2', hidden_units=(16,), epochs=1,
        batch_size=20, learning_rate=0.01, jit='false', steps_per_execution='1',
        objective='beta_tc', kl_warm_up='linear',
        evaluations=('importance_weighted',), eval_importance_samples=2,
        eval_importance_examples=20, export=False), workdir)
    # Of 64 binary pixels: better than chance after an epoch.
    self.assertBetween(metrics['test']['elbo'], -64 * np.log(2), 0)
    model = tf_keras.models.load_model(os.path.join(workdir, 'model.keras'))
    arguments = model.get_compile_config()
    self.assertEqual(
        arguments['objective']['config'],
        {'beta': 6.0, 'num_examples': metrics['train']['examples']})
    self.assertIsNotNone(arguments['kl_schedule'])


if __name__ == '__main__':
  tf.test.main()
