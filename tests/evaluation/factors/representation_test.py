"""Labels read off codes of which it is known how well that can be done."""

import warnings

from absl.testing import parameterized
import numpy as np
from sklearn.linear_model import LogisticRegression
import tensorflow as tf
import tf_keras

from tests.linear_gaussian import LinearGaussian
from tfvae import models
from tfvae.evaluation.factors.representation import posterior_means
from tfvae.evaluation.factors.representation import representation_accuracy
from tfvae.evaluation.factors.representation import why_not
from tfvae.graph import GraphicalModel


class PosteriorMeansTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(True, False)
  def test_are_those_of_the_closed_form(self, jit_compile):
    exact = LinearGaussian(factor=3.0, shift=0.5)
    means = posterior_means(
        exact.model, exact.dataset(7, batch_size=3), jit_compile)
    self.assertEqual(list(means), ['z'])
    self.assertAllClose(
        means['z'], exact.posterior_mean(exact.draw(7)) + 0.5, atol=1e-5)

  def test_come_by_name_and_given_the_parents_means(self):
    tf_keras.utils.set_random_seed(0)
    graph = GraphicalModel.parse(
        'z1:3,z2:2', 'z1|x; z2|z1,y', 'z2|y; z1|z2; x|z1')
    model = models.image_vae(
        graph, (2, 2, 1), 'mlp', (5,), (4,), 'tanh', 3)
    rng = np.random.default_rng(0)
    inputs = {'x': (rng.random((5, 2, 2, 1)) < 0.5).astype(np.float32),
              'y': np.eye(3, dtype=np.float32)[[0, 2, 1, 1, 0]]}
    means = posterior_means(
        model, tf.data.Dataset.from_tensor_slices(inputs).batch(5),
        jit_compile=False)
    self.assertEqual(set(means), {'z1', 'z2'})
    # z2's factor by hand: one tanh layer of (E[z1|x], y), then μ first.
    w1, b1, w2, b2 = model.inference_factors['z2'].get_weights()
    hidden = np.tanh(np.concatenate([means['z1'], inputs['y']], 1) @ w1 + b1)
    self.assertAllClose(means['z2'], (hidden @ w2 + b2)[:, :2], atol=1e-5)


def _codes(n, seed, scales=(1.0, 1.0)):
  """Four classes, two to each dimension, well apart."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(4, size=n)
  corners = np.array([[-3, -3], [-3, 3], [3, -3], [3, 3]])
  return (corners[labels] + rng.normal(size=(n, 2))) * scales, labels


class RepresentationAccuracyTest(tf.test.TestCase, parameterized.TestCase):

  def test_of_separable_codes(self):
    """A corner's Gaussian leaves its quadrant with probability 0.27 %."""
    accuracy = representation_accuracy(*_codes(400, 0), *_codes(2000, 1))
    for name in 'linear_probe_accuracy', 'knn_accuracy':
      self.assertGreater(accuracy[name], 0.985)

  def test_of_codes_that_know_nothing(self):
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(400, 3)), rng.normal(size=(2000, 3))
    accuracy = representation_accuracy(
        train, rng.integers(4, size=400), test, rng.integers(4, size=2000))
    error = np.sqrt(0.25 * 0.75 / 2000)
    for name in 'linear_probe_accuracy', 'knn_accuracy':
      self.assertLess(abs(accuracy[name] - 0.25), 5 * error)

  def test_of_classes_that_no_line_parts(self):
    """Exclusive or: nearest neighbors predict it, a linear probe does not."""
    (train, labels), (test, test_labels) = _codes(400, 0), _codes(2000, 1)
    accuracy = representation_accuracy(
        train, labels % 3 == 0, test, test_labels % 3 == 0)
    self.assertLess(accuracy['linear_probe_accuracy'], 0.8)
    self.assertGreater(accuracy['knn_accuracy'], 0.985)

  def test_does_not_depend_on_the_scale_of_a_dimension(self):
    """The probe equals scikit-learn's on inputs that are standardized here."""
    scales = (1e-3, 1e3)
    (train, labels), (test, test_labels) = (
        _codes(60, 0, scales), _codes(900, 1, scales))
    accuracy = representation_accuracy(train, labels, test, test_labels)
    mean, deviation = train.mean(0), train.std(0)
    probe = LogisticRegression().fit((train - mean) / deviation, labels)
    expected = np.mean(probe.predict((test - mean) / deviation) == test_labels)
    self.assertAllClose(accuracy['linear_probe_accuracy'], expected)

  def test_neighbours_are_those_of_the_unscaled_codes(self):
    """A vote of the three nearest, by distances in NumPy."""
    rng = np.random.default_rng(0)
    train, test = _codes(80, 0, (0.05, 1))[0], _codes(90, 1, (0.05, 1))[0]
    labels, test_labels = rng.integers(2, size=80), rng.integers(2, size=90)
    distances = np.linalg.norm(test[:, np.newaxis] - train, axis=-1)
    votes = labels[np.argsort(distances, axis=1)[:, :3]].sum(axis=1)
    accuracy = representation_accuracy(
        train, labels, test, test_labels, num_neighbors=3)
    self.assertAllClose(
        accuracy['knn_accuracy'], np.mean((votes > 1) == test_labels))

  def test_refuses_what_does_not_agree(self):
    means, labels = np.zeros([5, 2]), np.arange(5)
    with self.assertRaisesRegex(ValueError, 'with the same size'):
      representation_accuracy(means, labels, np.zeros([5, 3]), labels)
    with self.assertRaisesRegex(ValueError, r'\(4,\)'):
      representation_accuracy(means, labels[:4], means, labels)

  @parameterized.parameters(
      ([0, 1, 0], 4, 'num_neighbors=4'), ([0, 1, 0], 0, 'num_neighbors=0'),
      ([], 1, 'num_neighbors=1'), ([7, 7, 7], 2, '7 for all 3 examples'),
      ([0, -1, 1, -1], 1, '2 of 4 labels below 0'))
  def test_says_why_labels_cannot_be_learned(self, labels, neighbors, message):
    labels = np.array(labels, int)
    self.assertIn(message, why_not(labels, neighbors))
    means, test_labels = np.zeros([len(labels), 2]), np.arange(3)
    with self.assertRaisesRegex(ValueError, message):
      representation_accuracy(
          means, labels, np.zeros([3, 2]), test_labels, neighbors)

  def test_refuses_a_test_set_with_missing_labels(self):
    labels = np.array([0, 1, 0, 1])
    self.assertIsNone(why_not(labels, 2))
    self.assertIn('num_neighbors=10', why_not(labels))
    with self.assertRaisesRegex(ValueError, '1 of 2 labels below 0'):
      representation_accuracy(np.zeros([4, 2]), labels, np.zeros([2, 2]),
                              np.array([1, -1]), num_neighbors=2)

  def test_the_probe_converges_without_a_warning(self):
    """On scales that differ, constant and collinear dimensions."""
    codes, labels = _codes(300, 0, (1e-4, 1e4))
    codes = np.concatenate([codes, codes * 1e3, np.ones([300, 1])], axis=1)
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      representation_accuracy(codes, labels, codes, labels)


if __name__ == '__main__':
  tf.test.main()
