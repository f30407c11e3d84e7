"""AutoGraph rewrites the layers of others, and no code of tfvae."""

from unittest import mock

import numpy as np
import tensorflow as tf
from tensorflow.python.autograph.impl import api
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae import serving

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tests')
class Negated(tf_keras.layers.Layer):
  """A layer with an `if` of a tensor, which only AutoGraph can trace."""

  def call(self, x):
    if tf.reduce_sum(x) > 0:
      return -x
    return x


class AutographTest(tf.test.TestCase):

  def test_layers_of_others_are_rewritten_and_those_of_tfvae_are_not(self):
    encoder = tf_keras.Sequential([
        tf_keras.layers.InputLayer(4), Negated(),
        tf_keras.layers.Dense(4),
        tfvae.layers.MultivariateNormalDiag(
            2, activity_regularizer=tfvae.KLDivergenceRegularizer(
                tfd.MultivariateNormalDiag(tf.zeros(2))))])
    decoder = tf_keras.Sequential([
        tf_keras.layers.InputLayer(2), tf_keras.layers.Dense(4),
        tfvae.layers.IndependentBernoulli(4)])
    model = tfvae.VAE(encoder, decoder)
    x = np.float32(np.random.default_rng(0).integers(0, 2, [20, 4]))
    model.compile(steps_per_execution=2)
    rewritten, convert = [], api._convert_actual

    def recorded(function, context):
      rewritten.append(f'{function.__module__}.{function.__qualname__}')
      return convert(function, context)

    with mock.patch.object(api, '_convert_actual', recorded):
      model.fit(x, batch_size=10, verbose=0)
      path = self.create_tempdir().full_path
      serving.export_saved_model(model, path)
    self.assertIn(f'{__name__}.Negated.call', rewritten)
    # Only what is given to a `tf.function` itself, which has two lines.
    self.assertLessEqual({name for name in rewritten
                          if name.startswith('tfvae.')},
                         {'tfvae.autograph.function.<locals>.call'})
    served = tf.saved_model.load(f'{path}/1').signatures['encode']
    for rows in (x, -x):
      self.assertAllClose(
          served(x=tf.constant(rows))['loc'],
          encoder(rows * (-1 if rows.sum() > 0 else 1)).mean(), rtol=1e-5)


if __name__ == '__main__':
  tf.test.main()
