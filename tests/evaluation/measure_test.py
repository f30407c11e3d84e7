"""Measures as objects, and the evaluation of a model by several of them."""

import dataclasses
from unittest import mock

import numpy as np
import tensorflow as tf

from tests.eager_case import EagerCase
from tests.linear_gaussian import LinearGaussian
from tfvae import evaluation
from tfvae.evaluation import Examples
from tfvae.evaluation import Measure
from tfvae.evaluation import MEASURES

# Settings of the program by name: the default and the bounds.
_SETTINGS = {
    'eval_chunk': (50, 1), 'eval_importance_samples': (500, 1),
    'eval_importance_examples': (1000, 0), 'eval_costly_examples': (100, 0),
    'eval_ais_steps': (500, 2), 'eval_ais_chains': (16, 1),
    'eval_simulations': (1000, 100), 'eval_samples': (10_000, 2),
    'eval_imputation_draws': (500, 2), 'eval_imputation_fraction': (0.3, 0, 1),
    'eval_imputation_examples': (1000, 0),
    'eval_imputation_train_examples': (10_000, 0)}


@dataclasses.dataclass(frozen=True)
class _Mean(Measure):
  """A user's measure: the mean of x."""

  least: int = 0

  def why_not(self, subject):
    return None if subject.test.count >= self.least else 'too few'

  def run(self, subject):
    return {'mean': float(np.mean(np.concatenate(list(subject.test.first()))))}

  def headline(self, block):
    return {f'mean_{key}': value for key, value in block.items()
            if key == 'mean'}


class EvaluateTest(EagerCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.exact = LinearGaussian()
    cls.x = np.concatenate(list(cls.exact.dataset(60, 60)))

  def test_blocks_are_what_the_functions_give(self):
    model = self.exact.model
    metrics = evaluation.evaluate(model, self.x, [
        evaluation.ImportanceWeightedMeasure(samples=7, examples=30), _Mean(),
        'latent_space', _Mean(least=61)], seed=3)
    elbo = evaluation.elbo(model, self.x, seed=3)
    self.assertAllClose(metrics['test']['elbo'], elbo.elbo.mean)
    self.assertAllClose(metrics['test']['kl_standard_error'],
                        elbo.kl.standard_error)
    self.assertEqual(metrics['test']['examples'], 60)
    nll = evaluation.importance_weighted_nll(model, self.x[:30], 7, seed=3)
    part = metrics['importance_weighted']['K=7']
    self.assertAllClose(part['iwae_nll'], nll.mean)
    self.assertAllClose(part['elbo'], elbo.elbo.values[:30].mean())
    self.assertEqual(metrics['test']['iwae_examples'], 30)
    space = evaluation.latent_space(model, self.x, seed=3)
    self.assertEqual(metrics['test']['active_units'], space.active_units)
    self.assertAllClose(metrics['latent_space']['log_volume'],
                        space.log_volume.mean)
    # The last of one name replaces the others.
    self.assertEqual(metrics['_Mean'], {'not_computed': 'too few'})
    self.assertAllClose(metrics['test']['mean_mean'], self.x.mean(), atol=1e-6)

  def test_a_registered_measure_has_its_name_and_its_settings(self):
    with mock.patch.dict(MEASURES._choices):
      MEASURES.register('mean', least=2)(_Mean)
      metrics = evaluation.evaluate(self.exact.model, self.x[:3], ('mean',))
      self.assertEqual(list(metrics), ['test', 'mean'])
      self.assertIn('mean_mean', metrics['test'])
      self.assertEqual(MEASURES.make('mean').least, 2)
      self.assertContainsSubset(['mean'], evaluation.measures_of(metrics))
    with self.assertRaisesRegex(ValueError, '`evaluations` must be one of imp'):
      evaluation.evaluate(self.exact.model, self.x, ('mean',))

  def test_settings_of_the_program(self):
    self.assertEqual(_SETTINGS, {
        name: (setting.default, *setting.bounds.values())
        for name, (setting, _) in MEASURES.settings().items()})

  def test_names_of_what_is_computed_once(self):
    subject = evaluation.Subject(self.exact.model, Examples.of(self.x))
    compute = mock.Mock(side_effect=lambda subject, n: [n])
    first = subject.shared(compute, 1)
    self.assertIs(subject.shared(compute, 1), first)
    self.assertEqual(subject.shared(compute, 2), [2])
    self.assertEqual(compute.call_count, 2)


class ExamplesTest(tf.test.TestCase):

  def test_first_examples(self):
    x = np.arange(10, dtype=np.float32)[:, np.newaxis]
    examples = Examples.of(tf.data.Dataset.from_tensor_slices(x).batch(4))
    self.assertEqual(examples.count, 10)
    for count, sizes in ((0, [4, 4, 2]), (6, [4, 2]), (99, [4, 4, 2])):
      batches = list(examples.first(count))
      self.assertEqual([len(batch) for batch in batches], sizes)
      self.assertAllEqual(tf.concat(batches, 0), x[:sum(sizes)])
    self.assertIsNone(examples.conditions())

  def test_labels_that_the_model_is_given(self):
    x, y = np.zeros([5, 1], np.float32), np.eye(3, dtype=np.float32)[
        [2, 0, 1, 1, 0]]
    for data in ({'x': x, 'y': y}, ({'x': x, 'y': y}, x)):
      examples = Examples.of(data)
      self.assertAllEqual(examples.conditions(), y)
      self.assertAllEqual(examples.conditions(2), y[:2])
      self.assertEqual(examples.spec['y'].shape.as_list(), [None, 3])


if __name__ == '__main__':
  tf.test.main()
