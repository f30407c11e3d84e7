"""The variational autoencoder of TFP's notebook: `tfp.layers` and `fit`.

https://www.tensorflow.org/probability/examples/Probabilistic_Layers_VAE: a
`MultivariateNormalTriL` with a `KLDivergenceRegularizer`, which counts the KL
twice, and an `IndependentBernoulli`. Two things differ: the widths, and white
pixels are ones, because `image < uniform` in the notebook inverts the digits.
"""

from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds
import tensorflow_probability as tfp
import tf_keras

from benchmarks.peers import mnist
from benchmarks.peers.score import score
from benchmarks.peers.tuned_batches import tuned_batches
from benchmarks.peers.watch import Watch
from benchmarks.peers.watch import watched_fit

tfd, tfpl, tfkl = tfp.distributions, tfp.layers, tf_keras.layers

_LATENT_SIZE = 50
# Arguments of `compile`, and whether the pipeline is tuned, by form.
_FORMS = {
    'as written': ({}, False),
    'XLA, 50 steps': ({'jit_compile': True, 'steps_per_execution': 50}, True),
}


def train(case: dict[str, Any], form: str, watch: Watch) -> dict[str, float]:
  """Trains the peer and returns its scores; see `process`."""
  tf_keras.utils.set_random_seed(0)
  settings, is_tuned = _FORMS[form]
  encoder, decoder = _networks(case['model'])
  model = tf_keras.Model(encoder.inputs, decoder(encoder.outputs[0]))
  model.compile(tf_keras.optimizers.Adam(1e-3),
                loss=lambda x, likelihood: -likelihood.log_prob(x), **settings)
  batches = (tuned_batches(case).map(lambda x: (x, x)) if is_tuned
             else _notebook_batches(case))
  fit = watched_fit(
      tf_keras.Model.fit, tf_keras.callbacks.Callback, watch, case['images'])
  fit(model, batches, epochs=case['epochs'], verbose=0)

  def posterior(x):
    q = encoder(x)
    return q.mean(), q.scale.to_dense()

  return score(
      mnist.binary_test_images(case), posterior,
      lambda z: decoder(z).distribution.logits_parameter())


def _notebook_batches(case: dict[str, Any]) -> tf.data.Dataset:
  """Returns the batches of the notebook, from a map over single images."""
  def preprocess(sample):
    image = tf.cast(sample['image'], tf.float32) / 255.
    image = tf.random.uniform(tf.shape(image)) < image
    return image, image

  return (tfds.load('mnist', split=f'train[:{case["images"]}]',
                    data_dir=case['data_dir'])
          .map(preprocess).batch(case['batch_size'])
          .prefetch(tf.data.AUTOTUNE).shuffle(10_000))


def _networks(kind: str) -> tuple[tf_keras.Model, tf_keras.Model]:
  prior = tfd.Independent(
      tfd.Normal(tf.zeros(_LATENT_SIZE), 1), reinterpreted_batch_ndims=1)
  posterior = [
      tfkl.Dense(tfpl.MultivariateNormalTriL.params_size(_LATENT_SIZE)),
      tfpl.MultivariateNormalTriL(
          _LATENT_SIZE,
          activity_regularizer=tfpl.KLDivergenceRegularizer(prior))]
  if kind == 'mlp':
    features = [tfkl.Flatten(), *_dense(2)]
    decoder = [*_dense(2), tfkl.Dense(784)]
  else:
    features = [*(tfkl.Conv2D(filters, 3, strides=2, padding='same',
                              activation='relu') for filters in (32, 64)),
                tfkl.Flatten()]
    decoder = [tfkl.Dense(7 * 7 * 64, activation='relu'),
               tfkl.Reshape((7, 7, 64)),
               *(tfkl.Conv2DTranspose(filters, 3, strides=2, padding='same',
                                      activation='relu')
                 for filters in (64, 32)),
               tfkl.Conv2D(1, 3, padding='same'), tfkl.Flatten()]
  likelihood = tfpl.IndependentBernoulli((28, 28, 1), tfd.Bernoulli.logits)
  cast = tfkl.Lambda(lambda x: tf.cast(x, tf.float32))
  return (tf_keras.Sequential([tfkl.InputLayer((28, 28, 1)), cast, *features,
                               *posterior]),
          tf_keras.Sequential([tfkl.InputLayer([_LATENT_SIZE]), *decoder,
                               likelihood]))


def _dense(depth: int) -> list[tf_keras.layers.Layer]:
  return [tfkl.Dense(200, activation='tanh') for _ in range(depth)]
