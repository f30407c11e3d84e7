"""β, warm-up, free bits and capacity: the loss of each step in float64."""

import functools
import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae.objectives import CyclicalWarmUp

_SIZE, _LATENT, _HIDDEN, _SEED = 6, 3, 5, 7

# Of the KLs in these tests some are below and some above each threshold.
_CONTROLS = {
    'beta': dict(weight=0.25),
    'free_bits_per_latent': dict(weight=0.5, free_bits=1.5),
    'free_bits_per_dimension': dict(
        weight=0.5, free_bits=0.4, free_bits_per='dimension'),
    'capacity': dict(weight=3.0, capacity=1.5),
}
_SCHEDULES = {
    'linear': (
        tf_keras.optimizers.schedules.PolynomialDecay(0., 4, 1.),
        [0., .25, .5, .75, 1., 1.]),
    'cyclical': (CyclicalWarmUp(4, cycles=2), [0., 1., 0., 1., 1., 1.]),
}


def _model(**controls):
  """An encoder with posteriors far apart, and a decoder of binary data."""
  tf_keras.utils.set_random_seed(1)
  return tfvae.VAE(
      tf_keras.Sequential([
          tf_keras.layers.Dense(_HIDDEN, 'tanh', input_shape=[_SIZE]),
          tf_keras.layers.Dense(2 * _LATENT, kernel_initializer=(
              tf_keras.initializers.RandomNormal(stddev=0.8))),
          tfvae.layers.MultivariateNormalDiag(
              _LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(
                  tfvae.priors.StandardNormal(_LATENT), **controls))]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(_SIZE, input_shape=[_LATENT]),
          tfvae.layers.IndependentBernoulli([_SIZE])]),
      seed=_SEED)


def _data(n):
  rng = np.random.default_rng(n)
  return (rng.random((n, _SIZE)) < 0.4).astype(np.float32)


@functools.cache  # A new `tf.function` a call would compile anew.
def _normals(n, stream, jit_compile):
  """From the number of a step and replica to its normals.

  XLA makes others of the same bits.
  """
  @tf.function(jit_compile=jit_compile)
  def draw(index):
    seed = tf.random.experimental.stateless_fold_in(
        [_SEED, 2 * index + stream], 0, alg='philox')
    seed = tfp.random.sanitize_seed(seed, salt='normal_diag')
    return tf.random.stateless_normal([n, _LATENT], seed, alg='philox')

  return draw


def _noise(n, index, stream, jit_compile):
  draw = _normals(n, stream, jit_compile)
  return draw(tf.constant(index)).numpy().astype(np.float64)


def _posterior(model, x):
  w1, b1, w2, b2 = (np.float64(w) for w in model.encoder.get_weights())
  return np.split(np.tanh(np.float64(x) @ w1 + b1) @ w2 + b2, 2, axis=1)


def _kl_per_dimension(model, x):
  mean, log_variance = _posterior(model, x)
  # KL(N(μ, σ²) ‖ N(0, 1)) = ½ (σ² + μ² − 1 − log σ²)
  return 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)


def _reconstruction(model, x, noise):
  mean, log_variance = _posterior(model, x)
  kernel, bias = (np.float64(w) for w in model.decoder.get_weights())
  logits = (mean + np.exp(log_variance / 2) * noise) @ kernel + bias
  # log p(x|z) = Σ x l − log(1 + exp l)
  return np.sum(x * logits - np.logaddexp(0, logits), axis=1)


def _penalty(per_dimension, weight=1.0, free_bits=0.0, free_bits_per='latent',
             capacity=None):
  """What the documentation of the regularizer says, example by example."""
  penalties = []
  for row in per_dimension:
    if capacity is not None:
      penalty = abs(row.sum() - capacity)
    elif free_bits_per == 'dimension':
      penalty = sum(max(free_bits, k) for k in row)
    else:
      penalty = max(free_bits, row.sum())
    penalties.append(weight * penalty)
  return np.array(penalties)


class StepTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      control=list(_CONTROLS), schedule=list(_SCHEDULES))
  def test_loss_of_each_step(self, control, schedule):
    self._check(control, schedule, replicas=1, jit_compile=False,
                run_eagerly=schedule == 'linear')

  @parameterized.parameters(*_CONTROLS)
  def test_under_xla(self, control):
    self._check(control, 'cyclical', replicas=1, jit_compile=True)

  @parameterized.parameters(*_CONTROLS)
  def test_under_mirrored_strategy(self, control):
    strategy = tf.distribute.MirroredStrategy(
          ['CPU:0', 'CPU:1'],
          # Collectives of two models in one process share keys, and clash.
          cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
      self._check(control, 'linear', replicas=2, jit_compile=False)

  def test_under_mirrored_strategy_with_xla(self):
    strategy = tf.distribute.MirroredStrategy(
          ['CPU:0', 'CPU:1'],
          # Collectives of two models in one process share keys, and clash.
          cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
      self._check('free_bits_per_latent', 'linear', 2, jit_compile=True)

  def _check(self, control, schedule, replicas, jit_compile,
             run_eagerly=False):
    x, (schedule, factors) = _data(7), _SCHEDULES[schedule]
    model = _model(**_CONTROLS[control])
    model.compile(tf_keras.optimizers.SGD(0.0), jit_compile=jit_compile,
                  run_eagerly=run_eagerly, kl_schedule=schedule)
    # One step an epoch: its means are those of the step.
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(len(x))
    history = model.fit(dataset, epochs=len(factors), verbose=0).history
    per_dimension = _kl_per_dimension(model, x)
    kl = per_dimension.sum(axis=1)
    penalty = _penalty(per_dimension, **_CONTROLS[control])
    for step, factor in enumerate(factors):
      reconstruction = np.concatenate([
          _reconstruction(model, rows, _noise(
              len(rows), step * replicas + replica, 0, jit_compile))
          for replica, rows in enumerate(np.array_split(x, replicas))])
      expected = {
          'loss': np.mean(factor * penalty - reconstruction),
          'reconstruction': reconstruction.mean(), 'kl': kl.mean(),
          'elbo': np.mean(reconstruction - kl)}  # At β = 1, whatever is done.
      for name, value in expected.items():
        self.assertAllClose(history[name][step], value, rtol=1e-5,
                            msg=f'{name} of step {step}')

  @parameterized.parameters(*_CONTROLS)
  def test_evaluate_is_at_the_end_of_the_schedule(self, control):
    x, model = _data(7), _model(**_CONTROLS[control])
    model.compile('sgd', kl_schedule=_SCHEDULES['linear'][0])
    actual = model.evaluate(x, verbose=0, return_dict=True)
    per_dimension = _kl_per_dimension(model, x)
    reconstruction = _reconstruction(model, x, _noise(7, 0, 1, False))
    penalty = _penalty(per_dimension, **_CONTROLS[control])
    self.assertAllClose(
        actual['loss'], np.mean(penalty - reconstruction), rtol=1e-5)
    self.assertAllClose(
        actual['elbo'],
        np.mean(reconstruction - per_dimension.sum(axis=1)), rtol=1e-5)


class PenaltyTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_CONTROLS)
  def test_of_each_example_and_its_gradient(self, control):
    x, model = _data(20), _model(**_CONTROLS[control])
    regularizer = model.encoder.layers[-1].activity_regularizer
    mean, log_variance = np.float32(_posterior(model, x))
    loc = tf.constant(mean)
    with tf.GradientTape() as tape:
      tape.watch(loc)
      posterior = tfp.distributions.MultivariateNormalDiag(
          loc, np.exp(log_variance / 2))
      penalty = regularizer.penalty(regularizer.kl(posterior), posterior)
    per_dimension = _kl_per_dimension(model, x)
    self.assertAllClose(
        penalty, _penalty(per_dimension, **_CONTROLS[control]), rtol=1e-5)
    # ∂k/∂μ_d = μ_d; none where free bits bind, reversed below the capacity.
    kl = per_dimension.sum(axis=1, keepdims=True)
    factor = {
        'beta': np.ones_like(kl),
        'free_bits_per_latent': kl > 1.5,
        'free_bits_per_dimension': per_dimension > 0.4,
        'capacity': np.sign(kl - 1.5)}[control]
    if control != 'beta':
      self.assertGreater(np.ptp(np.float64(factor)), 0)  # Both sides occur.
    self.assertAllClose(
        tape.gradient(penalty, loc),
        _CONTROLS[control]['weight'] * factor * mean, rtol=1e-5, atol=1e-6)

  def test_free_bits_of_each_latent_of_a_graph(self):
    tf_keras.utils.set_random_seed(1)
    model = tfvae.models.image_vae(
        tfvae.graph.GraphicalModel.parse(
            'z1:3,z2:2', 'z1|x; z2|x', 'z1; z2; x|z1,z2'), (2, 3, 1), 'mlp',
        (5,), kl_controls={'free_bits': 0.5})
    x = _data(20).reshape(20, 2, 3, 1)
    inference = model.infer(x, tfp.distributions.Distribution.mean)
    kl = {name: np.float64(nats) for name, nats in inference.kl.items()}
    self.assertAllClose(
        model.kl_penalty(inference),
        sum(np.maximum(nats, 0.5) for nats in kl.values()))
    self.assertNotAllEqual(kl['z1'] > 0.5, kl['z2'] > 0.5)  # Each its own.


class SettingsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_CONTROLS)
  def test_saved_with_the_model(self, control):
    model = _model(**_CONTROLS[control])
    path = os.path.join(self.get_temp_dir(), 'saved.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)
    config = loaded.encoder.layers[-1].activity_regularizer.get_config()
    self.assertEqual(config | _CONTROLS[control], config)
    self.assertEqual(
        config, model.encoder.layers[-1].activity_regularizer.get_config())

  @parameterized.named_parameters(
      ('negative_free_bits', dict(free_bits=-1.), 'free_bits=-1.0'),
      ('nan_free_bits', dict(free_bits=float('nan')), 'free_bits=nan'),
      ('free_bits_per', dict(free_bits_per='batch'), "free_bits_per='batch'"),
      ('negative_capacity', dict(capacity=-0.5), 'capacity=-0.5'),
      ('infinite_capacity', dict(capacity=float('inf')), 'capacity=inf'),
      ('both', dict(free_bits=1., capacity=2.), 'free_bits=1.0, capacity=2.0'))
  def test_refuses(self, controls, message):
    with self.assertRaisesRegex(ValueError, f'Received: .*{message}'):
      _model(**controls)

  def test_free_bits_per_dimension_refuse_a_full_covariance(self):
    posterior = tfp.distributions.MultivariateNormalTriL(
        tf.zeros([2, 3]), tf.eye(3, batch_shape=[2]))
    regularizer = tfvae.KLDivergenceRegularizer(
        tfp.distributions.MultivariateNormalTriL(tf.zeros(3), tf.eye(3)),
        free_bits=0.1, free_bits_per='dimension')
    with self.assertRaisesRegex(ValueError, "free_bits_per='latent'"):
      regularizer.penalty(regularizer.kl(posterior), posterior)


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
