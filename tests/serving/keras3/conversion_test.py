"""Keras 3 models give what their originals give, where only Keras is there."""

import importlib.util
import os
import tempfile

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tests.incomplete_rows import rows_of_table
from tests.incomplete_rows import table_vae
from tests.serving import reused_case
from tests.serving import served_case
from tfvae import layers
from tfvae import models
from tfvae import priors
from tfvae import regularizers
from tfvae.serving.keras3.conversion import to_keras3

# For `reused_case`: loads the files of `Keras3Models.save`.
_PROGRAM = """
for name in ('tfvae', 'tf_keras', 'tensorflow_probability'):
  sys.modules[name] = None  # As if it were not installed.
import keras

assert keras.backend.backend() == {backend!r}

def load(path):
  model = keras.models.load_model(path + 'r.keras')  # An encoder or decoder.

  def run(inputs):
    if len(inputs) == 1:
      inputs, = inputs.values()
    outputs = model.predict(inputs, batch_size=64, verbose=0)
    return outputs if isinstance(outputs, dict) else {{'mean': outputs}}
  return run

compare(load)
"""


def _vae(layer):
  """A VAE of vectors of 6 whose encoder begins with this layer."""
  return models.VAE(
      tf_keras.Sequential([
          tf_keras.layers.Input([6]), layer, tf_keras.layers.Dense(4),
          layers.MultivariateNormalDiag(
              2, activity_regularizer=regularizers.KLDivergenceRegularizer(
                  priors.LearnedNormal(2)))]),
      tf_keras.Sequential([tf_keras.layers.Input([2]), tf_keras.layers.Dense(6),
                           layers.IndependentBernoulli(6)]))


class Keras3Test(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    """Saves models of every kind, with what they give."""
    super().setUpClass()
    root = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.directories = []
    for index, case in enumerate(served_case.COVERING_CASES):
      model, rows = served_case.make_model_and_rows(case)
      cls.directories.append(os.path.join(root, str(index)))
      to_keras3(model).save(cls.directories[-1])
      for name, parts in reused_case.inputs_and_outputs(model, rows).items():
        reused_case.save(cls.directories[-1], name, *parts)

  @parameterized.parameters('tensorflow', 'jax')
  def test_loads_where_only_keras_is_installed(self, backend):
    if not importlib.util.find_spec(backend):
      self.skipTest(f'{backend} is not installed.')
    # JAX, which compiles for long, has every other model.
    directories = self.directories[::2 if backend == 'jax' else 1]
    differences = reused_case.differences(
        _PROGRAM.format(backend=backend), directories, **(
            {'KERAS_BACKEND': backend} if backend == 'jax' else {}))
    self.assertGreaterEqual(len(differences), 3 * len(directories))
    for name, difference in differences.items():
      self.assertLess(difference, 1e-5, name)

  def test_a_vae_of_networks_of_ones_own(self):
    model = _vae(tf_keras.layers.Dense(8, 'tanh', name='mine'))
    converted = to_keras3(model)
    x = tf.random.stateless_uniform([5, 6], [0, 1])
    q = model.infer(x, lambda q: q.mean()).posteriors['z']
    self.assertAllClose(converted.encoder(x)['loc'], q.mean(), atol=1e-6)
    self.assertAllClose(
        converted.encoder(x)['scale_diag'], q.stddev(), atol=1e-6)
    self.assertAllClose(
        converted.decoder(q.mean()), model(x).mean(), atol=1e-6)
    self.assertEqual(converted.encoder.get_layer('mine').units, 8)

  def test_a_vae_of_vectors_in_units_of_their_own(self):
    x = np.float32([5, 0, 1000, 0] + [1, 10, 100, .1] * np.random.default_rng(
        0).normal(size=[20, 4]))
    model = models.image_vae(
        'z:2', (4,), likelihood='normal', hidden_units=(8,),
        moments=(x.mean(axis=0), x.std(axis=0)))
    converted = to_keras3(model)
    q = model.infer(x, lambda q: q.mean()).posteriors['z']
    self.assertAllClose(converted.encoder(x)['loc'], q.mean(), atol=1e-5)
    self.assertAllClose(converted.decoder(q.mean()), model(x).mean(), rtol=1e-5)

  @parameterized.parameters('table', 'image')
  def test_a_vae_of_missing_values(self, kind):
    if kind == 'table':
      model, (_, x) = table_vae(), rows_of_table(20)
    else:
      model = models.image_vae('z:2', (4, 4, 1), network='conv',
                               hidden_units=(3,), missing=True)
      x = np.where(np.random.default_rng(0).random([5, 4, 4, 1]) < 0.5,
                   np.float32(np.nan), np.float32(1))
    found = to_keras3(model).encoder(x)
    self.assertAllClose(
        found['loc'], model.posterior_factor(
            'z', model.inference_values(x)).mean(), atol=1e-5)

  def test_half_precision_becomes_float32(self):
    self.addCleanup(tf_keras.mixed_precision.set_global_policy, 'float32')
    converted = {}
    for policy in ('mixed_bfloat16', 'float32'):
      tf_keras.mixed_precision.set_global_policy(policy)
      tf_keras.utils.set_random_seed(0)
      converted[policy] = to_keras3(models.image_vae('z:3', (4, 4, 1))).encoder
    x = tf.random.stateless_uniform([5, 4, 4, 1], [0, 1])
    mixed, full = (encoder(x)['loc'] for encoder in converted.values())
    self.assertDTypeEqual(mixed, 'float32')
    self.assertAllClose(mixed, full, atol=1e-6)

  def test_refuses_what_means_something_else_in_keras_3(self):
    model = _vae(tf_keras.layers.Dense(8, 'hard_sigmoid'))
    with self.assertRaisesRegex(ValueError, 'something else for the encoder'):
      to_keras3(model)

  def test_refuses_a_layer_of_ones_own(self):
    model = _vae(tf_keras.layers.Lambda(tf.abs, name='mine'))
    with self.assertRaisesRegex(ValueError, "no layer like 'mine'"):
      to_keras3(model)


if __name__ == '__main__':
  tf.test.main()
