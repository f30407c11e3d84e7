"""The likelihood of a row against SciPy, in the unit of each column."""

import os

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf
import tf_keras

from tfvae.layers import IndependentColumns
from tfvae.layers.columns import BLOCKS
from tfvae.models import image_vae
from tfvae.serving.keras3.conversion import to_keras3
from tfvae.tables import Column

# Columns of different kinds in turn, so that the order of x matters.
_COLUMNS = (
    Column('r', 'real', loc=100., scale=5.),
    Column('c', 'categorical', 'string', ('x', 'y', 'z')),
    Column('p', 'positive', loc=3., scale=0.5),
    Column('k', 'count', loc=1.5, scale=0.7),
    Column('b', 'binary', 'string', ('no', 'yes'), loc=0.3, scale=0.4),
    Column('o', 'ordinal', 'number', (1, 2, 3), loc=1., scale=0.8,
           frequencies=(.2, .5, .3)),
    Column('d', 'date', 'string', loc=12_000., scale=3000.),
    Column('c2', 'categorical', 'number', (10,)),
    Column('r2', 'real', loc=-1., scale=0.01))
_X = np.float32([
    [103., 2, 15., 4, 1, 0, 11_000.5, 1, -1.01],
    [95., 0, 40., 0, 0, 2, 14_000., 0, -0.98]])


def _expected(x, params):
  """log p(x_c) of each column; the blocks take parameters in their order."""
  take = iter(np.split(params, np.cumsum([4, 4 + 2, 2, 2, 1, 2])))
  real, logits, positive, count, binary, ordinal, date = take
  log_softmax = special.log_softmax
  cut = np.log([.2, .7]) - np.log([.8, .3])
  below = np.array([0, *special.expit((cut - ordinal[0]) / np.exp(ordinal[1])),
                    1])
  rate, total = np.exp(1.5 + .7 * count[0]), np.exp(count[1])
  return [
      stats.norm.logpdf(x[0], 100 + 5 * real[0], 5 * np.exp(real[2])),
      log_softmax(logits[:4])[int(x[1])],
      stats.lognorm.logpdf(x[2], 0.5 * np.exp(positive[1]),
                           scale=np.exp(3 + 0.5 * positive[0])),
      stats.nbinom.logpmf(x[3], total, total / (total + rate)),
      stats.bernoulli.logpmf(x[4], special.expit(binary[0])),
      np.log(np.diff(below)[int(x[5])]),
      stats.norm.logpdf(x[6], 12_000 + 3000 * date[0], 3000 * np.exp(date[1])),
      log_softmax(logits[4:])[int(x[7])],
      stats.norm.logpdf(x[8], -1 + .01 * real[1], .01 * np.exp(real[3]))]


class IndependentColumnsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      (1, 4., 'below 4'), (1, -1., 'below 4'), (1, 0.5, 'below 4'),
      (2, 0., 'above 0'), (3, 1.5, 'counts'), (4, 2., 'below 2'),
      (5, 3., 'below 3'), (0, np.nan, 'codes of a table'))
  def test_other_codes_are_refused(self, column, value, message):
    x = _X.copy()
    x[1, column] = value
    model = image_vae('z:2', (len(_COLUMNS),), likelihood=IndependentColumns(
        columns=_COLUMNS), hidden_units=(4,))
    model.compile('sgd')
    with self.assertRaisesRegex(
        ValueError, rf'{message}.*x\[1, {column}\] = {value}'):
      model.fit(x, shuffle=False, verbose=0)

  def setUp(self):
    super().setUp()
    self.layer = IndependentColumns(columns=_COLUMNS)
    self.params = np.random.default_rng(0).normal(
        0, 0.5, [2, 19]).astype(np.float32)

  def test_is_that_of_scipy(self):
    p = self.layer.distribution(self.params)
    expected = np.array([_expected(*pair)
                         for pair in zip(_X, self.params, strict=True)])
    self.assertAllClose(p.log_prob_of_elements(_X), expected, rtol=2e-5,
                        atol=5e-5)  # x itself is float32.
    self.assertAllClose(p.log_prob(_X), expected.sum(axis=1), rtol=2e-5)
    self.assertAllClose(tf.function(p.log_prob)(_X), expected.sum(axis=1),
                        rtol=2e-5)

  def test_draws_have_its_moments(self):
    x = self.layer.distribution(self.params[:1]).sample(
        20_000, seed=[0, 1]).numpy()[:, 0]
    log_density = self.layer.distribution(
        np.repeat(self.params[:1], len(x), axis=0)).log_prob_of_elements(x)
    self.assertTrue(np.isfinite(log_density).all())
    # Frequencies of codes, within 5 standard errors of exp(log p).
    for index in (1, 3, 4, 5, 7):
      _, first, counts = np.unique(
          x[:, index], return_index=True, return_counts=True)
      p = np.exp(log_density.numpy()[first, index])
      self.assertAllLess(
          np.abs(counts / len(x) - p) / np.sqrt(p * (1 - p) / len(x)), 5)
    mean = self.layer.distribution(self.params[:1]).mean().numpy()[0]
    for index in (0, 2, 3, 6, 8):
      error = x[:, index].std() / np.sqrt(len(x))
      self.assertLess(abs(x[:, index].mean() - mean[index]) / error, 5)

  def test_mean_of_categories_is_the_most_probable(self):
    mean = self.layer.distribution(self.params).mean().numpy()
    for row, params in zip(mean, self.params, strict=True):
      for index, count in ((1, 4), (4, 2), (5, 3), (7, 2)):
        scores = []
        for code in range(count):
          x = _X[0].copy()
          x[index] = code
          scores.append(_expected(x, params)[index])
        self.assertEqual(row[index], np.argmax(scores))

  @parameterized.product(even=(-60., -4., 4., 60.), odd=(-60., -4., 4., 60.))
  def test_is_finite_far_from_the_data(self, even, odd):
    params = tf.constant(
        np.resize([even, odd], self.params.shape[1])[np.newaxis].repeat(2, 0),
        tf.float32)
    with tf.GradientTape() as tape:
      tape.watch(params)
      log_prob = self.layer.distribution(params).log_prob_of_elements(_X)
    self.assertTrue(np.isfinite(log_prob).all())
    self.assertTrue(np.isfinite(tape.gradient(log_prob, params)).all())

  def test_row_of_a_batch_is_a_distribution(self):
    p = self.layer.distribution(self.params)
    self.assertAllClose(p[1:2].log_prob(_X[1:]), p.log_prob(_X)[1:])

  def test_trains_saves_and_converts(self):
    tf_keras.utils.set_random_seed(0)
    model = image_vae('z:2', (9,), likelihood=IndependentColumns(
        columns=_COLUMNS), network='resnet', hidden_units=(4, 3))
    model.compile('sgd', run_eagerly=True)
    loss = model.fit(np.tile(_X, (10, 1)), verbose=0).history['loss']
    self.assertTrue(np.isfinite(loss).all())
    path = os.path.join(self.create_tempdir().full_path, 'model.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)
    self.assertAllClose(loaded(_X).mean(), model(_X).mean(), rtol=1e-6)
    converted = to_keras3(model)
    q = model.infer(_X, lambda q: q.mean()).posteriors['z']
    self.assertAllClose(converted.encoder(_X)['loc'], q.mean(), atol=1e-5)
    self.assertAllClose(
        converted.decoder(q.mean()), model(_X).mean(), rtol=1e-5)

  def test_frequencies_keep_a_place_for_a_code_that_is_missing(self):
    column = BLOCKS['ordinal'].fitted(
        Column('a', 'ordinal', 'number', (1, 2, 3)), 0.7, 0.5,
        np.array([2, 0, 1]))
    self.assertAllClose(column.frequencies, [3 / 6, 1 / 6, 2 / 6])
    self.assertEqual((column.loc, column.scale), (0.7, 0.5))

  def test_features_of_learned_inputs_are_finite(self):
    x = tf.fill([1, 9], -0.5)
    self.assertTrue(np.isfinite(self.layer.input_layer()(x)).all())

  def test_needs_columns(self):
    with self.assertRaisesRegex(ValueError, r'columns=\(\)'):
      IndependentColumns(event_shape=(3,))
    with self.assertRaisesRegex(ValueError, r'event_shape=\(3,\), 9 columns'):
      IndependentColumns((3,), _COLUMNS)


if __name__ == '__main__':
  tf.test.main()
