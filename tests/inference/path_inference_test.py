"""Log-ratios without scores: their values, and gradients in closed form."""

from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.linear_graphs import GRAPHS
from tests.linear_graphs import LinearModel
from tests.models import small_vae
from tfvae.inference.path_inference import along
from tfvae.layers import SeededSample

_SEED, _DRAWS = [7, 4], 5


def _log_weights(linear, data, along_paths, **arguments):
  """Returns log w of draws, `[5, b]`."""
  model, inputs = linear.model, linear.inputs(data)
  infer = model.infer_along_paths if along_paths else model.infer
  inference = infer(inputs, SeededSample(_SEED, _DRAWS), **arguments)
  return inference.log_weights(
      model.log_likelihood(inference.latents, data['x'], inputs))


class AlongTest(tf.test.TestCase):

  def test_gradient_is_through_the_latents_alone(self):
    z = tf.constant([[1.0, 2.0], [-1.0, 0.5]])
    w = np.array([3.0, -2.0])
    weight = tf.Variable(w, dtype=tf.float32)
    with tf.GradientTape() as tape:
      tape.watch(z)
      a, b = 2 * z, z**2
      value = along(lambda v: tf.reduce_sum(  # Σ_d w_d a_d² b_d
          weight * v['a']**2 * v['b'], axis=-1), {'a': a, 'b': b})
    self.assertAllClose(value, np.sum(4 * w * z.numpy()**4, axis=-1))
    of_z, of_weight = tape.gradient(value, [z, weight])
    self.assertAllClose(of_z, 16 * w * z.numpy()**3)
    self.assertIsNone(of_weight)


class ExactPosteriorTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(name=[*GRAPHS], reparameterize_priors=[False, True])
  def test_gradient_to_q_vanishes_at_each_draw(
      self, name, reparameterize_priors):
    linear = LinearModel(name, is_exact=True)
    data = linear.data(4)
    weights = [v for factor in linear.model.inference_factors.values()
               for v in factor.trainable_variables]
    # A sum with random factors vanishes only if each summand does.
    factors = np.random.default_rng(0).normal(size=[_DRAWS, 4])
    sizes = {}
    for along_paths in (False, True):
      arguments = {'reparameterize_priors': reparameterize_priors} if (
          along_paths) else {}
      with tf.GradientTape() as tape:
        log_weights = _log_weights(linear, data, along_paths, **arguments)
        total = tf.reduce_sum(np.float32(factors) * log_weights)
      # Each importance weight is p(x).
      self.assertAllClose(
          log_weights, np.tile(linear.log_likelihood(data), [_DRAWS, 1]),
          atol=1e-4)
      sizes[along_paths] = max(
          np.abs(g).max() for g in tape.gradient(total, weights))
    self.assertLess(sizes[True], 1e-3)
    self.assertGreater(sizes[False], 0.1)

  @parameterized.parameters('bottom_up', 'top_down', 'three_conditional')
  def test_values_are_those_of_infer(self, name):
    linear = LinearModel(name)
    data = linear.data(4)
    for every in (False, True):
      self.assertAllClose(
          _log_weights(linear, data, True, reparameterize_priors=every),
          _log_weights(linear, data, False), rtol=1e-5)


class SharedWeightsTest(tf.test.TestCase):

  def test_both_scores_are_replaced_where_q_contains_the_prior(self):
    # Evidence without precision leaves q(z1|z2,x) = p(z1|z2).
    model = small_vae.graph_vae(
        'ladder', latents='z1:3,z2:2', merging='precision_weighted')
    evidence = model.inference_factors['z1'].network[-1]
    evidence.set_weights([0 * evidence.get_weights()[0],
                          np.repeat([0.0, 12.0], 3)])
    self.assertTrue(model.posterior_has_prior('z1'))
    self.assertFalse(model.posterior_has_prior('z2'))
    weights = model.priors['z1'].trainable_variables
    with tf.GradientTape(persistent=True) as tape:
      inference = model.infer_along_paths(
          small_vae.data(4), SeededSample(_SEED, _DRAWS))
      log_ratio = tf.reduce_sum(inference.log_ratio())
      log_prior = tf.reduce_sum(
          inference.priors['z1'].log_prob(inference.latents['z1']))
    sizes = [max(np.abs(g).max() for g in tape.gradient(total, weights))
             for total in (log_ratio, log_prior)]
    self.assertLess(sizes[0], 0.01 * sizes[1])

  def test_the_network_of_x_runs_once(self):
    model = small_vae.graph_vae('ladder', latents='z1:3,z2:2')
    features = model.features
    with mock.patch.object(
        type(features), '__call__', autospec=True,
        side_effect=type(features).__call__) as calls:
      model.infer_along_paths(small_vae.data(4), SeededSample(_SEED, _DRAWS))
    self.assertLen(
        [call for call in calls.call_args_list if call.args[0] is features], 1)


if __name__ == '__main__':
  tf.test.main()
