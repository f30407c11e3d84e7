"""Signatures of scores and of refinement against closed forms."""

from absl.testing import parameterized
import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf

from tests import incomplete_rows
from tests import label_models
from tests import model_matrix
from tests.linear_gaussian import LinearGaussian
from tests.linear_gaussian import SCALE
from tests.missing_linear_gaussian import MissingLinearGaussian
from tfvae import models
from tfvae.evaluation import importance_weighted_nll
from tfvae.inference import importance_weighted
from tfvae.inference import RowSeededSample
from tfvae.serving.saved_model.signatures import signatures


def _seeds(n):
  return np.random.default_rng(0).integers(
      -2**31, 2**31, size=[n, 2]).astype(np.int32)


class LogLikelihoodTest(tf.test.TestCase, parameterized.TestCase):

  def _log_likelihood(self, model, num_samples, **inputs):
    """Returns the outputs for rows of inputs, as arrays."""
    function = signatures(model, ['log_likelihood'],
                          importance_samples=num_samples)['log_likelihood']
    found = function(seed=_seeds(len(inputs['x'])), **{
        name: tf.constant(value) for name, value in inputs.items()})
    self.assertEqual({value.dtype for value in found.values()}, {tf.float32})
    return found['log_likelihood'].numpy(), found[
        'effective_sample_size'].numpy()

  def _assert_estimates(self, found, expected):
    """Within 4.5 standard errors, 1/√ESS of log p̂."""
    nats, size = found
    self.assertAllLess(np.abs(nats - expected) * size**0.5, 4.5)

  def test_evidence_and_effective_sample_size_of_linear_gaussian(self):
    exact, k = LinearGaussian(factor=1.2, shift=0.2), 4000
    x = exact.draw(20)
    found = self._log_likelihood(exact.model, k, x=x)
    self._assert_estimates(found, exact.log_evidence(x))
    # (E w)² / E w², of a shift by δ standard deviations and a factor f:
    # Π_d √(2 f² − 1) / f² exp(−δ_d² / (2 f² − 1)).
    square = 2 * exact.factor**2 - 1
    efficiency = np.prod(np.sqrt(square) / exact.factor**2 * np.exp(
        -exact.shift**2 / exact.variance / square))
    self.assertAllClose(found[1] / k, [efficiency] * 20, rtol=0.1)
    self.assertNear(found[1].mean() / k, efficiency, 0.02 * efficiency)

  def test_missing_values_are_integrated_out(self):
    exact = MissingLinearGaussian()
    _, x = exact.draw(20)
    nats, size = self._log_likelihood(exact.model, 60, x=x)
    # q is the exact posterior: each weight is p(x_obs).
    self.assertAllClose(nats, exact.log_evidence(x), rtol=1e-5, atol=1e-4)
    self.assertAllClose(size, [60.] * 20, rtol=1e-5)

  def test_missing_labels_are_summed_out(self):
    model = label_models.label_vae('latent_from_label')
    x = label_models.EVERY_X
    y = np.eye(label_models.CLASSES, dtype=np.float32)[np.arange(len(x)) % 3]
    y[::2] = 0
    joint = label_models.Reference(model).joint(x)
    self._assert_estimates(
        self._log_likelihood(model, 3000, x=x, y=y), np.where(
            y.any(axis=1), np.sum(joint.T * y, axis=1),
            special.logsumexp(joint, axis=0)))

  def test_equals_the_evaluation(self):
    x, _ = model_matrix.digits('bernoulli', 8)
    model = model_matrix.make_model({
        'graph': 'two_layer', 'prior': 'mixture', 'posterior': 'normal_diag',
        'likelihood': 'bernoulli', 'network': 'mlp'}, x.shape[1:])
    nats, size = self._log_likelihood(model, 600, x=x)
    expected = -importance_weighted_nll(model, x, 600, seed=1).values
    # The standard error of the difference is √2 times that of one.
    self._assert_estimates((nats, size / 2), expected)

  def test_results_depend_neither_on_the_batch_nor_on_blocks_of_draws(self):
    exact = LinearGaussian(factor=1.2)
    x, seeds = exact.draw(300), _seeds(300)

    @tf.function(input_signature=[tf.TensorSpec([None, 6]),
                                  tf.TensorSpec([None, 2], tf.int32)])
    def function(x, seeds):  # Blocks of 3, of 10 and of 50 draws.
      return importance_weighted(exact.model, x, 77, RowSeededSample(seeds))

    whole = function(x, seeds)
    for rows in (slice(5, 105), slice(7, 8), slice(0, 0)):
      self.assertAllClose(tuple(function(x[rows], seeds[rows])),
                          tuple(part[rows] for part in whole), rtol=1e-5)
    # Of one draw, ESS is 1, and the estimate is log w.
    draw = RowSeededSample(seeds)
    nats, size = importance_weighted(exact.model, x, 1, draw)
    self.assertAllClose(size, np.ones(300))
    inference = exact.model.infer(x, draw.draws(None))
    self.assertAllClose(nats, inference.log_weights(
        exact.model.log_likelihood(inference.latents, x)), rtol=1e-5)

  def test_refuses_no_samples(self):
    with self.assertRaisesRegex(ValueError, 'at least 1.*num_samples=0'):
      signatures(LinearGaussian().model, importance_samples=0)


class ContributionsTest(tf.test.TestCase, parameterized.TestCase):

  def _contributions(self, model, **inputs):
    """Returns the contributions, which add up to −reconstruction."""
    functions = signatures(
        model, ['score', 'contributions'], by_column=False)
    inputs = {name: tf.constant(value) for name, value in inputs.items()}
    inputs['seed'] = tf.constant(_seeds(len(inputs['x'])))
    found = functions['contributions'](**inputs)['contributions'].numpy()
    self.assertEqual(found.shape, inputs['x'].shape)
    self.assertAllClose(
        np.sum(np.reshape(found, [len(found), -1]), axis=1),
        -functions['score'](**inputs)['reconstruction'], rtol=1e-5, atol=1e-5)
    return found

  def test_densities_of_linear_gaussian(self):
    exact = LinearGaussian(factor=1.2, shift=0.1)
    x = exact.draw(5)
    z = np.float64(exact.model.infer(
        x, RowSeededSample(_seeds(5))).latents['z'])
    self.assertAllClose(
        self._contributions(exact.model, x=x),
        -stats.norm(z @ exact.loadings.T + exact.bias, SCALE).logpdf(x),
        rtol=1e-4, atol=1e-4)

  @parameterized.parameters(
      ('conditional', 'discretized_logistic'), ('ladder', 'normal_per_pixel'))
  def test_sum_is_that_of_score(self, graph, likelihood):
    x, y = model_matrix.digits(likelihood, 5)
    model = model_matrix.make_model({
        'graph': graph, 'prior': 'standard_normal', 'posterior': 'normal_diag',
        'likelihood': likelihood, 'network': 'mlp'}, x.shape[1:])
    inputs = {'x': x, 'y': y} if model.graph.is_conditional else {'x': x}
    self._contributions(model, **inputs)

  def test_missing_values_of_a_table_contribute_nothing(self):
    model = incomplete_rows.table_vae()
    _, x = incomplete_rows.rows_of_table(8)
    found = self._contributions(model, x=x)
    self.assertAllEqual(found[np.isnan(x)], np.zeros(np.isnan(x).sum()))
    self.assertAllInRange(np.abs(found[~np.isnan(x)]), 1e-9, 1e6)

  def test_missing_labels_are_averaged_over(self):
    model = label_models.label_vae('latent_from_label')
    x = label_models.EVERY_X
    y = np.eye(3, dtype=np.float32)[np.arange(len(x)) % 3]
    y[::2] = 0
    self._contributions(model, x=x, y=y)
    self._contributions(label_models.label_vae('label_first'), x=x, y=y)


class RefineTest(tf.test.TestCase):

  def test_outputs_are_those_of_encode_and_the_gain(self):
    exact = MissingLinearGaussian()  # With a Cholesky factor.
    functions = signatures(
        exact.model, ['encode', 'refine'], refine_steps=1)
    encoded, refined = (
        functions[name].structured_outputs for name in ('encode', 'refine'))
    self.assertEqual(refined.pop('gain').shape, [None])
    self.assertEqual(
        {name: (spec.shape.as_list(), spec.dtype)
         for name, spec in refined.items()},
        {name: (spec.shape.as_list(), spec.dtype)
         for name, spec in encoded.items()})
    self.assertIn('scale_tril', refined)

  def test_exists_where_it_is_asked_for_and_posteriors_are_gaussian(self):
    model = LinearGaussian().model
    with self.assertRaisesRegex(ValueError, 'names=.*refine'):
      signatures(model, ['refine'])
    flow = models.image_vae('z:2', (4, 4, 1), hidden_units=(4,),
                            posterior='iaf')
    with self.assertRaisesRegex(ValueError, 'needs Gaussian posteriors'):
      signatures(flow, ['refine'], refine_steps=1)


if __name__ == '__main__':
  tf.test.main()
