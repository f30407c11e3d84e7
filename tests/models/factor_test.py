"""One factor of a graphical model against float64 NumPy."""

import json

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import priors
from tfvae.layers import MultivariateNormalDiag
from tfvae.models import Factor
from tfvae.models.factor import joined
from tfvae.regularizers import KLDivergenceRegularizer


def _values(*shapes):
  rng = np.random.default_rng(0)
  return [tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes]


def _mean_and_stddev(factor, h, activation):
  """μ and σ = exp(½ log σ²), in float64."""
  h = np.float64(h)
  weights = [np.float64(weight) for weight in factor.get_weights()]
  for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
    h = activation(h @ kernel + bias)
  mean, log_variance = np.split(h @ weights[-2] + weights[-1], 2, axis=-1)
  return mean, np.exp(log_variance / 2)


class FactorTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      units=[(), (7,), (5, 4)],
      activation=[('tanh', np.tanh), ('relu', lambda h: np.maximum(h, 0))])
  def test_equals_numpy(self, units, activation):
    name, function = activation
    factor = Factor(2, 5, units, name)
    factor.set_weights(
        [w.numpy() for w in _values(*(w.shape for w in factor.weights))])
    parents = _values([6, 3], [6, 2])
    distribution = factor.distribution(parents)
    mean, stddev = _mean_and_stddev(
        factor, tf.concat(parents, axis=-1), function)
    self.assertAllClose(distribution.mean(), mean, rtol=1e-4, atol=1e-5)
    self.assertAllClose(distribution.stddev(), stddev, rtol=1e-4)
    self.assertEqual(distribution.batch_shape, [6])
    self.assertEqual(distribution.event_shape, [2])

  def test_without_units_is_linear(self):
    """f(a + t (b − a)) = f(a) + t (f(b) − f(a)) for μ and for log σ²."""
    factor = Factor(2, 3, activation='relu')
    a, b = _values([1, 3], [1, 3])
    at_a, between, at_b = (
        np.concatenate([d.mean(), np.log(d.variance())], axis=-1)
        for d in (factor.distribution([h]) for h in (a, a + 0.3 * (b - a), b)))
    self.assertAllClose(between, at_a + 0.3 * (at_b - at_a), atol=1e-5)
    self.assertEqual([w.shape for w in factor.weights], [[3, 4], [4]])

  def test_parents_without_the_sample_shape_are_broadcast(self):
    factor = Factor(2, 6, [4])
    z, x, y = _values([3, 4, 5, 1], [5, 3], [4, 5, 2])
    distribution = factor.distribution([z, x, y])
    self.assertEqual(distribution.batch_shape, [3, 4, 5])
    for i, j in np.ndindex(3, 4):
      expected = factor.distribution([z[i, j], x, y[j]])
      self.assertAllClose(distribution.mean()[i, j], expected.mean(), atol=1e-6)
      self.assertAllClose(
          distribution.stddev()[i, j], expected.stddev(), atol=1e-6)

  def test_parents_without_a_batch(self):
    """As those of p(z_j|Pa(z_j)) are, when one z is drawn from p(z)."""
    factor = Factor(2, 3, [4])
    a, b = _values([2], [1])
    distribution = factor.distribution([a, b])
    expected = factor.distribution([a[np.newaxis], b[np.newaxis]])
    self.assertEqual(distribution.batch_shape, [])
    self.assertAllClose(distribution.mean(), expected.mean()[0], atol=1e-6)

  def test_rank_is_all_that_need_be_known_in_a_graph(self):
    factor = Factor(2, 3, [4])

    @tf.function(input_signature=[tf.TensorSpec([None, None, 1]),
                                  tf.TensorSpec([None, 2])])
    def mean(z, x):
      return factor.distribution([z, x]).mean()

    z, x = _values([7, 5, 1], [5, 2])
    self.assertAllClose(
        mean(z, x), factor.distribution([z, x]).mean(), atol=1e-6)

  def test_gradient_reaches_every_weight_and_parent(self):
    factor = Factor(2, 3, [4])
    parents = _values([5, 1], [5, 2])
    with tf.GradientTape() as tape:
      tape.watch(parents)
      log_prob = factor.distribution(parents).log_prob(tf.ones([5, 2]))
    self.assertLen(factor.trainable_weights, 4)
    for gradient in tape.gradient(
        log_prob, [*factor.trainable_weights, *parents]):
      self.assertGreater(np.abs(gradient).max(), 0)

  def test_prior_of_the_regularizer_is_tracked_once(self):
    prior = Factor(2, 1, name='prior')
    factor = Factor(MultivariateNormalDiag(
        2, activity_regularizer=KLDivergenceRegularizer(prior)), 3, [4])
    self.assertLen(factor.weights, 4 + 2)
    model = tf_keras.layers.Layer()
    model.parts = [prior, factor]
    self.assertLen(model.weights, 4 + 2)
    prior.trainable = False
    self.assertLen(model.trainable_weights, 4)

  @parameterized.parameters(
      2, MultivariateNormalDiag(2, 'mean', KLDivergenceRegularizer(
          priors.LearnedNormal(2), 0.5)))
  def test_config_is_plain_data(self, head):
    factor = Factor(head, 3, [5, 4], 'relu', name='q_z')
    config = json.loads(json.dumps(
        tf_keras.saving.serialize_keras_object(factor)))
    copy = tf_keras.saving.deserialize_keras_object(config, safe_mode=True)
    self.assertEqual(copy.get_config(), factor.get_config())
    self.assertEqual([w.shape for w in copy.weights],
                     [w.shape for w in factor.weights])
    copy.set_weights(factor.get_weights())
    [h] = _values([6, 3])
    self.assertAllEqual(copy.distribution([h]).mean(),
                        factor.distribution([h]).mean())

  def test_mixed_precision_computes_the_distribution_in_float32(self):
    tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
    try:
      factor = Factor(2, 3, [4])
    finally:
      tf_keras.mixed_precision.set_global_policy('float32')
    [h] = _values([6, 3])
    distribution = factor.distribution([h])
    self.assertEqual(distribution.dtype, tf.float32)
    mean, _ = _mean_and_stddev(factor, h, np.tanh)
    self.assertAllClose(distribution.mean(), mean, atol=0.05)

  @parameterized.parameters(0, -1)
  def test_refuses_a_size(self, size):
    with self.assertRaisesRegex(ValueError, f'event_size={size}'):
      Factor(size, 3)


class JoinedTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      ([[4, 2]],), ([[4, 2], [4, 1]],), ([[4, 2], [3, 4, 1]],),
      ([[3, 4, 1], [4, 2], [3, 4, 5]],), ([[5, 3, 4, 1], [3, 4, 2], [2]],),
      ([[2], [1]],))
  def test_equals_numpy(self, shapes):
    parents = _values(*shapes)
    leading = np.broadcast_shapes(*(shape[:-1] for shape in shapes))
    expected = np.concatenate([
        np.broadcast_to(parent, (*leading, parent.shape[-1]))
        for parent in parents], axis=-1)
    self.assertAllEqual(joined(parents), expected)


if __name__ == '__main__':
  tf.test.main()
