"""Sample weights in `fit` and `evaluate`, against float64 NumPy."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tests.models import small_vae
from tests.models.small_vae import data
import tfvae

_X = data(7)
_WEIGHTS = np.float32([0., 1., 2.5, 0.3, 4., 1., 0.5])


def _parts(model, x, index, stream):
  """Returns float64 E_q[log p(x|z)] and KL of each row, at the model's draws.

  Args:
    model: Model of `small_vae.vae`.
    x: Rows of one replica.
    index: Number of the seed of these rows.
    stream: 0 in training, 1 in evaluation.
  """
  inference = model.infer(x, tfvae.layers.SeededSample(
      tf.constant([model.seed, 2 * index + stream])))
  (z,), (q,) = inference.latents.values(), inference.posteriors.values()
  z, mean, stddev = (np.float64(v) for v in (z, q.mean(), q.stddev()))
  kernel, bias = map(np.float64, model.decoder.get_weights())
  logits = z @ kernel + bias
  flat = x.reshape(len(x), -1).astype(np.float64)
  return ((flat * logits - np.log1p(np.exp(logits))).sum(axis=1),
          0.5 * (stddev**2 + mean**2 - 1 - 2 * np.log(stddev)).sum(axis=1))


class SampleWeightTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(as_dataset=[False, True])
  def test_reported_means(self, as_dataset):
    model = small_vae.vae()
    model.compile(tf_keras.optimizers.SGD(0.))
    arguments = dict(x=_X, sample_weight=_WEIGHTS, batch_size=3, shuffle=False)
    if as_dataset:
      arguments = dict(x=tf.data.Dataset.from_tensor_slices(
          (_X, _X, _WEIGHTS)).batch(3))
    trained = model.fit(verbose=0, **arguments).history
    arguments.pop('shuffle', None)
    evaluated = model.evaluate(verbose=0, return_dict=True, **arguments)
    for stream, figures in enumerate((trained, evaluated)):
      # Batches of 3, 3 and 1. An evaluation numbers them by their first row.
      reconstruction, kl = np.concatenate([
          _parts(model, _X[start:start + 3], start if stream else start // 3,
                 stream) for start in (0, 3, 6)], axis=1)
      for name, values in (
          ('reconstruction', reconstruction), ('kl', kl),
          ('elbo', reconstruction - kl), ('loss', kl - reconstruction)):
        self.assertAllClose(
            np.squeeze(figures[name]),
            np.average(values, weights=_WEIGHTS), rtol=1e-4, msg=name)

  @parameterized.parameters(1, 2)
  def test_gradient_step(self, replicas):
    strategy = tf.distribute.get_strategy() if replicas == 1 else (
        tf.distribute.MirroredStrategy(
            ['CPU:0', 'CPU:1'],
            # Collectives of two models in one process share keys, and clash.
            cross_device_ops=tf.distribute.ReductionToOneDevice()))
    with strategy.scope():
      model = small_vae.vae()
      model.compile(tf_keras.optimizers.SGD(1.))
    before = [w.numpy() for w in model.trainable_weights]
    bias = model.decoder.layers[0].bias.numpy()
    # log p(x|z) has the gradient x − σ(logits) with respect to the bias.
    expected, encoder = np.zeros(6), []
    for replica, rows in enumerate(np.array_split(np.arange(7), replicas)):
      seed = tf.constant([model.seed, 2 * replica])
      with tf.GradientTape() as tape:
        inference = model.infer(_X[rows], tfvae.layers.SeededSample(seed))
        z = inference.latents['z']
        logits = z @ model.decoder.layers[0].kernel + bias
        flat = _X[rows].reshape(len(rows), -1)
        nats = sum(inference.kl.values()) + tf.reduce_sum(
            tf.nn.sigmoid_cross_entropy_with_logits(flat, logits), axis=1)
        # Divided by the size of the global batch, not by the sum of weights.
        loss = tf.reduce_sum(_WEIGHTS[rows] * nats) / 7
      encoder.append(tape.gradient(loss, model.encoder.trainable_weights))
      expected += (_WEIGHTS[rows, np.newaxis] * (
          1 / (1 + np.exp(-np.float64(logits))) - flat)).sum(axis=0) / 7
    model.fit(tf.data.Dataset.from_tensor_slices(
        (_X, _X, _WEIGHTS)).batch(7), verbose=0)
    self.assertAllClose(
        model.decoder.layers[0].bias, bias - expected, rtol=1e-4, atol=1e-5)
    for old, new, *gradients in zip(
        before, model.encoder.trainable_weights, *encoder, strict=False):
      self.assertAllClose(new, old - sum(gradients), rtol=1e-4, atol=1e-5)

  @parameterized.parameters(
      (np.ones([7, 2]), r'shape \[b\]'), (-_WEIGHTS, 'at least 0.*-1'),
      (_WEIGHTS * np.nan, 'finite.*nan'))
  def test_bad_weights_are_refused(self, weights, message):
    model = small_vae.vae()
    model.compile('sgd')
    for method in (model.fit, model.evaluate):
      with self.assertRaisesRegex(ValueError, message):
        method(_X, sample_weight=weights, verbose=0)

  @parameterized.parameters(
      dict(objective='beta_tc'), dict(objective='info_vae'),
      dict(free_bits=1.))
  def test_objectives_of_whole_batches_are_refused(
      self, objective=None, free_bits=0.):
    model = small_vae.vae()
    model.kl_regularizers['z'].free_bits = free_bits
    model.compile('sgd', objective=objective)
    with self.assertRaisesRegex(ValueError, 'sum over examples'):
      model.fit(_X, sample_weight=_WEIGHTS, verbose=0)

  def test_class_weights_are_refused(self):
    model = small_vae.vae()
    model.compile('sgd')
    with self.assertRaisesRegex(ValueError, 'pass `sample_weight`'):
      model.fit(_X, class_weight={0: 2.}, verbose=0)


if __name__ == '__main__':
  tf.test.main()
