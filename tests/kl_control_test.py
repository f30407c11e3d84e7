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

# The mean KL of the data is 3.0 nats of 7 rows and 3.4 of 20; some dimensions
# have a mean below 0.8 nats, some above.
_CONTROLS = {
    'beta': dict(weight=0.25),
    'free_bits_in_use': dict(weight=0.5, free_bits=5.0),
    'free_bits_exceeded': dict(weight=0.5, free_bits=1.0),
    'free_bits_per_dimension': dict(
        weight=0.5, free_bits=0.8, free_bits_per='dimension'),
    'capacity_above': dict(weight=3.0, capacity=5.0),
    'capacity_below': dict(weight=3.0, capacity=1.0),
}
# One of each kind, where the penalty itself has a test of each.
_KINDS = ('beta', 'free_bits_per_dimension', 'capacity_above')
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


@functools.cache  # A new `tf.function` a call would compile again.
def _normals(n, stream, jit_compile):
  """Returns the normals of a step and replica as a function of its number.

  XLA computes other normals from the same bits.
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
  """Returns the penalty of a minibatch that the regularizer documents."""
  means = per_dimension.mean(axis=0)
  if capacity is not None:
    return weight * abs(means.sum() - capacity)
  if free_bits_per == 'dimension':
    return weight * sum(max(free_bits, k) for k in means)
  return weight * max(free_bits, means.sum())


class StepTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_KINDS)
  def test_loss_of_each_step(self, control):
    self._check(control, 'linear', replicas=1, jit_compile=False,
                run_eagerly=True)

  def test_under_xla(self):
    self._check('capacity_below', 'cyclical', replicas=1, jit_compile=True)

  def test_under_mirrored_strategy(self):
    strategy = tf.distribute.MirroredStrategy(
          ['CPU:0', 'CPU:1'],
          # Collectives of two models in one process share keys, and clash.
          cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
      self._check('free_bits_per_dimension', 'linear', replicas=2,
                  jit_compile=False)

  # XLA compiles no sum over replicas, so that free bits do without it.
  @parameterized.parameters(('beta', True), ('free_bits_exceeded', False))
  def test_under_mirrored_strategy_with_xla(self, control, has_xla_noise):
    strategy = tf.distribute.MirroredStrategy(
          ['CPU:0', 'CPU:1'],
          # Collectives of two models in one process share keys, and clash.
          cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
      self._check(control, 'linear', 2, jit_compile=True,
                  has_xla_noise=has_xla_noise)

  def _check(self, control, schedule, replicas, jit_compile,
             run_eagerly=False, has_xla_noise=None):
    if has_xla_noise is None:
      has_xla_noise = jit_compile
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
              len(rows), step * replicas + replica, 0, has_xla_noise))
          for replica, rows in enumerate(np.array_split(x, replicas))])
      expected = {
          'loss': np.mean(factor * penalty - reconstruction),
          'reconstruction': reconstruction.mean(), 'kl': kl.mean(),
          'elbo': np.mean(reconstruction - kl)}  # At β = 1, with any control.
      for name, value in expected.items():
        self.assertAllClose(history[name][step], value, rtol=1e-5,
                            msg=f'{name} of step {step}')

  @parameterized.parameters(*_KINDS)
  def test_evaluate_is_at_the_end_of_the_schedule(self, control):
    x, model = _data(7), _model(**_CONTROLS[control])
    model.compile('sgd', kl_schedule=_SCHEDULES['linear'][0],
                  run_eagerly=True)
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
  def test_mean_and_its_gradient(self, control):
    x, model = _data(20), _model(**_CONTROLS[control])
    regularizer = model.encoder.layers[-1].activity_regularizer
    mean, log_variance = np.float32(_posterior(model, x))
    loc = tf.constant(mean)
    with tf.GradientTape() as tape:
      tape.watch(loc)
      posterior = tfp.distributions.MultivariateNormalDiag(
          loc, np.exp(log_variance / 2))
      penalty = tf.reduce_mean(
          regularizer.penalty(regularizer.kl(posterior), posterior))
    per_dimension = _kl_per_dimension(model, x)
    self.assertAllClose(
        penalty, _penalty(per_dimension, **_CONTROLS[control]), rtol=1e-5)
    # ∂k/∂μ_d = μ_d; none where free bits bind, reversed below the capacity.
    factor = {
        'beta': 1, 'free_bits_in_use': 0, 'free_bits_exceeded': 1,
        'free_bits_per_dimension': per_dimension.mean(axis=0) > 0.8,
        'capacity_above': -1, 'capacity_below': 1}[control]
    if control == 'free_bits_per_dimension':
      self.assertGreater(np.ptp(np.float64(factor)), 0)  # Both sides occur.
    self.assertAllClose(
        tape.gradient(penalty, loc),
        _CONTROLS[control]['weight'] * factor * mean / len(x), rtol=1e-5,
        atol=1e-6)

  def test_free_bits_of_each_latent_of_a_graph(self):
    tf_keras.utils.set_random_seed(1)
    model = tfvae.models.image_vae(
        tfvae.graph.GraphicalModel.parse(
            'z1:3,z2:2', 'z1|x; z2|x', 'z1; z2; x|z1,z2'), (2, 3, 1), 'mlp',
        (5,), kl_controls={'free_bits': 0.46})
    x = _data(20).reshape(20, 2, 3, 1)
    inference = model.infer(x, tfp.distributions.Distribution.mean)
    kl = {name: np.float64(nats).mean() for name, nats in inference.kl.items()}
    self.assertAllClose(
        tf.reduce_mean(model.kl_penalty(inference)),
        sum(max(nats, 0.46) for nats in kl.values()))
    self.assertNotEqual(kl['z1'] > 0.46, kl['z2'] > 0.46)  # Each its own.

  def test_free_nats_of_a_log_ratio_are_free(self):
    # A mixture of one component is the standard normal, whose KL has a closed
    # form, but not for TFP: the regularizer estimates it by one draw.
    size, batch, free_bits = 16, 100, 3.0
    normal = tfp.distributions.MultivariateNormalDiag(
        tf.zeros([1, size]), tf.ones([1, size]))
    regularizer = tfvae.KLDivergenceRegularizer(
        tfp.distributions.MixtureSameFamily(
            tfp.distributions.Categorical(probs=[1.0]), normal),
        free_bits=free_bits)
    # Of a posterior of the same KL, λ, for each example.
    loc = tf.Variable(tf.fill([size], np.float32(
        np.sqrt(2 * free_bits / size))))
    optimizer = tf_keras.optimizers.Adam(0.01)

    @tf.function
    def step(seed):
      with tf.GradientTape() as tape:
        posterior = tfp.distributions.MultivariateNormalDiag(
            tf.broadcast_to(loc, [batch, size]), tf.ones([batch, size]))
        kl = regularizer.kl(posterior, posterior.sample(seed=seed))
        penalty = tf.reduce_mean(regularizer.penalty(kl, posterior))
      optimizer.minimize(penalty, [loc], tape)

    for index in range(400):
      step(tf.constant([0, index]))
    # KL(N(μ, I) ‖ N(0, I)) = ½ |μ|². k̄ of a batch varies by |μ| / √b, and
    # draws above λ pull it down by a few of these; a maximum for each example
    # pulls it down without end.
    standard_error = np.sqrt(2 * free_bits / batch)
    self.assertAllClose(0.5 * np.sum(np.square(loc.numpy())), free_bits,
                        atol=4 * standard_error)


class SettingsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_KINDS)
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
