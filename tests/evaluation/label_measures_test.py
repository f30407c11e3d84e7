"""Measures of models that infer their label, against sums over the classes."""

from absl.testing import parameterized
import numpy as np
from scipy import special
import tensorflow as tf

from tests import label_models
from tests.label_models import CLASSES
from tests.label_models import EVERY_X
from tfvae import evaluation
from tfvae import models

_Y = np.float32(np.eye(CLASSES)[np.arange(8) % CLASSES])
_MIXED = np.where(np.arange(8)[:, np.newaxis] < 4, 0, _Y).astype(np.float32)


def _exact(model, y):
  """Returns log p(x, y) where y is given, log p(x) where it is zeros."""
  joint = label_models.Reference(model).joint(EVERY_X)
  return np.where(y.any(1), np.sum(joint * y.T, 0),
                  special.logsumexp(joint, 0))


class LabelMeasuresTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters('label_first', 'latent_first', 'label_from_latent')
  def test_elbo(self, name):
    model = label_models.label_vae(name)
    data = {'x': EVERY_X, 'y': _MIXED}
    elbo = evaluation.elbo(model, data, 4000)
    self.assertAllClose(
        elbo.elbo.values, label_models.Reference(model).elbo(EVERY_X, _MIXED),
        atol=0.1)
    self.assertAllClose(
        elbo.elbo.values, elbo.reconstruction.values - elbo.kl.values)
    self.assertEqual(set(elbo.kl_by_latent), {'z', 'y'})

  def test_importance_weighted_bound(self):
    model = label_models.label_vae('label_first')
    data = {'x': EVERY_X, 'y': _MIXED}
    one, other = (  # Classes and draws share the chunks.
        evaluation.importance_weighted_nll(model, data, 4000, chunk_size).values
        for chunk_size in (50, 7))
    self.assertAllClose(-one, _exact(model, _MIXED), atol=0.1)
    self.assertAllClose(one, other, atol=1e-5)

  @parameterized.parameters('label_first', 'label_from_latent')
  def test_annealing(self, name):
    model = label_models.label_vae(name)
    data = {'x': EVERY_X, 'y': _MIXED}
    found = evaluation.annealed_importance_sampling(
        model, data, 40, 1000, jit_compile=False)
    self.assertAllClose(found.values, _exact(model, _MIXED), atol=0.05)
    if name == 'label_first':
      # Without a missing label there are chains of the given class alone.
      found = evaluation.annealed_importance_sampling(
          model, data | {'y': _Y}, 40, 1000, jit_compile=False)
      self.assertAllClose(found.values, _exact(model, _Y), atol=0.05)

  def test_bidirectional_bounds_draw_the_label(self):
    model = label_models.label_vae('label_from_latent')
    bounds = evaluation.bidirectional_bounds(
        model, 40, 40, 1000, jit_compile=False)
    rows = bounds.inputs['x'] @ [4, 2, 1]
    joint = label_models.Reference(model).joint(EVERY_X)
    exact = np.sum(joint[:, rows.astype(int)] * bounds.inputs['y'].T, 0)
    self.assertAllClose(bounds.lower.values, exact, atol=0.05)
    # Its reverse chains share their start.
    error = bounds.upper.standard_error
    self.assertLess(abs(np.mean(bounds.upper.values - exact)), 4 * error)
    with self.assertRaisesRegex(ValueError, 'draws its labels'):
      evaluation.bidirectional_bounds(model, 8, labels=_Y)

  def test_calibration_draws_the_label(self):
    # z does not depend on x or y: the prior is the posterior.
    model = label_models.label_vae('label_as_leaf')
    for layer in (model.inference_factors['z'].network[-1],
                  model.decoder.layers[0]):
      kernel, bias = layer.get_weights()
      layer.set_weights([0 * kernel, 0 * bias])
    # With y observed, p(z|x, y) is not q(z|x), unless y does not depend on z.
    layer = model.priors['y'].network[-1]
    layer.set_weights([0 * weight for weight in layer.get_weights()])
    result = evaluation.simulation_based_calibration(model, 1000)
    self.assertTrue(result.to_dict()['is_calibrated'])

  def test_gaps_need_every_label(self):
    model = label_models.label_vae('label_first')
    evidence = evaluation.Estimate(_exact(model, _Y))
    gaps = evaluation.inference_gaps(
        model, {'x': EVERY_X, 'y': _Y}, evidence, 200, num_samples=2000)
    self.assertAllClose(
        gaps.encoder_elbo.values,
        label_models.Reference(model).elbo(EVERY_X, _Y), atol=0.15)
    self.assertAllGreater(gaps.amortization_gap.values, -0.08)
    self.assertAllGreater(gaps.approximation_gap.values, -0.08)
    with self.assertRaisesRegex(ValueError, 'needs the label y of each'):
      evaluation.inference_gaps(
          model, {'x': EVERY_X, 'y': _MIXED}, evidence, 1)
    self.assertIn('has no label', evaluation.MEASURES.make('gaps').why_not(
        evaluation.Subject(model, evaluation.Examples.of(
            {'x': EVERY_X, 'y': _MIXED}))))

  def test_latent_space_completes_labels(self):
    model = label_models.label_vae('latent_from_label')
    x = np.repeat(EVERY_X, 4, axis=0)
    complete = model.completed(x)
    one, other = (evaluation.latent_space(model, inputs).to_dict()
                  for inputs in (x, {'x': x, 'y': complete['y'].numpy()}))
    self.assertAllClose(one['mutual_information'], other['mutual_information'])
    self.assertAllClose(one['aggregate_kl'], other['aggregate_kl'])


class ClassificationTest(parameterized.TestCase, tf.test.TestCase):

  def test_figures(self):
    model = label_models.label_vae('label_first')
    x = np.tile(EVERY_X, [10, 1])
    labels = np.random.default_rng(0).integers(-1, CLASSES, size=80)
    train = evaluation.Examples.of(x, labels=np.where(
        np.arange(80) < 12, 1, -1))
    data = evaluation.Examples.of(
        {'x': x, 'y': np.float32(np.eye(4, 3)[labels])}, labels=labels)
    metrics = evaluation.evaluate(model, data, ['classification'], train)
    kernel, bias = label_models.Reference(model)._weights['inference', 'y']
    log_q = special.log_softmax(x @ kernel + bias, 1)
    known = labels >= 0
    wrong = (log_q.argmax(1) != labels)[known]
    loss = -log_q[np.arange(80), labels][known]
    block, n = metrics['classification'], known.sum()
    error = wrong.mean()
    self.assertAllClose(block['accuracy'], 1 - error)
    self.assertAllClose(block['classification_error'], error)
    self.assertAllClose(block['classification_error_standard_error'],
                        np.sqrt(error * (1 - error) / (n - 1)))
    self.assertAllClose(block['log_loss'], loss.mean(), rtol=1e-5)
    self.assertEqual(block['labeled_train_examples'], 12)
    self.assertEqual(block['labeled_test_examples'], n)
    self.assertEqual(metrics['test']['classification_error'],
                     block['classification_error'])

  def test_labels_are_those_of_the_batches_by_default(self):
    model = label_models.label_vae('label_first')
    block = evaluation.evaluate(
        model, {'x': EVERY_X, 'y': _MIXED}, ['classification'])
    self.assertEqual(block['classification']['labeled_test_examples'], 4)
    self.assertNotIn('labeled_train_examples', block['classification'])

  def test_reasons(self):
    measure = evaluation.MEASURES.make('classification')
    plain = models.image_vae('z:2', (3,), hidden_units=(4,))
    examples = evaluation.Examples.of(EVERY_X)
    self.assertIn('no q(y|x)', measure.why_not(
        evaluation.Subject(plain, examples)))
    self.assertIn('no test example has a label', measure.why_not(
        evaluation.Subject(label_models.label_vae('label_first'), examples)))


if __name__ == '__main__':
  tf.test.main()
