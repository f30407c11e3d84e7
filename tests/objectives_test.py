"""Common behavior of the objectives: the reported ELBO, XLA, saving."""

import functools
import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

import tfvae
from tfvae import objectives

_IMAGE, _SEED = (2, 3, 1), 7

_OBJECTIVES = {
    'importance_weighted': objectives.ImportanceWeighted(3),
    'doubly_reparameterized': objectives.ImportanceWeighted(3, True),
    'generalized': objectives.ImportanceWeighted(3, True, True),
    'sticking_the_landing': objectives.StickingTheLanding(),
    'beta_tc': objectives.BetaTC(4.0, 23),
    'info_vae': objectives.InfoVAE(0.5, 10.0),
    'info_vae_rbf': objectives.InfoVAE(1.0, 10.0, 'rbf', 0.5),
}
# One of each class, where the settings make no difference.
_CLASSES = (
    'doubly_reparameterized', 'sticking_the_landing', 'beta_tc', 'info_vae')
_SCHEDULES = {
    'linear': tf_keras.optimizers.schedules.PolynomialDecay(0., 9, 1.),
    'cyclical': objectives.CyclicalWarmUp(20, 2),
}


def _model(latents='z:3', inference=None, generative=None, **settings):
  tf_keras.utils.set_random_seed(1)
  return tfvae.models.image_vae(
      tfvae.graph.GraphicalModel.parse(latents, inference, generative), _IMAGE,
      'mlp', (5,), factor_units=[4], num_classes=2, seed=_SEED, **settings)


def _waves(shape, *args, **kwargs):
  """Returns a stand-in for noise that every execution computes alike."""
  del args, kwargs
  count = tf.cast(tf.reduce_prod(shape), tf.float32)
  return tf.reshape(1.4 * tf.sin(1.7 * tf.range(count)), shape)


def _data(n):
  rng = np.random.default_rng(n)
  return (rng.random((n, *_IMAGE)) < 0.4).astype(np.float32)


@functools.cache
def _evaluated_elbo(copies):
  """Returns the ELBO and its parts on copies of five images."""
  x, model = np.repeat(_data(5), copies, axis=0), _model()
  model.compile('sgd', run_eagerly=True)
  return model.evaluate(x, batch_size=len(x), verbose=0, return_dict=True)


class EveryObjectiveTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_OBJECTIVES)
  def test_reports_the_elbo_of_the_model(self, name):
    # Many copies, so that all draws of a mean agree within their errors.
    x, model = np.repeat(_data(5), 400, axis=0), _model()
    expected = _evaluated_elbo(400)
    model.compile('sgd', objective=_OBJECTIVES[name], run_eagerly=True)
    actual = model.evaluate(x, batch_size=500, verbose=0, return_dict=True)
    # The KL is exact, and log p(x|z) is within a few nats of its mean.
    self.assertAllClose(actual['kl'], expected['kl'], rtol=1e-5)
    errors = np.std([model.log_likelihood(model.infer(
        x, tfvae.layers.SeededSample(tf.constant([1, 2]))).latents, x)])
    for part in ('reconstruction', 'elbo'):
      self.assertAllClose(actual[part], expected[part],
                          atol=5 * errors * (2 / len(x))**0.5)
    self.assertAllClose(
        actual['elbo'], actual['reconstruction'] - actual['kl'], rtol=1e-5)

  @parameterized.parameters(*_CLASSES)
  def test_xla_and_eager_agree(self, name):
    x, model = _data(23), _model()

    def values_and_gradients(x):
      with tf.GradientTape() as tape:
        values = _OBJECTIVES[name](
            model, x, x, tf.constant([1, 2]), 0.5, True)
        loss = tf.reduce_mean(values['objective'])
      return values, tape.gradient(loss, model.trainable_variables)

    # XLA makes other normals of the same random bits: here both get these.
    with mock.patch.object(tf.random, 'stateless_normal', _waves):
      self.assertAllClose(
          tf.function(values_and_gradients, jit_compile=True)(x),
          values_and_gradients(x), rtol=1e-4, atol=1e-5)

  # Those that are no mean over examples.
  @parameterized.parameters('beta_tc', 'info_vae')
  def test_trains_on_two_replicas(self, name):
    strategy = tf.distribute.MirroredStrategy(
          ['CPU:0', 'CPU:1'],
          # Collectives of two models in one process share keys, and clash.
          cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
      model = _model()
      model.compile(tf_keras.optimizers.SGD(0.01), objective=_OBJECTIVES[name])
    # A last batch of one example leaves the second replica without any.
    dataset = tf.data.Dataset.from_tensor_slices(_data(23)).batch(11)
    history = model.fit(dataset, verbose=0).history
    self.assertAllInRange(np.concatenate(list(history.values())), -99., 99.)
    self.assertAllInRange(np.concatenate(
        [w.ravel() for w in model.get_weights()]), -9., 9.)

  @parameterized.parameters(*_CLASSES)
  def test_saved_with_the_model_and_trains_on(self, name):
    x, model = _data(23), _model()
    schedule = _SCHEDULES['linear' if name == 'info_vae' else 'cyclical']
    if not _OBJECTIVES[name].uses_kl_schedule:
      schedule = None
    model.compile(tf_keras.optimizers.Adam(0.01), objective=_OBJECTIVES[name],
                  kl_schedule=schedule, run_eagerly=True)
    model.fit(x, batch_size=12, shuffle=False, verbose=0)
    path = os.path.join(self.get_temp_dir(), 'saved.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)  # In safe mode.
    self.assertEqual(
        loaded._compile_arguments['objective'].get_config(),
        _OBJECTIVES[name].get_config())
    if schedule is not None:
      self.assertEqual(
          loaded._compile_arguments['kl_schedule'].get_config(),
          schedule.get_config())
    histories = [
        trained.fit(x, batch_size=12, shuffle=False, verbose=0).history
        for trained in (model, loaded)]
    self.assertAllClose(*histories, rtol=1e-5)

  @parameterized.parameters(*_CLASSES)
  def test_training_lowers_the_loss(self, name):
    x, model = np.repeat(_data(2), 10, axis=0), _model()
    model.compile(tf_keras.optimizers.Adam(0.05), objective=_OBJECTIVES[name])
    losses = model.fit(x, epochs=40, verbose=0).history['loss']
    self.assertLess(np.mean(losses[-5:]), np.mean(losses[:5]) - 1)


class KLControlTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (dict(kl_weight=4.0), 'weight=4.0 of z'),
      (dict(kl_controls={'free_bits': 0.5}), 'free_bits=0.5 of z'),
      (dict(kl_controls={'capacity': 0.0}), 'capacity=0.0 of z'))
  def test_refuses_what_would_have_no_effect(self, settings, message):
    model = _model(**settings)
    for objective in _OBJECTIVES.values():
      with self.assertRaisesRegex(
          ValueError, 'no effect with the objective '
          f'{type(objective).__name__}.*=None.*Received: {message}'):
        model.compile('sgd', objective=objective)
    model.compile('sgd')  # The ELBO has them.

  def test_refuses_a_weight_that_is_to_move(self):
    model = _model(kl_weight=tf.Variable(1.0, trainable=False))
    with self.assertRaisesRegex(ValueError, 'weight=<tf.Variable'):
      model.compile('sgd', objective=_OBJECTIVES['beta_tc'])

  def test_names_every_latent(self):
    model = _model('z1:3,z2:2', 'z1|x; z2|x', 'z1; z2; x|z1,z2', kl_weight=0.5)
    with self.assertRaisesRegex(
        ValueError, 'Received: weight=0.5 of z1, weight=0.5 of z2$'):
      model.compile('sgd', objective=_OBJECTIVES['info_vae'])

  @parameterized.parameters(*_OBJECTIVES)
  def test_schedules_are_for_objectives_with_a_kl(self, name):
    # An objective has a KL if factors of 0 and of 1 give different values.
    x, objective, model = _data(9), _OBJECTIVES[name], _model()
    losses = [objective(model, x, x, tf.constant([1, 2]), factor, True)
              ['objective'] for factor in (0.0, 1.0)]
    has_effect = np.any(losses[0] != losses[1])
    for schedule in _SCHEDULES.values():
      arguments = dict(objective=objective, kl_schedule=schedule)
      if has_effect:
        model.compile('sgd', **arguments)
      else:
        with self.assertRaisesRegex(
            ValueError, f'Received: kl_schedule={type(schedule).__name__}'):
          model.compile('sgd', **arguments)


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
