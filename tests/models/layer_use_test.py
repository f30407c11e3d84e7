"""A VAE as a layer of another model, or in a loop of one's own: −ELBO."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tests.models import small_vae
from tests.models.small_vae import data
import tfvae

_MODELS = {'vae': small_vae.vae, 'graph_vae': small_vae.graph_vae}


def _outer(model, kind):
  if kind == 'sequential':
    return tf_keras.Sequential([tf_keras.Input(small_vae.IMAGE), model])
  x = tf_keras.Input(small_vae.IMAGE)
  return tf_keras.Model(x, model(x))


class LayerUseTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      ('vae', 'functional'), ('graph_vae', 'sequential'))
  def test_loss_is_the_negative_elbo(self, model, kind):
    # Many equal examples, so that the mean over them is that over draws of z.
    model, x = _MODELS[model](), np.repeat(data(1), 4000, axis=0)
    model.set_weights([4 * weight for weight in model.get_weights()])
    outer = _outer(model, kind)
    outer.compile(tf_keras.optimizers.SGD(0.0),
                  loss=tfvae.NegativeLogLikelihood())
    loss, = outer.fit(x, x, batch_size=4000, verbose=0).history['loss']
    elbo = tfvae.evaluation.elbo(
        model, tf.data.Dataset.from_tensors(x)).elbo
    kl = model.infer(x[:1], lambda q: q.mean()).kl['z'].numpy()[0]
    self.assertGreater(kl, 5 * elbo.standard_error)  # It would be missed.
    self.assertAllClose(
        loss, -elbo.mean, atol=5 * np.sqrt(2) * elbo.standard_error)

  @parameterized.parameters(*_MODELS)
  def test_own_loop(self, model):
    model, x = _MODELS[model](), data(50)
    with tf.GradientTape() as tape:
      model(x, training=True)
      kl = tf.add_n(model.losses)
    expected = model.infer(x, lambda q: q.mean()).kl['z']
    self.assertAllClose(kl, tf.reduce_mean(expected), rtol=1e-5)
    self.assertNotIn(
        None, tape.gradient(kl, model.trainable_variables[:2]))
    # What it left has no part in a step of the model's own.
    model.compile(tf_keras.optimizers.SGD(0.0), run_eagerly=True)
    logs = model.train_on_batch(x, return_dict=True)
    self.assertAllClose(logs['loss'], -logs['elbo'], rtol=1e-5)

  def test_losses_that_a_user_adds_are_counted_once(self):
    model, x = small_vae.vae(), data(4)
    model.add_loss(lambda: 100.0 * tf.reduce_sum(tf.ones([])))
    model.encoder.add_loss(lambda: tf.constant(10.0))
    model.compile(tf_keras.optimizers.SGD(0.0))
    logs = model.fit(x, verbose=0).history
    self.assertAllClose(logs['loss'][0], 110.0 - logs['elbo'][0], rtol=1e-5)


if __name__ == '__main__':
  tf.test.main()
