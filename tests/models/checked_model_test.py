"""Errors of bad data, callbacks and files, raised before any other effect."""

import copy
import functools
import os
import pickle
import re
import zipfile

from absl.testing import parameterized
import h5py
import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests.models import small_vae
from tests.models.small_vae import data
from tests.models.small_vae import labels
import tfvae

_MODELS = {'vae': small_vae.vae, 'graph_vae': small_vae.graph_vae}
_SHAPE = r'\[b, 2, 3, 1\]'

# Data of another shape, and the expected messages.
_MISSHAPEN = {
    'channel_axis': (lambda x: x[..., 0], r'channel axis.*\[b, 2, 3\]'),
    'flat': (lambda x: x.reshape(-1, 6), r'Reshape.*\[b, 6\]'),
    'channels_first': (
        lambda x: x.transpose(0, 3, 1, 2), r'channels last.*\[b, 1, 2, 3\]'),
    'other_size': (
        lambda x: np.zeros([3, 5, 5, 1]), r'Resize.*\[b, 5, 5, 1\]'),
    'no_batch': (lambda x: x[0], r'Received: float32 \[b, 3, 1\]'),
    'unbatched': (
        tf.data.Dataset.from_tensor_slices,
        r'dataset.batch\(100\).*\[2, 3, 1\]'),
    'key': (lambda x: {'image': x}, "'x': x}.*Received: {'image'"),
    'key_beside_x': (lambda x: {'x': x, 'label': x}, "Received: {'x'.*'label'"),
}


@functools.cache
def _compiled(name):
  """Returns a shared model, for tests that leave its weights unchanged."""
  model = _MODELS[name]()
  model.compile('sgd')
  return model


class ShapesTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(model=list(_MODELS), kind=list(_MISSHAPEN))
  def test_one_error_from_every_method(self, model, kind):
    model, (make, message) = _compiled(model), _MISSHAPEN[kind]
    for method in (model.fit, model.evaluate, model.predict):
      with self.assertRaisesRegex(ValueError, message) as caught:
        method(make(data(4)), verbose=0)
      self.assertRegex(str(caught.exception), _SHAPE)
      self.assertNotIn('in user code', str(caught.exception))

  @parameterized.product(
      model=list(_MODELS), as_dataset=[True, False], of=['class', 'one_hot'])
  def test_label_is_no_target(self, model, as_dataset, of):
    model, x = _compiled(model), data(6)
    y = labels(6) if of == 'one_hot' else np.arange(6)
    pair = ((tf.data.Dataset.from_tensor_slices((x, y)).batch(3),)
            if as_dataset else (x, y))
    for method in (model.fit, model.evaluate):
      with self.assertRaisesRegex(ValueError, f'target.*{_SHAPE}.*drop labels'):
        method(*pair, verbose=0)

  def test_labels_of_a_conditional_model(self):
    x, model = data(3), small_vae.graph_vae('conditional')
    model.compile('sgd')
    pairs = tf.data.Dataset.from_tensor_slices((x, labels(3))).batch(3)
    rows = tf.data.Dataset.from_tensor_slices(
        {'image': x, 'label': np.arange(3)}).batch(3)
    # As many labels as classes used to broadcast to `[b, b]`.
    for arguments, message in (
        (({'x': x, 'y': np.arange(3)},),
         r'tf.one_hot\(labels, 3\).*int64 \[[b3]\]'),
        ((x, labels(3)), "pass labels as {'x': x, 'y': tf.one_hot"),
        ((pairs,), "pass labels as {'x': x, 'y': tf.one_hot"),
        ((rows,), r"dataset.map.*Received: {'image': .*'label': int64 \[b\]"),
        (({'x': x},), "'y'.*Received: {'x'"),
        ((x,), "pass labels as")):
      for method in (model.fit, model.evaluate):
        with self.assertRaisesRegex(ValueError, message):
          method(*arguments, verbose=0)
    with self.assertRaisesRegex(ValueError, 'pass labels as'):
      model.predict(x, verbose=0)
    for inputs, message in (
        ({'y': np.array([0, 1, 2])}, r'tf.one_hot\(labels, 3\).*int64 \[3\]'),
        (labels(3), 'one-hot labels y'), ({'label': labels(3)}, "'label'"),
        ({'y': labels(2)}, 'a row for each sample')):
      with self.assertRaisesRegex(ValueError, message):
        model.sample(3, inputs=inputs)
    model.fit({'x': x, 'y': labels(3)}, verbose=0)

  @parameterized.parameters(0, -1, 1.5, None)
  def test_number_of_samples(self, n):
    with self.assertRaisesRegex(ValueError, f'positive.*n={n}'):
      small_vae.vae().sample(n)

  @parameterized.parameters(*_MODELS)
  def test_shapes_are_properties(self, model):
    model = _MODELS[model]()
    self.assertEqual(model.input_shape, (None, 2, 3, 1))
    self.assertEqual(model.output_shape, (None, 2, 3, 1))
    self.assertEqual(small_vae.graph_vae('conditional').input_shape, {
        'x': (None, 2, 3, 1), 'y': (None, 3)})


class ValuesTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(model=list(_MODELS), as_dataset=[True, False])
  def test_data_outside_the_support(self, model, as_dataset):
    model, x = _compiled(model), data(8)
    for bad in ((255 * x).astype(np.uint8), 0.5 * x, 2 * x - 1,
                np.where(np.arange(8).reshape(-1, 1, 1, 1) == 1, np.nan, x)):
      given = (tf.data.Dataset.from_tensor_slices(bad).batch(8)
               if as_dataset else bad)
      for method in (model.fit, model.evaluate):
        with self.assertRaisesRegex(
            ValueError, r'IndependentBernoulli takes.*check_data=False'):
          method(given, verbose=0)
      self.assertAllEqual(model.optimizer.iterations, 0)

  def test_target_of_a_pair(self):
    model, x = small_vae.vae(), data(8)
    model.compile('sgd', run_eagerly=True)
    model.fit(0.9 * x, x, verbose=0)  # A denoising autoencoder's.
    with self.assertRaisesRegex(ValueError, 'Received: x'):
      model.fit(x, 0.9 * x, verbose=0)
    with self.assertRaisesRegex(
        ValueError, r'finite.*inputs\[0, 0, 0, 0\] = inf'):
      model.fit(np.full_like(x, np.inf), x, verbose=0)

  def test_check_can_be_switched_off(self):
    model, x = small_vae.vae(), 0.5 * data(8)
    model.compile('sgd', check_data=False, run_eagerly=True)
    model.fit(x, verbose=0)
    path = os.path.join(self.get_temp_dir(), 'unchecked.keras')
    model.save(path)
    tf_keras.models.load_model(path).evaluate(x, verbose=0)

  @parameterized.parameters(1, 2)
  def test_under_mirrored_strategy(self, replicas):
    strategy = tf.distribute.MirroredStrategy(
        [f'CPU:{i}' for i in range(replicas)],
        cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
      model = small_vae.vae()
      model.compile('sgd')
    x = 0.5 * data(8)
    for given in (x, tf.data.Dataset.from_tensor_slices(x).batch(4)):
      with self.assertRaisesRegex(ValueError, 'IndependentBernoulli takes'):
        model.fit(given, verbose=0)
    with self.assertRaisesRegex(ValueError, 'channel axis'):
      model.fit(x[..., 0], verbose=0)


class ScaleTest(tf.test.TestCase, parameterized.TestCase):

  def _fit(self, scale, epochs):
    rng = np.random.default_rng(0)
    x = rng.normal(0, scale, [500, 6]).astype(np.float32)
    tf_keras.utils.set_random_seed(1)
    model = tfvae.VAE(
        tf_keras.Sequential([
            tf_keras.layers.Rescaling(1 / scale, input_shape=[6]),
            tf_keras.layers.Dense(4, kernel_initializer='zeros'),
            tfvae.layers.MultivariateNormalDiag(
                2, activity_regularizer=tfvae.KLDivergenceRegularizer(
                    tfvae.priors.StandardNormal(2)))]),
        tf_keras.Sequential([
            tf_keras.layers.Dense(6, 'tanh', input_shape=[2]),
            tf_keras.layers.Dense(6),
            tfvae.layers.IndependentNormal([6])]))
    model.compile(tf_keras.optimizers.Adam(0.01))
    model.evaluate(x, verbose=0)  # Traced with the scale as it is.
    model.fit(x, batch_size=50, epochs=epochs, verbose=0)
    return model, x

  def test_likelihood_begins_at_the_scale_of_the_data(self):
    scale = 1e3
    model, x = self._fit(scale, epochs=10)
    found = -model.evaluate(x, verbose=0, return_dict=True)['elbo'] / 6
    # The entropy of N(0, σ²), ½ log 2πe + log σ: 8.33 nats for σ = 1000. A
    # latent that explains nothing costs at most a few hundredths.
    optimum = 0.5 * np.log(2 * np.pi * np.e) + np.log(scale)
    self.assertNear(found, optimum, 0.05)

  def test_warns_when_the_bound_is_reached(self):
    with self.assertLogs('tfvae', 'WARNING') as logs:
      model, _ = self._fit(1.0, epochs=1)
      model.likelihood_layer().log_shared.assign(-5.9)
      model.compile(tf_keras.optimizers.SGD(0.0), run_eagerly=True)
      model.fit(np.zeros([4, 6], np.float32), verbose=0)
    self.assertRegex(logs.output[-1], 'scale of IndependentNormal.*lower bound')


class FirstBatchTest(tf.test.TestCase, parameterized.TestCase):

  def test_every_batch_is_given_once_and_in_order(self):
    seen, x = [], data(24).reshape(6, 4, *small_vae.IMAGE)

    def batches():
      for index, batch in enumerate(x):
        seen.append(index)
        yield batch

    spec = tf.TensorSpec([None, *small_vae.IMAGE])
    model, same = small_vae.vae(), small_vae.vae()
    model.compile('sgd', steps_per_execution=5)
    model.fit(tf.data.Dataset.from_generator(batches, output_signature=spec),
              steps_per_epoch=6, verbose=0)
    self.assertEqual(seen, list(range(6)))
    same.compile('sgd', check_data=False, run_eagerly=True)
    same.fit(x.reshape(24, *small_vae.IMAGE), batch_size=4, shuffle=False,
             verbose=0)
    for one, other in zip(
        model.get_weights(), same.get_weights(), strict=True):
      self.assertAllClose(one, other)

  def test_function_is_traced_once(self):
    model, traces = small_vae.vae(), []
    infer = model.infer
    model.infer = lambda *args, **kwargs: (
        traces.append(1), infer(*args, **kwargs))[1]
    model.compile('sgd')
    dataset = tf.data.Dataset.from_tensor_slices(data(8)).batch(
        4, drop_remainder=True)
    for _ in range(3):
      model.fit(dataset, epochs=2, verbose=0)
    self.assertLen(traces, 1)

  def test_generator_that_can_be_read_once(self):
    model = small_vae.vae()
    model.compile('sgd')
    model.fit((batch for batch in data(20).reshape(5, 4, *small_vae.IMAGE)),
              verbose=0)
    self.assertAllEqual(model.optimizer.iterations, 5)


class KerasTest(tf.test.TestCase, parameterized.TestCase):

  def test_bare_validation_data(self):
    model, x = small_vae.vae(), data(4)
    model.compile('sgd', run_eagerly=True)
    one = model.fit(x, validation_data=x, verbose=0).history
    self.assertAllClose(
        one['val_elbo'][0],
        model.evaluate(x, verbose=0, return_dict=True)['elbo'], rtol=1e-5)

  @parameterized.parameters('val_elbo', 'elbo', 'val_reconstruction')
  def test_callback_that_keeps_the_worst_epoch(self, monitor):
    model, x = small_vae.vae(), data(4)
    model.compile('sgd', run_eagerly=True)
    path = os.path.join(self.get_temp_dir(), 'best.keras')
    callbacks = tf_keras.callbacks
    for callback in (
        callbacks.EarlyStopping(monitor), callbacks.ReduceLROnPlateau(monitor),
        callbacks.ModelCheckpoint(path, monitor, save_best_only=True),
        callbacks.EarlyStopping(monitor, mode='min')):
      with self.assertRaisesRegex(ValueError, f"mode='max'.*{monitor}"):
        model.fit(x, validation_data=(x,), callbacks=[callback], verbose=0)
    model.fit(x, validation_data=(x,), verbose=0, callbacks=[
        callbacks.EarlyStopping(monitor, mode='max'),
        callbacks.ReduceLROnPlateau(monitor, mode='max'),
        callbacks.ModelCheckpoint(
            os.path.join(self.get_temp_dir(), '{val_loss:.1f}.keras'),
            monitor, mode='max', save_best_only=True),
        callbacks.EarlyStopping('val_loss')])

  def test_keras_3_objects(self):
    model, x = small_vae.vae(), data(4)
    schedule = keras.optimizers.schedules.PolynomialDecay(0., 2, 1.)
    for call in (
        lambda: model.compile(keras.optimizers.SGD()),
        lambda: model.compile('sgd', kl_schedule=schedule),
        lambda: model.fit(
            x, callbacks=[keras.callbacks.EarlyStopping('val_loss')]),
        lambda: tfvae.VAE(keras.Sequential([]), model.decoder),
        lambda: tfvae.VAE(model.encoder, keras.Sequential([])),
        lambda: tfvae.models.GraphVAE(
            tfvae.graph.GraphicalModel.parse('z:2'), keras.Sequential([]),
            model.decoder)):
      with self.assertRaisesRegex(ValueError, 'Keras 3.*import tf_keras'):
        call()

  def test_other_formats_leave_the_model_whole(self):
    model, x = small_vae.graph_vae(), data(4)
    model.compile('sgd', run_eagerly=True)
    before = model.predict(x, verbose=0)
    path = os.path.join(self.get_temp_dir(), 'directory')
    for call in (
        lambda: model.save(path), lambda: model.save(path + '.h5'),
        lambda: model.save(path, save_format='tf'),
        lambda: tf_keras.models.save_model(model, path),
        lambda: tf.saved_model.save(model, path),
        lambda: model.fit(x, verbose=0, callbacks=[
            tf_keras.callbacks.ModelCheckpoint(path)])):
      with self.assertRaisesRegex(ValueError, 'keras.*export_saved_model'):
        call()
    self.assertAllEqual(model.predict(x, verbose=0), before)
    model.fit(x, verbose=0)
    model.evaluate(x, verbose=0)
    self.assertEqual(model.sample(2).shape, (2, *small_vae.IMAGE))
    tfvae.serving.export_saved_model(model, path, batch_sizes=(1,))

  @parameterized.parameters(*_MODELS)
  def test_copies(self, model):
    model, x = _MODELS[model](), data(4)
    model.compile('sgd', run_eagerly=True)
    model.fit(x, verbose=0)
    expected = model.predict(x, verbose=0)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
      self.assertAllClose(copied.predict(x, verbose=0), expected)
    for made in (tf_keras.models.model_from_json(model.to_json()),
                 tf_keras.models.clone_model(model)):
      made.set_weights(model.get_weights())
      made.compile('sgd', run_eagerly=True)
      self.assertAllClose(made.predict(x, verbose=0), expected)

  def test_summary_counts_the_weights_of_factors(self):
    lines = []
    model = small_vae.graph_vae()
    model.summary(print_fn=lambda line, **kwargs: lines.append(line))
    text = '\n'.join(lines)
    self.assertNotIn('unused', text)
    self.assertRegex(text, r'q_z \(Factor\) +\S+ +20')  # 4 · 4 + 4

  def test_layer_of_tfp_as_posterior(self):
    tril = tfp.layers.MultivariateNormalTriL
    layer = tril(2, activity_regularizer=tfvae.KLDivergenceRegularizer(
        tfvae.priors.StandardNormal(2), use_exact_kl=False))
    model = tfvae.VAE(
        tf_keras.Sequential([
            tf_keras.layers.Flatten(input_shape=small_vae.IMAGE),
            tf_keras.layers.Dense(tril.params_size(2)), layer]),
        small_vae.decoder(input_shape=[2]))
    path = os.path.join(self.get_temp_dir(), 'tril.keras')
    with self.assertRaisesRegex(
        ValueError, 'tfvae.layers.*MultivariateNormalTriL'):
      model.save(path)
    self.assertFalse(os.path.exists(path))

  def test_decoders_that_do_not_fit(self):
    encoder = small_vae.encoder(input_shape=small_vae.IMAGE)
    dense = tf_keras.Sequential([tf_keras.layers.Dense(6, input_shape=[2])])
    with self.assertRaisesRegex(ValueError, 'likelihood layer.*Dense'):
      tfvae.VAE(encoder, dense)
    with self.assertRaisesRegex(ValueError, r'latents, 2 numbers.*\(None, 3\)'):
      tfvae.VAE(encoder, small_vae.decoder(input_shape=[3]))

  def test_half_precision_without_loss_scaling(self):
    self.addCleanup(tf_keras.mixed_precision.set_global_policy, 'float32')
    tf_keras.mixed_precision.set_global_policy('float16')
    with self.assertRaisesRegex(ValueError, 'use the policy mixed_float16'):
      small_vae.vae().compile('sgd')
    tf_keras.mixed_precision.set_global_policy('float32')
    model = tfvae.models.image_vae(
        'z:2', small_vae.IMAGE, dtype='mixed_float16')
    with self.assertRaisesRegex(ValueError, 'LossScaleOptimizer'):
      model.compile('sgd')
    model.compile(tf_keras.mixed_precision.LossScaleOptimizer(
        tf_keras.optimizers.SGD()))

  def test_accepts_none_as_loss_and_metrics(self):
    small_vae.vae().compile('sgd', loss=None, metrics=None)


class FilesTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters('vae', 'graph_vae')
  def test_weights_are_where_earlier_versions_have_them(self, model):
    model = (small_vae.vae(tfvae.layers.IndependentNormal(small_vae.IMAGE))
             if model == 'vae' else small_vae.graph_vae(likelihood='normal'))
    path = os.path.join(self.get_temp_dir(), 'model.keras')
    model.save(path)
    with zipfile.ZipFile(path) as file:
      file.extract('model.weights.h5', self.get_temp_dir())
    found = []
    with h5py.File(os.path.join(
        self.get_temp_dir(), 'model.weights.h5')) as weights:
      weights.visititems(lambda name, part: found.append(name) if hasattr(
          part, 'shape') else None)
    self.assertLen([name for name in found if re.fullmatch(
        r'layers/sequential(_1)?/layers/independent_normal/vars/0', name)], 1)


class DeferredTest(tf.test.TestCase, parameterized.TestCase):

  def test_networks_are_built_on_the_first_batch(self):
    x, model = data(8), tfvae.VAE(small_vae.encoder(), small_vae.decoder())
    model.compile('adam', jit_compile=True)
    with self.assertRaisesRegex(ValueError, 'no weights yet'):
      model.sample(2)
    model.fit(x, verbose=0)
    self.assertLen(model.trainable_variables, 4)
    self.assertEqual(model.input_shape, (None, *small_vae.IMAGE))
    path = os.path.join(self.get_temp_dir(), 'deferred.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)
    self.assertAllClose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0))


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
