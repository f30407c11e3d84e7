"""The posterior predictive of a model that infers its label, by quadrature."""

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tfvae.graph import GraphicalModel
from tfvae.inference import posterior_predictive
from tfvae.layers import SeededSample
from tfvae.models import image_vae

_CLASSES = 3


class MissingLabelTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.model = self._make('y|x; z|x,y')

  def _make(self, inference):
    tf_keras.utils.set_random_seed(0)
    graph = GraphicalModel.parse('z:1', inference, 'z; y; x|z,y')
    model = image_vae(
        graph, (3,), likelihood='normal', num_classes=_CLASSES, missing=True,
        hidden_units=(8,))
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
      weight.assign_add(rng.normal(0, 0.3, weight.shape))
    self.x = np.float32(rng.normal(size=[6, 3]))
    self.x[:, 2] = np.nan
    self.x[3:, 0] = np.nan
    return model

  def _by_quadrature(self, x):
    """Returns p(c|x_obs), `[classes]`, and E[x|x_obs], `[3]`, of one row."""
    z = np.linspace(-7, 7, 2001)
    prior = stats.norm.pdf(z)
    log_p = np.log(self.model.prior_factor('y', {}).probs_parameter())
    masses, means = [], []
    for c in range(_CLASSES):
      y = np.tile(np.eye(_CLASSES, dtype=np.float32)[c], [len(z), 1])
      likelihood = self.model.decode(
          {'z': np.float32(z[:, np.newaxis])}, {'y': y})
      mean = np.float64(likelihood.mean())
      scale = np.float64(likelihood.stddev())
      known = ~np.isnan(x)
      density = prior * np.exp(log_p[c]) * np.prod(stats.norm.pdf(
          x[known], mean[:, known], scale[:, known]), axis=1)
      masses.append(density.sum())
      means.append(density @ mean)
    return np.array(masses) / sum(masses), np.sum(means, axis=0) / sum(masses)

  # In the second graph, the draws of z are those of all classes.
  @parameterized.parameters('y|x; z|x,y', 'y|x; z|x')
  def test_draws_of_all_classes_have_the_weights_of_the_posterior(
      self, inference):
    self.model = self._make(inference)
    found = posterior_predictive(
        self.model, {'x': self.x}, SeededSample(tf.constant([0, 1]), 4000))
    weights = tf.reduce_sum(
        tf.reshape(found.weights, [6, _CLASSES, 4000]), axis=2)
    for row, of_classes, mean in zip(
        self.x, weights, found.mean(), strict=True):
      expected, expected_mean = self._by_quadrature(row)
      self.assertAllClose(of_classes, expected, atol=0.03)
      is_missing = np.isnan(row)
      self.assertAllClose(mean[is_missing], expected_mean[is_missing],
                          atol=0.05)

  def test_a_given_label_has_the_draws_of_its_class_alone(self):
    y = np.zeros([6, _CLASSES], np.float32)
    y[0, 1] = 1.
    found = posterior_predictive(
        self.model, {'x': self.x, 'y': y},
        SeededSample(tf.constant([0, 1]), 50))
    weights = tf.reduce_sum(
        tf.reshape(found.weights, [6, _CLASSES, 50]), axis=2)
    self.assertAllClose(weights[0], [0., 1., 0.])
    self.assertAllInRange(weights[1:], 1e-6, 1.)


if __name__ == '__main__':
  tf.test.main()
