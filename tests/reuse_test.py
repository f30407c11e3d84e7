"""Models load in a fresh process, and their encoders serve in other models."""

import os

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests.serving import reused_case
from tests.serving import served_case
from tfvae import layers
from tfvae import models
from tfvae import priors
from tfvae import regularizers

# For `reused_case`: loads in safe mode, after `import tfvae` and nothing else.
_PROGRAM = """
import functools
import os
import tf_keras
import tfvae

@functools.lru_cache(1)
def load_model(directory):
  return tf_keras.models.load_model(os.path.join(directory, 'model.keras'))

def load(path):
  directory, name = os.path.split(path)
  model = load_model(directory)

  def single(inputs):
    return inputs if len(inputs) > 1 else next(iter(inputs.values()))

  def log_prior(inputs):
    inputs = dict(inputs)
    given = {key: inputs.pop(key) for key in ('x', 'y')}
    return {name: model.log_prior(inputs, given)}

  return {
      'encode': lambda inputs: tfvae.models.encoder_model(model)(
          single(inputs)),
      'decode': lambda inputs: {'mean': tfvae.models.decoder_model(model)(
          single(inputs))},
      'log_prior': log_prior,
      'classify': lambda inputs: {'logits': model(single(inputs))},
  }[name]

compare(load)
"""


def _vae():
  """A VAE of vectors of 6 with a prior that is learned."""
  return models.VAE(
      tf_keras.Sequential([
          tf_keras.layers.Input([6]), tf_keras.layers.Dense(5, 'tanh'),
          tf_keras.layers.Dense(4), layers.MultivariateNormalDiag(
              2, activity_regularizer=regularizers.KLDivergenceRegularizer(
                  priors.LearnedNormal(2)))]),
      tf_keras.Sequential([tf_keras.layers.Input([2]), tf_keras.layers.Dense(6),
                           layers.IndependentBernoulli(6)]))


def _classifier(model):
  encoder = models.encoder_model(model)
  x = tf_keras.Input(encoder.input_shape[1:])
  return tf_keras.Model(x, tf_keras.layers.Dense(3)(encoder(x)['loc']))


class ReuseTest(tf.test.TestCase):

  def test_every_kind_of_model_loads_in_a_fresh_process(self):
    root, directories = self.create_tempdir().full_path, []
    for index, case in enumerate(served_case.COVERING_CASES):
      model, rows = served_case.make_model_and_rows(case)
      directories.append(os.path.join(root, str(index)))
      for name, parts in reused_case.inputs_and_outputs(model, rows).items():
        reused_case.save(directories[-1], name, *parts)
      given = {name: rows[name] for name in ('x', 'y')}
      latents = {name: rows[name] for name in model.graph.latent_names}
      reused_case.save(
          directories[-1], 'log_prior', latents | given,
          {'log_prior': model.log_prior(latents, given)})
      model.save(os.path.join(directories[-1], 'model.keras'))
    directories.append(os.path.join(root, 'classifier'))
    classifier, x = _classifier(_vae()), np.ones([2, 6], np.float32)
    reused_case.save(
        directories[-1], 'classify', {'x': x}, {'logits': classifier(x)})
    classifier.save(os.path.join(directories[-1], 'model.keras'))
    differences = reused_case.differences(_PROGRAM, directories)
    self.assertGreaterEqual(len(differences), 4 * len(directories[:-1]) + 1)
    for name, difference in differences.items():
      self.assertLess(difference, 1e-5, name)

  def test_a_frozen_encoder_stays_and_another_is_fine_tuned(self):
    x, y = np.eye(6, dtype=np.float32), np.arange(6) % 3
    for frozen in (True, False):
      model = _vae()
      classifier = _classifier(model)
      classifier.layers[1].trainable = not frozen
      before = [weight.numpy() for weight in model.weights]
      classifier.compile(
          'adam', tf_keras.losses.SparseCategoricalCrossentropy(True))
      classifier.fit(x, y, epochs=2, verbose=0)
      after = {weight.name: weight.numpy() for weight in model.weights}
      moved = {name for (name, new), old in zip(
          after.items(), before, strict=True) if not np.array_equal(new, old)}
      trained = [] if frozen else [
          weight.name for weight in models.encoder_model(model).weights]
      self.assertCountEqual(moved, trained)

  def test_holds_neither_the_prior_nor_its_loss(self):
    model = _vae()
    encoder = models.encoder_model(model)
    prior = {id(weight) for weight in model.prior.trainable_weights}
    self.assertNotEmpty(prior)
    self.assertEmpty(prior & {id(weight) for weight in encoder.weights})
    encoder(np.ones([2, 6], np.float32))
    self.assertEmpty(encoder.losses)

  def test_a_flow_is_fine_tuned_too(self):
    model = models.image_vae(
        'z:2', (4, 4, 1), hidden_units=(3,), posterior='iaf')
    encoder = models.encoder_model(model)
    with tf.GradientTape() as tape:
      loc = encoder(np.ones([2, 4, 4, 1], np.float32))['loc']
    gradients = tape.gradient(loc, encoder.trainable_weights)
    self.assertLen(gradients, len(model.features.weights) + len(
        model.inference_factors['z'].weights))
    self.assertNotIn(None, gradients)

  def test_refuses_networks_that_it_cannot_take_apart(self):
    model = _vae()
    with self.assertRaisesRegex(ValueError, 'Only a VAE or a GraphVAE'):
      models.encoder_model(model.encoder)
    with self.assertRaisesRegex(ValueError, "network 'mine' must end in"):
      models.decoder_model(models.VAE(
          model.encoder, tf_keras.Sequential([
              tf_keras.layers.Input([2]), tf_keras.layers.Dense(6),
              tfp.layers.IndependentBernoulli(6)], name='mine')))
    with self.assertRaisesRegex(ValueError, "'mine' .*: give it an Input"):
      models.decoder_model(models.VAE(
          model.encoder, tf_keras.Sequential([
              tf_keras.layers.Dense(6), layers.IndependentBernoulli(6)],
                                             name='mine')))


if __name__ == '__main__':
  tf.test.main()
