"""The VAE's objective against float64 NumPy, and the VAE as a Keras model."""

import functools
import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests import fresh_process
import tfvae

tfd = tfp.distributions

_IMAGE, _LATENT, _HIDDEN, _SEED = (2, 3, 1), 3, (5,), 7

def _model(kl_weight=1.0):
  tf_keras.utils.set_random_seed(1)
  return tfvae.VAE(
      tf_keras.Sequential([
          tf_keras.layers.Flatten(input_shape=_IMAGE),
          tf_keras.layers.Dense(*_HIDDEN, 'tanh'),
          tf_keras.layers.Dense(2 * _LATENT),
          tfvae.layers.MultivariateNormalDiag(
              _LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(
                  tfvae.priors.StandardNormal(_LATENT), kl_weight))]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(*_HIDDEN, 'tanh', input_shape=[_LATENT]),
          tf_keras.layers.Dense(6),
          tfvae.layers.IndependentBernoulli(_IMAGE)]),
      seed=_SEED)


def _graph_model(kl_weight=1.0):
  """The same model, as the graph `z|x; z; x|z`."""
  tf_keras.utils.set_random_seed(1)
  return tfvae.models.image_vae(
      _LATENT, _IMAGE, 'mlp', _HIDDEN, kl_weight=kl_weight, seed=_SEED)


def _data(n):
  rng = np.random.default_rng(n)
  return (rng.random((n, *_IMAGE)) < 0.4).astype(np.float32)


@functools.cache  # A new `tf.function` a call would compile again.
def _normals(n, stream, jit_compile):
  """Returns the noise of a step and replica as a function of its number.

  XLA computes other normals from the same random bits. The number is an
  argument because TensorFlow, not XLA, would draw from constant seeds.
  """
  @tf.function(jit_compile=jit_compile)
  def draw(index):
    seed = tf.random.experimental.stateless_fold_in(
        [_SEED, 2 * index + stream], 0, alg='philox')
    seed = tfp.random.sanitize_seed(seed, salt='normal_diag')
    return tf.random.stateless_normal([n, _LATENT], seed, alg='philox')

  return draw


def _noise(n, index, stream, jit_compile=False):
  """Returns the standard normals that the model draws in a step and replica."""
  return _normals(n, stream, jit_compile)(tf.constant(index)).numpy()


def _float64_elbo(weights, x, noise, xp=np):
  """Returns the parts of the ELBO; `xp` is TensorFlow where gradients are."""
  exp, log1p, tanh = (
      (tf.exp, tf.math.log1p, tf.tanh) if xp is tf else
      (np.exp, np.log1p, np.tanh))
  total = tf.reduce_sum if xp is tf else np.sum
  w1, b1, w2, b2, v1, c1, v2, c2 = weights
  x = x.reshape(len(x), np.prod(_IMAGE)).astype(np.float64)
  parameters = tanh(x @ w1 + b1) @ w2 + b2
  mean, log_variance = parameters[:, :_LATENT], parameters[:, _LATENT:]
  z = mean + exp(log_variance / 2) * noise.astype(np.float64)
  logits = tanh(z @ v1 + c1) @ v2 + c2
  # log p(x|z) = Σ x l − log(1 + exp l)
  reconstruction = total(x * logits - log1p(exp(logits)), axis=1)
  # KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (σ² + μ² − 1 − log σ²)
  kl = 0.5 * total(exp(log_variance) + mean**2 - 1 - log_variance, axis=1)
  return reconstruction, kl


def _float64_weights(model):
  """Returns kernels and biases from x to z, then from z to x."""
  parts = [model.encoder, model.decoder] if type(model) is tfvae.VAE else [
      model.features, model.inference_factors['z'], model.decoder]
  return [w.astype(np.float64) for part in parts for w in part.get_weights()]


def _batches(x, batch_size, replicas, first_index=0):
  """Yields each replica's rows with the number of its seed."""
  for step, start in enumerate(range(0, len(x), batch_size)):
    batch = x[start:start + batch_size]
    size = -(-len(batch) // replicas)
    for replica in range(replicas):
      rows = batch[replica * size:(replica + 1) * size]
      yield rows, replica, first_index + step


class ObjectiveTest(tf.test.TestCase, parameterized.TestCase):

  def _expected(self, model, x, batch_size, replicas, stream, jit_compile):
    weights, parts = _float64_weights(model), []
    seen = [0] * replicas
    for rows, replica, step in _batches(x, batch_size, replicas):
      counter = step if stream == 0 else seen[replica]
      noise = _noise(len(rows), counter * replicas + replica, stream,
                     jit_compile)
      parts.append(_float64_elbo(weights, rows, noise))
      seen[replica] += len(rows)
    reconstruction, kl = (np.concatenate(part) for part in zip(
        *parts, strict=True))
    return {'reconstruction': reconstruction.mean(), 'kl': kl.mean(),
            'elbo': (reconstruction - kl).mean()}

  @parameterized.parameters(
      # 23 examples: batches of 7 leave a ragged last one, of 100 only that.
      (7, 'graph'), (100, 'eager'), (7, 'xla'))
  def test_fit_and_evaluate_equal_float64(self, batch_size, mode):
    self._check(_model(), _data(23), batch_size, 1, 1.0, dict(
        run_eagerly=mode == 'eager', jit_compile=mode == 'xla'))

  @parameterized.parameters(_model, _graph_model)
  def test_elbo_is_reported_at_weight_one(self, make):
    self._check(make(0.25), _data(14), 7, 1, 0.25, dict(run_eagerly=True))

  def test_under_mirrored_strategy(self):
    strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
    with strategy.scope():
      model = _model()
      # Replicas of 6 and 5 examples; the last batch, of 1, leaves the second
      # replica without any.
      self._check(model, _data(23), 11, 2, 1.0, {})

  def _check(self, model, x, batch_size, replicas, kl_weight, arguments):
    model.compile(tf_keras.optimizers.SGD(0.0), **arguments)
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(batch_size)
    history = model.fit(dataset, verbose=0).history
    trained = {name: values[0] for name, values in history.items()}
    evaluated = model.evaluate(dataset, return_dict=True, verbose=0)
    uses_xla = arguments.get('jit_compile', False)
    for stream, actual in enumerate((trained, evaluated)):
      expected = self._expected(model, x, batch_size, replicas, stream,
                                # Evaluations run without XLA.
                                stream == 0 and uses_xla)
      expected['loss'] = kl_weight * expected['kl'] - expected['reconstruction']
      self.assertEqual(actual.keys(), expected.keys())
      for name, value in expected.items():
        self.assertAllClose(actual[name], value, rtol=1e-5, msg=name)

  @parameterized.parameters((1, False), (2, True))
  def test_gradient_step_equals_float64(self, replicas, jit_compile):
    x, strategy = _data(7), tf.distribute.get_strategy()
    if replicas == 2:
      strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
    with strategy.scope():
      model = _model(kl_weight=0.5)
      model.compile(tf_keras.optimizers.SGD(1.0), jit_compile=jit_compile)
    weights = [tf.constant(w) for w in _float64_weights(model)]
    with tf.GradientTape() as tape:
      tape.watch(weights)
      loss = 0.0
      for rows, replica, step in _batches(x, len(x), replicas):
        noise = _noise(len(rows), step * replicas + replica, 0, jit_compile)
        reconstruction, kl = _float64_elbo(weights, rows, noise, xp=tf)
        # The mean over the global batch: 4 rows on one replica, 3 on the other.
        loss += tf.reduce_sum(0.5 * kl - reconstruction) / len(x)
    expected = [w - g for w, g in zip(
        weights, tape.gradient(loss, weights), strict=True)]
    model.fit(tf.data.Dataset.from_tensor_slices(x).batch(len(x)), verbose=0)
    for actual, value in zip(_float64_weights(model), expected, strict=True):
      self.assertAllClose(actual, value, rtol=1e-5, atol=1e-6)

  def test_mixed_precision_keeps_the_kl_in_float32(self):
    tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
    try:
      model = _model()
    finally:
      tf_keras.mixed_precision.set_global_policy('float32')
    model.compile('sgd')
    history = model.fit(_data(23), verbose=0).history
    self.assertAllInRange(history['elbo'], -10., -1.)
    self.assertEqual(model.encoder(_data(2)).dtype, tf.float32)

  def test_other_regularizers_count_in_the_loss_only(self):
    model = _model()
    dense = tf_keras.layers.Dense(
        4, kernel_regularizer=tf_keras.regularizers.L2(3.0))
    posterior = model.encoder.layers[-1]
    encoder = tf_keras.Sequential([
        tf_keras.layers.Flatten(input_shape=_IMAGE), dense,
        tf_keras.layers.Dense(2 * _LATENT), posterior])
    model = tfvae.VAE(encoder, model.decoder)
    model.compile('sgd')
    means = model.evaluate(_data(9), return_dict=True, verbose=0)
    self.assertAllClose(
        means['loss'] + means['elbo'],
        3.0 * np.sum(np.float64(dense.kernel)**2), rtol=1e-5)

  def test_target_other_than_the_input(self):
    x, model = _data(11), _model()
    model.compile('sgd')
    target = 1 - x
    actual = model.evaluate(x, target, return_dict=True, verbose=0)
    noise = _noise(11, 0, 1)
    weights = _float64_weights(model)
    _, kl = _float64_elbo(weights, x, noise)
    # −log(1 − p) in place of −log p: flip the last layer's signs.
    flipped = weights[:-2] + [-weights[-2], -weights[-1]]
    reconstruction, _ = _float64_elbo(flipped, x, noise)
    self.assertAllClose(actual['kl'], kl.mean(), rtol=1e-5)
    self.assertAllClose(
        actual['reconstruction'], reconstruction.mean(), rtol=1e-5)


class PlainCompositionTest(tf.test.TestCase):

  def test_loss_is_minus_elbo(self):
    x, parts = _data(23), _model()
    # The seeds of a plain model are unknown, so the latents are means.
    with tfvae.layers.convert_with(tfd.Distribution.mean):
      inputs = tf_keras.layers.Input(_IMAGE)
      model = tf_keras.Model(inputs, parts.decoder(parts.encoder(inputs)))
      model.compile(tf_keras.optimizers.SGD(0.0),
                    loss=tfvae.NegativeLogLikelihood())
      reconstruction, kl = _float64_elbo(
          _float64_weights(parts), x, np.zeros((len(x), _LATENT)))
      dataset = tf.data.Dataset.from_tensor_slices((x, x)).batch(7)
      history = model.fit(dataset, verbose=0).history
      expected = np.mean(kl - reconstruction)
      self.assertAllClose(history['loss'][0], expected, rtol=1e-5)
      self.assertAllClose(
          model.evaluate(dataset, verbose=0), expected, rtol=1e-5)

  def test_trains(self):
    x, parts = _data(200), _model()
    inputs = tf_keras.layers.Input(_IMAGE)
    model = tf_keras.Model(inputs, parts.decoder(parts.encoder(inputs)))
    model.compile(tf_keras.optimizers.Adam(0.01),
                  loss=tfvae.NegativeLogLikelihood())
    losses = model.fit(x, x, epochs=10, verbose=0).history['loss']
    # Six independent pixels of probability 0.4 have 4.04 nats of entropy.
    self.assertLess(losses[-1], losses[0])
    self.assertAllClose(losses[-1], 4.04, atol=0.25)


class KerasModelTest(tf.test.TestCase, parameterized.TestCase):

  def test_predict_is_the_likelihood_mean_at_the_posterior_mean(self):
    x, model = _data(9), _model()
    w1, b1, w2, b2, v1, c1, v2, c2 = _float64_weights(model)
    mean = (np.tanh(x.reshape(9, -1) @ w1 + b1) @ w2 + b2)[:, :_LATENT]
    logits = np.tanh(mean @ v1 + c1) @ v2 + c2
    expected = (1 / (1 + np.exp(-logits))).reshape(x.shape)
    model.compile('sgd')
    self.assertAllClose(model.predict(x, verbose=0), expected, rtol=1e-5)
    self.assertAllClose(model(x).mean(), expected, rtol=1e-5)

  def test_evaluate_samples_and_repeats(self):
    model = _model()
    model.compile('sgd')
    first = model.evaluate(_data(23), verbose=0)
    self.assertEqual(first, model.evaluate(_data(23), verbose=0))
    model.seed += 1
    model.compile('sgd')
    self.assertNotEqual(first, model.evaluate(_data(23), verbose=0))

  def test_sample(self):
    model = _model()
    draws = model.sample(2000, seed=3).numpy()
    self.assertEqual(draws.shape, (2000, *_IMAGE))
    self.assertAllEqual(draws, model.sample(2000, seed=3))
    self.assertAllInSet(draws, [0., 1.])
    means = model.sample(2000, seed=3, mean=True).numpy()
    # Each pixel's frequency within 5 standard errors of its mean probability.
    self.assertAllClose(draws.mean(0), means.mean(0), atol=5 * 0.5 / 2000**.5)

  def test_saved_models_load_in_a_fresh_process_in_safe_mode(self):
    x, directory = _data(9), self.get_temp_dir()
    np.save(os.path.join(directory, 'x.npy'), x)
    parts = {'model': _model(), 'graph': _graph_model()}
    for model in parts.values():
      model.compile(tf_keras.optimizers.Adam(0.01), run_eagerly=True)
      model.fit(x, verbose=0)
    parts['encoder'] = parts['model'].encoder
    for name, part in parts.items():
      part.save(os.path.join(directory, f'{name}.keras'))
    code = (
        'import sys, numpy as np, tf_keras, tfvae\n'
        'directory, *names = sys.argv[1:]\n'
        'x = np.load(directory + "/x.npy")\n'
        'for name in names:\n'
        '  y = tf_keras.models.load_model(f"{directory}/{name}.keras")(x)\n'
        '  np.savez(f"{directory}/{name}.npz", mean=y.mean(),\n'
        '           stddev=y.stddev())\n')
    done = fresh_process.run(['-c', code, directory, *parts])
    self.assertEqual(done.returncode, 0, done.stderr)
    for name, part in parts.items():
      expected = part(x)
      with np.load(os.path.join(directory, f'{name}.npz')) as actual:
        self.assertAllEqual(actual['mean'], expected.mean())
        self.assertAllEqual(actual['stddev'], expected.stddev())

  def test_loaded_model_trains_on_as_the_one_that_was_saved(self):
    x, model = _data(30), _model(kl_weight=0.5)
    model.compile(tf_keras.optimizers.Adam(0.01), run_eagerly=True)
    model.fit(x, verbose=0, shuffle=False)
    path = os.path.join(self.get_temp_dir(), 'saved.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)
    for trained in (model, loaded):
      trained.fit(x, verbose=0, shuffle=False)
    for actual, expected in zip(
        loaded.get_weights(), model.get_weights(), strict=True):
      self.assertAllClose(actual, expected, rtol=1e-6)

  @parameterized.named_parameters(
      ('loss', dict(loss='mse'), 'own loss and metrics.*loss'),
      ('metrics', dict(metrics=['mse']), 'own loss and metrics.*metrics'))
  def test_compile_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      _model().compile('adam', **arguments)

  def test_encoder_without_a_regularizer_is_refused(self):
    parts = _model()
    with self.assertRaisesRegex(ValueError, 'exactly one KLDivergenceReg'):
      tfvae.VAE(parts.decoder, parts.decoder)


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
