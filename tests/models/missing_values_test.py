"""Training and bounds of incomplete data against closed forms."""

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf
import tf_keras

from tests.incomplete_rows import COLUMNS
from tests.incomplete_rows import rows_of_table
from tests.incomplete_rows import table_vae
from tests.missing_linear_gaussian import LATENT
from tests.missing_linear_gaussian import MissingLinearGaussian
from tfvae import objectives
from tfvae.evaluation import elbo
from tfvae.evaluation import importance_weighted_nll
from tfvae.layers import IndependentColumns
from tfvae.models import image_vae


def _pixels(kind, n=40, seed=0):
  """Returns images for a likelihood, complete and with missing pixels."""
  rng = np.random.default_rng(seed)
  x = np.float32(rng.integers(0, 2, [n, 4, 4, 1]))
  if kind == 'discretized_logistic':
    x = np.float32(rng.integers(0, 256, [n, 4, 4, 1])) / np.float32(255)
  return x, np.where(rng.random(x.shape) < 0.3, np.float32(np.nan), x)


class LinearGaussianTest(tf.test.TestCase):

  def test_the_exact_posterior_reaches_the_evidence(self):
    exact = MissingLinearGaussian()
    _, x = exact.draw(100)
    self.assertAllClose(
        elbo(exact.model, x).elbo.values, exact.log_evidence(x), atol=1e-3)

  def test_another_posterior_stays_below_and_importance_weights_reach_it(self):
    wide = MissingLinearGaussian(factor=1.5)
    _, x = wide.draw(60)
    evidence = wide.log_evidence(x)
    # KL(q ‖ p(z|x_obs)) = ½ L (f² − 1) − L log f
    gap = LATENT * (0.5 * (1.5**2 - 1) - np.log(1.5))
    found = elbo(wide.model, x, num_samples=1000)
    error = np.std(found.elbo.values - evidence + gap) / np.sqrt(len(x))
    self.assertNear(evidence.mean() - found.elbo.mean, gap, 5 * error)
    self.assertAllLess(found.elbo.values - evidence, 0.)
    self.assertAllClose(
        -importance_weighted_nll(wide.model, x, 5000).values, evidence,
        atol=0.05)

  def test_an_example_without_observed_values_has_evidence_1(self):
    exact = MissingLinearGaussian()
    x = np.full([3, 6], np.nan, np.float32)
    self.assertAllClose(elbo(exact.model, x).elbo.values, [0.] * 3, atol=1e-5)


class LikelihoodTest(parameterized.TestCase, tf.test.TestCase):

  def test_columns_leave_out_the_factors_of_missing_codes(self):
    x, incomplete = rows_of_table()
    layer = IndependentColumns(columns=COLUMNS)
    allowing = IndependentColumns(columns=COLUMNS, allow_missing=True)
    params = np.random.default_rng(1).normal(
        size=[len(x), layer.params_size(7, columns=COLUMNS)])
    by_column = np.float64(
        layer.distribution(tf.constant(params)).log_prob_of_elements(x))
    expected = np.where(np.isnan(incomplete), 0., by_column)
    found = allowing.distribution(tf.constant(params))
    self.assertAllClose(found.log_prob_of_elements(incomplete), expected)
    self.assertAllClose(found.log_prob(incomplete), expected.sum(axis=1),
                        rtol=1e-5)
    self.assertAllEqual(
        found.log_prob(x), layer.distribution(tf.constant(params)).log_prob(x))

  def test_pixels_against_scipy(self):
    _, x = _pixels('bernoulli')
    model = image_vae('z:2', (4, 4, 1), hidden_units=(8,), missing=True)
    z = tf.random.stateless_normal([len(x), 2], [0, 1])
    logits = model.decoder.layers[0](z).numpy().reshape(x.shape)
    nats = stats.bernoulli.logpmf(np.nan_to_num(x), special.expit(logits))
    self.assertAllClose(
        model.log_likelihood({'z': z}, x),
        np.nansum(np.where(np.isnan(x), np.nan, nats), axis=(1, 2, 3)),
        rtol=1e-5)

  @parameterized.parameters(
      *(('bernoulli', name, False) for name in objectives.OBJECTIVES),
      ('columns', 'elbo', True), ('columns', 'dreg', False),
      ('discretized_logistic', 'elbo', False), ('normal', 'elbo', True))
  def test_missing_values_have_no_gradient(self, likelihood, objective,
                                           jit_compile):
    is_table = likelihood == 'columns'
    x, incomplete = rows_of_table() if is_table else _pixels(likelihood)
    model = table_vae() if is_table else image_vae(
        'z:2', (4, 4, 1), hidden_units=(8,), likelihood=likelihood,
        missing=True)
    chosen = objectives.OBJECTIVES.make(objective)
    # The same observed values in another place of the missing ones.
    outside = np.where(np.isnan(incomplete), x[::-1], incomplete)
    mask = ~np.isnan(incomplete)

    @tf.function(jit_compile=jit_compile)
    def gradients(inputs):
      with tf.GradientTape() as tape:
        parts = chosen(model, inputs, tf.where(mask, inputs['x'], np.nan),
                       tf.constant([1, 2]), 1.0, True)
        loss = tf.reduce_mean(parts['objective'])
      return loss, tape.gradient(loss, model.trainable_variables)

    for loss, found in [
        gradients({'x': tf.constant(values), 'mask': tf.constant(mask)})
        for values in (outside, np.nan_to_num(incomplete, nan=1e30))]:
      self.assertAllInRange(loss, -1e4, 1e4)
      for gradient in found:
        self.assertFalse(np.isnan(gradient).any())
        self.assertAllInRange(gradient, -1e5, 1e5)
    self.assertAllEqual(
        gradients({'x': tf.constant(outside), 'mask': tf.constant(mask)})[0],
        loss)


class NothingMissingTest(parameterized.TestCase, tf.test.TestCase):

  def test_a_model_of_data_without_holes_trains_bit_equally(self):
    x, _ = rows_of_table()
    histories = []
    for missing in (None, np.zeros(7, bool)):
      model = table_vae(missing)
      model.compile('adam', run_eagerly=True)
      history = model.fit(x, epochs=2, batch_size=16, verbose=0).history
      history.pop('elbo_per_entry', None)
      histories.append((history, model.get_weights()))
    self.assertEqual(histories[0][0], histories[1][0])
    for one, other in zip(histories[0][1], histories[1][1], strict=True):
      self.assertAllEqual(one, other)

  # Not under XLA, which may add up in another order.
  @parameterized.parameters(None, 'iwae')
  def test_images_without_holes_train_bit_equally(self, objective):
    x, _ = _pixels('bernoulli')
    histories = []
    for missing in (None, np.zeros([4, 4, 1], bool)):
      tf_keras.utils.set_random_seed(0)
      model = image_vae('z:2', (4, 4, 1), network='conv', hidden_units=(4,),
                        missing=missing)
      model.compile('adam', objective=objective, run_eagerly=True)
      model.fit(x, epochs=2, batch_size=16, verbose=0)
      histories.append(model.get_weights())
    for one, other in zip(*histories, strict=True):
      self.assertAllEqual(one, other)


class FitTest(parameterized.TestCase, tf.test.TestCase):

  def test_fit_takes_nan_masks_and_masked_arrays(self):
    x, incomplete = rows_of_table()
    mask = ~np.isnan(incomplete)
    found = []
    for data in (incomplete, {'x': x, 'mask': mask},
                 np.ma.MaskedArray(x, ~mask)):
      model = table_vae()
      model.compile('adam', run_eagerly=True)
      history = model.fit(data, epochs=2, batch_size=16, verbose=0).history
      found.append((history, model.evaluate(data, verbose=0)))
      self.assertEqual(int(model.skipped_steps), 0)
      # Σ ELBO / Σ observed entries.
      self.assertNear(
          history['elbo_per_entry'][-1],
          history['elbo'][-1] * len(x) / mask.sum(), 1e-4)
    self.assertEqual(found[0], found[1])
    self.assertEqual(found[0], found[2])

  def test_a_saved_model_evaluates_equally(self):
    _, incomplete = rows_of_table()
    model = table_vae()
    model.compile('adam')
    path = self.create_tempfile('m.keras').full_path
    model.save(path)
    self.assertEqual(
        tf_keras.models.load_model(path).evaluate(incomplete, verbose=0),
        model.evaluate(incomplete, verbose=0))

  def test_a_normal_adapts_to_the_observed_values(self):
    rng = np.random.default_rng(0)
    x = np.float32(rng.normal(1000, 50, [64, 5]))
    x[::2, 1:] = np.nan
    model = image_vae('z:1', (5,), likelihood='normal', missing=True)
    model.compile('adam')
    model.fit(x, batch_size=64, verbose=0)
    layer = model.likelihood_layer()
    self.assertAllClose(
        (layer.data_loc, layer.data_scale), (np.nanmean(x), np.nanstd(x)))

  @parameterized.named_parameters(
      ('nan', lambda x, mask: np.where(mask, x, np.nan),
       'a model of `missing=True` takes a NaN'),
      ('mask', lambda x, mask: {'x': x, 'mask': mask},
       'build the model with `missing=True`'),
      ('masked_array', lambda x, mask: np.ma.MaskedArray(x, ~mask),
       'a model of `missing=True` takes a NaN'))
  def test_a_model_of_complete_data_refuses(self, data, message):
    x, incomplete = rows_of_table()
    model = table_vae(missing=None)
    model.compile('adam')
    with self.assertRaisesRegex(ValueError, message):
      model.fit(data(x, ~np.isnan(incomplete)), verbose=0)

  @parameterized.named_parameters(
      ('shape', lambda x: {'x': x, 'mask': np.ones([len(x), 3])},
       r"mask must have the shape of x.*'mask': float\d+ \[b, 3\]"),
      ('infinity', lambda x: np.where(x > 5, np.inf, x), '= inf'))
  def test_wrong_data_are_refused(self, data, message):
    model = table_vae()
    model.compile('adam')
    with self.assertRaisesRegex(ValueError, message):
      model.fit(data(rows_of_table()[0]), verbose=0)

  def test_wrong_mask_inputs_are_refused(self):
    with self.assertRaisesRegex(ValueError, r'bool \(3,\) for the event shape'):
      table_vae(np.ones(3, bool))


if __name__ == '__main__':
  tf.test.main()
