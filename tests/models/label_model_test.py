"""A model that infers its label: training, files, exports."""

import os

from absl.testing import parameterized
import numpy as np
from scipy import special
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests import label_models
import tfvae
from tfvae import models
from tfvae import objectives
from tfvae.graph import GraphicalModel
from tfvae.models.steps.global_batch import GlobalBatch
from tfvae.serving.saved_model.signatures import signatures

tfd = tfp.distributions

_SHAPE, _CLASSES = (4, 4, 1), 3
_GRAPHS = {
    'm2': ('z:2', 'y|x; z|x,y', 'z; y; x|z,y'),
    'two_latents': ('a:2,z:2', 'a|x; y|x,a; z|x,a,y',
                    'z; y; a|z,y; x|a,z,y')}


def _model(name='m2', seed=0, **settings):
  tf_keras.utils.set_random_seed(seed)
  return models.image_vae(
      GraphicalModel.parse(*_GRAPHS[name]), _SHAPE, hidden_units=(8,),
      factor_units=(6,), num_classes=_CLASSES, **settings)


def _data(n=30):
  """Returns images and labels, a third of which are missing."""
  rng = np.random.default_rng(0)
  y = np.eye(_CLASSES, dtype=np.float32)[np.arange(n) % _CLASSES]
  y[::3] = 0
  y[::6] = np.nan
  return {'x': np.float32(rng.uniform(size=[n, *_SHAPE]) < 0.4), 'y': y}


class LabelModelTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(('m2', True), ('two_latents', False))
  def test_trains_and_is_restored(self, name, jit_compile):
    model, data = _model(name), _data()
    model.compile(
        'adam', jit_compile=jit_compile, objective=objectives.ELBO(0.5, 0.6))
    losses = model.fit(
        data, batch_size=10, epochs=15, verbose=0).history['loss']
    self.assertLess(losses[-1], losses[0])
    path = os.path.join(self.create_tempdir(), 'model.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)
    self.assertAllEqual(loaded.predict(data, verbose=0),
                        model.predict(data, verbose=0))
    self.assertAllClose(loaded.evaluate(data, verbose=0),
                        model.evaluate(data, verbose=0))
    self.assertEqual(loaded.get_compile_config()['objective']['config'],
                     {'classification_weight': 0.5, 'labeled_fraction': 0.6})

  def test_replicas_compute_what_one_device_computes(self):
    data = _data(20)
    values = []
    for strategy in (tf.distribute.OneDeviceStrategy('CPU:0'),
                     tf.distribute.MirroredStrategy(
                         ['CPU:0', 'CPU:1'],
                         # Collectives of two models in one process clash.
                         tf.distribute.ReductionToOneDevice())):
      replicas = strategy.num_replicas_in_sync

      def batch_fn(batch, replica_id, size=20 // replicas):
        start = size * replica_id
        rows = tf.nest.map_structure(
            lambda part: part[start:start + size], batch)
        return GlobalBatch(rows, tf.constant(0), start, 20)

      with strategy.scope():
        model = _model()
      model.compile('sgd', objective=objectives.ELBO(0.1, 0.5),
                    batch_fn=batch_fn)
      dataset = tf.data.Dataset.from_tensors(data).repeat()
      whole = strategy.distribute_datasets_from_function(
          lambda _, dataset=dataset: dataset)
      model.fit(whole, steps_per_epoch=2, verbose=0)
      values.append(model.get_weights())
    self.assertAllClose(*values, rtol=1e-4, atol=1e-5)

  def test_predicts_at_the_most_probable_class(self):
    model, data = _model(), _data()
    probabilities = model.label_posterior(data).probs_parameter().numpy()
    best = np.eye(_CLASSES)[probabilities.argmax(1)]
    y = np.nan_to_num(data['y'])
    complete = np.where(y.any(1, keepdims=True), y, best)
    self.assertAllClose(
        model.predict(data, verbose=0),
        model.predict({'x': data['x'], 'y': np.float32(complete)}, verbose=0))

  def test_signatures(self):
    model, data = _model('two_latents'), _data()
    functions = signatures(model)
    x = tf.constant(data['x'])
    zeros = tf.zeros([len(x), _CLASSES])
    found = functions['classify'](x=x)
    self.assertAllClose(found['probabilities'],
                        model.label_posterior(x).probs_parameter())
    self.assertAllEqual(found['label'], np.argmax(found['probabilities'], 1))
    self.assertEqual(found['label'].dtype, tf.int32)
    best = tf.one_hot(found['label'], _CLASSES)
    for name in ('encode', 'reconstruct'):
      for key, value in functions[name](x=x, y=zeros).items():
        self.assertAllClose(value, functions[name](x=x, y=best)[key])
    self.assertAllClose(functions['reconstruct'](x=x, y=zeros)['mean'],
                        model.predict(data['x'], verbose=0))
    seed = tf.reshape(tf.range(2 * len(x)), [-1, 2])
    scores = functions['score'](x=x, y=zeros, seed=seed)
    self.assertAllClose(
        scores['elbo'], scores['reconstruction'] - scores['kl'])
    nll = tfvae.evaluation.importance_weighted_nll(model, data['x'], 200)
    self.assertLess(scores['elbo'].numpy().mean(), -nll.mean)
    drawn = functions['generate'](seed=seed, y=zeros)['mean']
    self.assertGreater(np.ptp(drawn.numpy(), axis=0).max(), 0)
    given = functions['generate'](seed=seed, y=best)['mean']
    self.assertEqual(given.shape, [len(x), *_SHAPE])

  def test_score_is_the_elbo(self):
    model = label_models.label_vae('label_first')
    x = np.repeat(label_models.EVERY_X[3:4], 3000, axis=0)
    seed = np.random.default_rng(0).integers(0, 2**31, [3000, 2], np.int32)
    for y in (np.zeros(3), np.eye(3)[1]):
      elbo = signatures(model, ['score'])['score'](
          x=tf.constant(x), y=tf.constant(np.tile(y, [3000, 1]), tf.float32),
          seed=tf.constant(seed))['elbo'].numpy()
      expected = label_models.Reference(model).elbo(x[:1], y[np.newaxis])[0]
      error = elbo.std() / np.sqrt(len(elbo))
      self.assertLess(abs(elbo.mean() - expected) / error, 4)

  def test_plain_models_and_keras3(self):
    model, data = _model(), _data()
    y = np.eye(_CLASSES, dtype=np.float32)[np.arange(30) % _CLASSES]
    inputs = {'x': data['x'], 'y': y}
    expected = model.infer(inputs, tfd.Distribution.mean)
    encoder = models.encoder_model(model)
    outputs = encoder(inputs)
    self.assertAllClose(outputs['loc'], expected.latents['z'])
    self.assertAllClose(outputs['y_probabilities'],
                        model.label_posterior(inputs).probs_parameter())
    native = tfvae.serving.to_keras3(model)
    for name, value in native.encoder(inputs).items():
      self.assertAllClose(value, outputs[name], atol=1e-5)
    mean = native.decoder({'z': outputs['loc'].numpy(), 'y': y})
    self.assertAllClose(mean, model.predict(inputs, verbose=0), atol=1e-5)

  def test_tflite(self):
    model, data = _model(), _data()
    paths = tfvae.serving.export_tflite(model, self.create_tempdir().full_path)
    encode = tf.lite.Interpreter(paths['encode']).get_signature_runner()
    zeros = np.zeros([30, _CLASSES], np.float32)
    expected = model.infer(data['x'], tfd.Distribution.mean).latents['z']
    self.assertAllClose(
        encode(x=data['x'], y=zeros)['loc'], expected, atol=1e-5)

  def test_report(self):
    model, data = _model('two_latents'), _data()
    path = os.path.join(self.create_tempdir(), 'index.html')
    for inputs in (data, data['x']):
      tfvae.report.write_report(path, model, inputs)
      with open(path) as file:
        self.assertIn('y', file.read())

  @parameterized.parameters('iwae', 'beta_tc', 'info_vae')
  def test_objectives_without_a_sum_are_refused(self, objective):
    with self.assertRaisesRegex(ValueError, "use `objective='elbo'`"):
      _model().compile('sgd', objective=objective)

  def test_refusals(self):
    with self.assertRaisesRegex(ValueError, 'no factor of y'):
      _model(kl_controls={'free_bits': 0.1, 'free_bits_per': 'dimension'})
    model = _model()
    with self.assertRaisesRegex(ValueError, 'train it by its own `fit`'):
      model(_data(), training=True)
    with self.assertRaisesRegex(ValueError, 'needs the label'):
      model.decode({'z': tf.zeros([1, 2])}, tf.zeros([1, *_SHAPE]))
    plain = models.image_vae('z:2', _SHAPE, hidden_units=(4,))
    with self.assertRaisesRegex(ValueError, 'Only a graph in which y has'):
      plain.label_posterior(tf.zeros([1, *_SHAPE]))
    with self.assertRaisesRegex(ValueError, 'Make labels one-hot'):
      model.compile('sgd')
      model.fit({'x': _data()['x'], 'y': np.zeros([30])}, verbose=0)


class ClassificationTermTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(True, False)
  def test_adds_the_log_loss_of_labeled_examples(self, training):
    model, data = _model(), _data()
    seed = tf.constant([0, 1])
    values = [
        objectives.ELBO(weight, 0.25)(
            model, data, tf.constant(data['x']), seed, 1.0, training)
        for weight in (0.0, 0.2)]
    y = np.nan_to_num(data['y'])
    logits = model.label_posterior(data).logits_parameter().numpy()
    log_loss = -np.sum(y * special.log_softmax(np.float64(logits), 1), 1)
    self.assertAllClose(
        values[1]['objective'] - values[0]['objective'],
        0.2 / (0.25 if training else 1) * log_loss, rtol=1e-4, atol=1e-4)
    self.assertAllEqual(values[1]['elbo'], values[0]['elbo'])
    self.assertAllClose(values[0]['objective'], -values[0]['elbo'])

  @parameterized.parameters(
      ({'classification_weight': -1.0}, '`classification_weight` must be'),
      ({'labeled_fraction': 0.0}, '`labeled_fraction` must be'))
  def test_refuses_values(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      objectives.ELBO(**arguments)

  def test_kl_controls_apply_to_the_sum_over_classes(self):
    data, seed = _data(), tf.constant([0, 1])
    plain = _model()
    elbo = objectives.ELBO(0.0)
    parts = elbo(plain, data, tf.constant(data['x']), seed, 1.0, False)
    weighted = _model(kl_weight=0.5)
    objective = elbo(weighted, data, tf.constant(data['x']), seed, 1.0,
                     False)['objective']
    self.assertAllClose(objective, 0.5 * parts['kl'] - parts['reconstruction'],
                        rtol=1e-5)
    # Free bits far above the KL of z replace it; that of y stays.
    free = _model(kl_controls={'free_bits': 100.0})
    inference = free.infer_classes(data, tfvae.layers.SeededSample(seed))
    kl_of_y = inference.over_classes(inference.kl['y'])
    objective = elbo(free, data, tf.constant(data['x']), seed, 1.0,
                     False)['objective']
    self.assertAllClose(
        objective, 100 + kl_of_y - parts['reconstruction'], rtol=1e-5)


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
