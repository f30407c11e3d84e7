"""DReG and GDReG on hierarchies: their means, their variances, closed forms."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tests import linear_gradients
from tests.linear_graphs import LinearModel
import tfvae
from tfvae.objectives import ImportanceWeighted

_IMAGE, _LATENTS = (2, 3, 1), 'z1:3,z2:2'
_LADDER = 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1'
_MODELS = {
    'two_layer': ('z1|x; z2|z1', 'z2; z1|z2; x|z1', {}),
    'ladder': (*_LADDER, {}),
    'precision_weighted': (*_LADDER, {'merging': 'precision_weighted'}),
    'conditional_vamp_prior': (
        'z2|x; z1|z2,x,y', 'z2; z1|z2,y; x|z1,y',
        {'prior': tfvae.priors.VampPrior(num_components=3)}),
    'ladder_of_flows': (*_LADDER, {
        'posterior': tfvae.layers.InverseAutoregressiveFlow(
            num_flows=1, hidden_units=(4,), context_size=2)}),
    'ladder_of_splines': (*_LADDER, {
        'posterior': tfvae.layers.NeuralSplineFlow(
            num_layers=1, num_bins=3, hidden_units=(4,), context_size=2)}),
}
_ESTIMATORS = {'iwae': (), 'dreg': (True,), 'gdreg': (True, True)}


def _model(name):
  """A model of which all weights have left their initial values."""
  tf_keras.utils.set_random_seed(2)
  inference, generative, settings = _MODELS[name]
  model = tfvae.models.image_vae(
      tfvae.graph.GraphicalModel.parse(_LATENTS, inference, generative),
      _IMAGE, 'mlp', (5,), factor_units=[4], num_classes=2, **settings)
  rng = np.random.default_rng(0)
  for weight in model.trainable_variables:
    weight.assign(1.5 * weight + rng.normal(0, 0.1, size=weight.shape))
  return model


def _inputs(model, n):
  x = np.float32(np.random.default_rng(n).random((n, *_IMAGE)) < 0.4)
  y = np.eye(2, dtype=np.float32)[np.arange(n) % 2]
  return {'x': x, 'y': y} if model.graph.is_conditional else x


@functools.cache
def _gradients(name, k, copies, count=100):
  """Gradients of all weights by each estimator with common draws, `[count, n]`.

  And which of them are q's alone.
  """
  model = _model(name)
  inputs = tf.nest.map_structure(
      lambda rows: np.repeat(rows, copies, axis=0), _inputs(model, 4))
  x, result = inputs['x'] if isinstance(inputs, dict) else inputs, {}
  weights = model.trainable_variables

  def gradients(objective, seed):
    with tf.GradientTape() as tape:
      values = objective(model, inputs, x, seed, 1.0, True)
      loss = tf.reduce_mean(values['objective'])
    return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(
        loss, weights)], axis=0)

  for estimator, arguments in _ESTIMATORS.items():
    compiled = tf.function(functools.partial(
        gradients, ImportanceWeighted(k, *arguments)))
    result[estimator] = np.float64(
        [compiled(tf.constant([3, index])) for index in range(count)])
  of_q = {v.ref() for part in (model.features, *(
      factor.network[index] for factor in model.inference_factors.values()
      for index in range(len(factor.network))))
          for v in part.trainable_variables}
  return result, np.concatenate(
      [np.full(v.shape.num_elements(), v.ref() in of_q) for v in weights])


class HierarchyTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(name=[*_MODELS], estimator=['dreg', 'gdreg'])
  def test_mean_is_that_of_the_plain_gradient(self, name, estimator):
    gradients, of_q = _gradients(name, 5, 100)
    score, of_weights = linear_gradients.scores(
        gradients[estimator] - gradients['iwae'])
    print(f'{score:.2f} standard errors, {np.abs(of_weights).max():.2f} of '
          f'{len(of_weights)} weights at most')
    self.assertLess(abs(score), 3)
    self.assertAllInRange(of_weights, -4.5, 4.5)
    # Errors small enough to see a gradient that is off by a tenth.
    for side in (of_q, ~of_q):
      mean = gradients['iwae'][:, side].mean(axis=0)
      error = gradients[estimator][:, side].std(axis=0) / 10
      self.assertLess(np.linalg.norm(error), 0.1 * np.linalg.norm(mean))

  @parameterized.parameters('two_layer', 'ladder')
  def test_variance_at_many_samples(self, name):
    gradients, of_q = _gradients(name, 50, 10)
    variances = {estimator: values[:, of_q].var(axis=0).sum()
                 for estimator, values in gradients.items()}
    print({estimator: value / variances['iwae']
           for estimator, value in variances.items()})
    self.assertLess(variances['dreg'], 0.8 * variances['iwae'])
    self.assertAllClose(variances['gdreg'], variances['dreg'], rtol=1e-3)

  @parameterized.parameters('two_layer', 'ladder', 'conditional_vamp_prior')
  def test_gradient_of_theta_is_plain_unless_priors_are_reparameterized(
      self, name):
    gradients, of_q = _gradients(name, 5, 100)
    plain, doubly, generalized = (
        gradients[estimator][:, ~of_q] for estimator in _ESTIMATORS)
    self.assertAllClose(doubly, plain, rtol=1e-4, atol=1e-5)
    self.assertGreater(np.abs(generalized - plain).max(), 0.01)


class ClosedFormTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.product(
      name=['bottom_up', 'top_down', 'conditional_prior'],
      estimator=['dreg', 'gdreg'])
  def test_exact_posterior(self, name, estimator):
    """The gradient is zero for φ, and that of log p(x) for θ, at any K."""
    linear = LinearModel(name, is_exact=True)
    data = linear.data(3)
    expected, is_q = linear_gradients.closed_form(
        linear, lambda linear: np.mean(linear.log_likelihood(data)))
    values = linear_gradients.estimates(
        linear, data, ImportanceWeighted(4, *_ESTIMATORS[estimator]),
        count=50, repeats=100)
    self.assertAllClose(expected[is_q], np.zeros(is_q.sum()), atol=1e-8)
    self.assertAllClose(
        values[:, is_q], np.zeros_like(values[:, is_q]), atol=1e-5)
    score, of_weights = linear_gradients.scores(
        values[:, ~is_q], expected[~is_q])
    print(f'{score:.2f}, at most {np.abs(of_weights).max():.2f}')
    self.assertLess(abs(score), 3)
    self.assertAllInRange(of_weights, -4.5, 4.5)

  def test_generalized_gradient_of_the_elbo(self):
    linear = LinearModel('skip_connection')
    data = linear.data(3)
    expected, _ = linear_gradients.closed_form(
        linear, lambda linear: np.mean(linear.elbo(data)))
    values = linear_gradients.estimates(
        linear, data, ImportanceWeighted(1, True, True), count=100, repeats=200)
    score, of_weights = linear_gradients.scores(values, expected)
    self.assertLess(abs(score), 3)
    self.assertAllInRange(of_weights, -4.5, 4.5)


if __name__ == '__main__':
  tf.test.main()
