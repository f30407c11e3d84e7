"""Scores against closed forms of linear Gaussian models and NumPy."""

import io

from absl.testing import parameterized
import numpy as np
from PIL import Image
from scipy import special
import tensorflow as tf
import tensorflow_probability as tfp

from tests import label_models
from tests.incomplete_rows import rows_of_table
from tests.incomplete_rows import table_vae
from tests.linear_gaussian import LinearGaussian
from tests.linear_gaussian import SCALE
from tests.missing_linear_gaussian import MissingLinearGaussian
from tests.missing_linear_gaussian import SCALE as MISSING_SCALE
from tests.missing_linear_gaussian import SIZE
from tfvae.anomaly import SCORES
from tfvae.anomaly.row_values import explained_values
from tfvae.anomaly.scores.complexity import png_nats
from tfvae.inference.rows import row_seeds
from tfvae.models import image_vae

tfd = tfp.distributions

_DRAWS = 500


def _function(model, *scores):
  """Returns a function of x and ids to the scores and the contributions."""
  @tf.function(input_signature=[
      tf.TensorSpec([None, *model.event_shape]),
      tf.TensorSpec([None, 2], tf.int32)])
  def values(x, seeds):
    return explained_values(model, scores, x, seeds)

  def of_rows(x, ids=None):
    seeds = row_seeds(np.arange(len(x)) if ids is None else ids)
    return tf.nest.map_structure(
        np.array, values(tf.constant(x), tf.constant(seeds)))

  return of_rows


def _differences(values, x, expected):
  """Returns the difference of means over seeds of each x, in their errors."""
  values = values.reshape(len(x), -1)
  error = values.std(axis=1) / np.sqrt(values.shape[1]) + 1e-5
  return (values.mean(axis=1) - expected) / error


def _conditionals(x, mean, covariance):
  """Returns −log p(x_j|x_−j) of each observed element of normal rows."""
  nats = np.zeros(x.shape)
  for row, found in zip(np.float64(x), nats, strict=True):
    o = ~np.isnan(row)
    precision = np.linalg.inv(covariance[np.ix_(o, o)])
    variance = 1 / np.diag(precision)
    residual = variance * (precision @ (row[o] - mean[o]))
    found[o] = 0.5 * (np.log(2 * np.pi * variance) + residual**2 / variance)
  return nats


class ScoresTest(tf.test.TestCase, parameterized.TestCase):

  def test_means_over_seeds_are_the_closed_forms(self):
    exact = LinearGaussian(factor=1.3, shift=0.2)
    x = exact.draw(4)
    elbo, kl = exact.elbo(x), exact.kl_per_dimension(x).sum(axis=1)
    values, contributions = _function(
        exact.model, SCORES['elbo'](), SCORES['reconstruction'](),
        SCORES['kl'](), SCORES['typicality'](8.))(np.repeat(x, _DRAWS, axis=0))
    for found, expected in zip(
        values, (-elbo, -(elbo + kl), kl), strict=False):
      self.assertAllInRange(_differences(found, x, expected), -4., 4.)
    self.assertAllClose(values[3], np.abs(values[0] - 8.), rtol=1e-5)
    self.assertAllClose(np.sum(contributions, axis=1), values[1], rtol=1e-5)

  def test_log_likelihood_is_that_of_the_closed_form(self):
    exact = LinearGaussian(factor=1.2)
    x = exact.draw(20)
    (found,), _ = _function(exact.model, SCORES['log_likelihood'](1003))(x)
    self.assertAllClose(found, -exact.log_evidence(x), atol=0.1)

  def test_surprise_is_the_density_given_the_other_elements(self):
    exact = LinearGaussian(factor=1.1, norms=(1., 0.7, 0.5))
    x = exact.draw(10)
    x[0, 2] += 2.5
    covariance = exact.loadings @ exact.loadings.T + SCALE**2 * np.eye(6)
    (total,), found = _function(exact.model, SCORES['surprise'](5000))(x)
    self.assertAllClose(
        found, _conditionals(x, exact.bias, covariance), atol=0.2)
    self.assertEqual(np.argmax(found[0]), 2)
    self.assertAllClose(total, np.sum(found, axis=1), rtol=1e-5)

  def test_regret_is_what_the_exact_posterior_gains(self):
    exact = LinearGaussian(factor=1.4, shift=0.3)
    (found,), _ = _function(
        exact.model, SCORES['regret'](20))(exact.draw(200))
    # The gain is an estimate, whose errors are independent between rows.
    error = np.std(found) / np.sqrt(200)
    self.assertNear(np.mean(found), exact.gap(), 4 * error + 0.01)
    self.assertLess(error, 0.03 * exact.gap())

  def test_missing_elements_have_no_nats(self):
    exact = MissingLinearGaussian(factor=1.1)
    _, x = exact.draw(20)
    covariance = exact.loadings @ exact.loadings.T + (
        MISSING_SCALE**2 * np.eye(SIZE))
    (nats, _), found = _function(
        exact.model, SCORES['log_likelihood'](5000), SCORES['surprise'](5000)
    )(x)
    self.assertAllClose(nats, -exact.log_evidence(x), atol=0.1)
    # Where an element determines z, few draws have all the weight 1 / p(x_j|z).
    differences = np.abs(found - _conditionals(x, exact.bias, covariance))
    self.assertLess(np.mean(differences), 0.05)
    self.assertGreater(np.mean(differences < 0.05), 0.9)
    self.assertAllEqual(found[np.isnan(x)], np.zeros(np.isnan(x).sum()))

  def test_a_score_depends_on_the_seed_of_its_row_alone(self):
    model, (_, x) = table_vae(), rows_of_table(12)
    function = _function(model, SCORES['kl'](), SCORES['elbo'](),
                         SCORES['log_likelihood'](7), SCORES['surprise'](12))
    every, contributions = function(x)
    for rows in (slice(5, 6), slice(3, 12)):
      values, parts = function(x[rows], np.arange(12)[rows])
      self.assertAllClose(values, [v[rows] for v in every], rtol=1e-5)
      self.assertAllClose(parts, contributions[rows], rtol=1e-5)
    others, _ = function(x, np.arange(12) + 50)
    self.assertAllClose(others[0], every[0], rtol=1e-5)  # A closed form.
    for other, values in zip(others[1:], every[1:], strict=True):
      self.assertNotAllClose(other, values, rtol=1e-5)

  @parameterized.parameters('label_first', 'clusters')
  def test_missing_labels_are_summed_out(self, name):
    model = label_models.label_vae(name)
    reference, x = label_models.Reference(model), label_models.EVERY_X
    y = np.zeros([len(x), label_models.CLASSES])
    (elbo,), _ = _function(model, SCORES['elbo']())(
        np.repeat(x, _DRAWS, axis=0))
    self.assertAllInRange(
        _differences(elbo, x, -reference.elbo(x, y)), -4., 4.)
    evidence = special.logsumexp(reference.joint(x), axis=0)
    # log p(x_−j), the sum of p(x) over both values of the element j.
    others = np.stack([special.logsumexp([evidence, [
        evidence[np.argmax((x == row).all(axis=1))]
        for row in np.abs(x - np.eye(3)[j])]], axis=0)
                       for j in range(3)], axis=1)
    _, found = _function(model, SCORES['surprise'](2000))(x)
    self.assertAllClose(found, others - evidence[:, np.newaxis], atol=0.05)

  def test_complexity_is_the_length_of_a_png_file(self):
    rng = np.random.default_rng(0)
    for channels in (1, 3):
      x = rng.integers(0, 256, [3, 9, 7, channels]).astype(np.float32)
      x[1] = 7
      found = png_nats(tf.constant(x / 255), 255.)
      self.assertAllEqual(png_nats(tf.constant(x), 1.), found)
      for row, nats in zip(x.astype(np.uint8), found, strict=True):
        lengths = []
        for shape in ((9, 7, channels), (1, 63, channels)):
          file = tf.io.encode_png(row.reshape(shape), compression=9).numpy()
          self.assertAllEqual(np.asarray(Image.open(
              io.BytesIO(file))).reshape(row.shape), row)
          lengths.append(len(file))
        self.assertAllClose(nats, 8 * np.log(2) * min(lengths))
      self.assertLess(found[1], found[0])
    model = image_vae('z:2', (9, 7, 1), likelihood='poisson',
                      hidden_units=(4,))
    counts = rng.poisson(50, [3, 9, 7, 1]).astype(np.float32)
    (complexity, elbo), _ = _function(
        model, SCORES['complexity'](), SCORES['elbo']())(counts)
    self.assertAllClose(
        complexity, elbo - png_nats(tf.constant(counts), 1.), rtol=1e-5)

  def test_scores_say_which_models_they_do_not_suit(self):
    image = image_vae('z:2', (4, 4, 1), hidden_units=(4,))
    incomplete = image_vae('z:2', (4, 4, 1), hidden_units=(4,), missing=True)
    self.assertIn('tables', SCORES['surprise']().why_not(image))
    self.assertIn('images', SCORES['complexity']().why_not(table_vae()))
    self.assertIn('missing', SCORES['complexity']().why_not(incomplete))
    for name, score in SCORES.items():
      self.assertIn('x', score.formula)
      self.assertRegex(score.source, r'\d{4}$')
      self.assertEqual(score.unit, 'nats')
      if name != 'surprise':
        self.assertIsNone(score().why_not(image))


if __name__ == '__main__':
  tf.test.main()
