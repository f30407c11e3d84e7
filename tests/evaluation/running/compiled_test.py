"""Evaluations trace once, follow the weights, and let go of their model."""

import collections
import copy
import gc
import inspect
import weakref

import numpy as np
import tensorflow as tf
import tf_keras

from tests.linear_gaussian import LinearGaussian
from tfvae import evaluation
from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.running.compiled import compiled

_N = 10
_FACTORS = np.stack([np.arange(_N) % 2, np.arange(_N) // 5], axis=1)
_TRACED = ('infer', 'decode', 'sample_prior', 'log_posterior')


def _arrays(result):
  """The numbers of a result, without the seconds it took."""
  if result is None:  # Weights of examples that have none.
    return []
  if isinstance(result, evaluation.InferenceGaps):
    result = [result.encoder_elbo, result.optimized_elbo]
  if isinstance(result, (evaluation.Elbo, evaluation.LatentSpace,
                         evaluation.Imputation,
                         evaluation.BidirectionalBounds, Estimate)):
    result = vars(result)
  if isinstance(result, (dict, list)):
    values = result.values() if isinstance(result, dict) else result
    return [array for value in values for array in _arrays(value)]
  if isinstance(result, evaluation.Calibration):
    return _arrays(dict(result.ranks))
  return _arrays(vars(result)) if isinstance(result, evaluation.Latent) else [
      np.asarray(result)]


def _taking_missing_values(model):
  """Returns the model, in which a NaN is now a missing value."""
  model.likelihood_layer().allow_missing = True
  return model


MEASURES = {
    'annealed_importance_sampling': lambda model, data:
        evaluation.annealed_importance_sampling(
            model, data, 2, 2, 1, jit_compile=False),
    'bidirectional_bounds': lambda model, data:
        evaluation.bidirectional_bounds(
            model, _N, 2, 2, 1, jit_compile=False),
    'elbo': lambda model, data: evaluation.elbo(
        model, data, jit_compile=False),
    'importance_weighted_nll': lambda model, data:
        evaluation.importance_weighted_nll(model, data, 3, jit_compile=False),
    'impute': lambda model, data: evaluation.impute(
        _taking_missing_values(model), data, 5),
    'inference_gaps': lambda model, data: evaluation.inference_gaps(
        model, data, Estimate(np.zeros(_N)), 2, 2, num_samples=2,
        jit_compile=False),
    'latent_space': evaluation.latent_space,
    'measure_latents': evaluation.measure_latents,
    'posterior_means': lambda model, data: evaluation.posterior_means(
        model, data, jit_compile=False),
    'sampled_mutual_information_gap': lambda model, data:
        evaluation.sampled_mutual_information_gap(model, data, _FACTORS),
    'simulation_based_calibration': lambda model, data:
        evaluation.simulation_based_calibration(
            model, 10, 19, 2),
}


def _count_traces(model):
  """Counts the calls of the model's methods that are made to trace them."""
  counts = collections.Counter()

  def counting(name, method):
    def call(*arguments, **settings):
      counts[name] += not tf.executing_eagerly()
      return method(*arguments, **settings)
    return call

  for name in _TRACED:
    setattr(model, name, counting(name, getattr(model, name)))
  return counts


class EveryMeasureTest(tf.test.TestCase):

  def test_there_is_a_case_for_each(self):
    """Each public function of a model."""
    functions = [
        name for name in evaluation.__all__
        # It calls the others; a graph that infers the label has its own test.
        if name not in ('evaluate', 'log_probabilities')
        and inspect.isfunction(getattr(evaluation, name))
        and 'model' in inspect.signature(
            getattr(evaluation, name)).parameters]
    self.assertCountEqual(MEASURES, functions)

  def test_traces_once_follows_the_weights_and_is_freed(self):
    self.addCleanup(tf.config.run_functions_eagerly, False)
    references = []
    for name, measure in MEASURES.items():
      with self.subTest(name):
        references.append(self._check(measure))
    # Functions that stay with a model refer to it, and are freed with it.
    gc.collect()  # Once: it takes seconds where many tests have run.
    self.assertEqual(
        [reference() for reference in references], [None] * len(MEASURES))

  def _check(self, measure):
    """Returns a weak reference to the model that was measured."""
    exact = LinearGaussian(factor=1.3)
    model, data = exact.model, exact.dataset(_N, _N)
    fresh = LinearGaussian(factor=1.3).model
    counts = _count_traces(model)
    first = measure(model, data)
    traces = counts.total()
    self.assertGreater(traces, 0)
    second = measure(model, data)
    for one, other in zip(_arrays(first), _arrays(second), strict=True):
      self.assertAllEqual(one, other)
    for part in (model, fresh):
      part.encoder.set_weights([1.5 * w + 0.1 for w in
                                part.encoder.get_weights()])
      part.decoder.set_weights([0.5 * w for w in part.decoder.get_weights()])
    third = measure(model, data)
    self.assertEqual(counts.total(), traces)
    self.assertTrue(any(
        not np.array_equal(one, other) for one, other in zip(
            _arrays(first), _arrays(third), strict=True)))
    tf.config.run_functions_eagerly(True)  # Quicker than a trace.
    for one, other in zip(
        _arrays(third), _arrays(measure(fresh, data)), strict=True):
      self.assertAllClose(one, other, rtol=1e-4, atol=1e-4)
    tf.config.run_functions_eagerly(False)
    return weakref.ref(model)


def _sum_of(model, factor, x):
  return factor * tf.reduce_sum(model.encoder(x).mean())


class CompiledTest(tf.test.TestCase):

  def test_is_the_same_function_for_the_same_settings(self):
    model, x = LinearGaussian().model, tf.ones([2, 6])
    function = compiled(model, _sum_of, 2.0, jit_compile=False)
    self.assertIs(function, compiled(model, _sum_of, 2.0, jit_compile=False))
    other = compiled(model, _sum_of, 3.0, jit_compile=False)
    self.assertAllClose(other(x), 1.5 * function(x))
    for num_rows in (2, 3, 2, 3):
      function(tf.ones([num_rows, 6]))
    self.assertEqual(function.experimental_get_tracing_count(), 2)

  def test_a_copy_and_a_loaded_model_have_their_own(self):
    model, x = LinearGaussian().model, tf.ones([2, 6])
    of = lambda model: compiled(model, _sum_of, 2.0, jit_compile=False)(x)
    before = of(model)
    path = self.create_tempfile('model.keras').full_path
    model.save(path)
    for other in (copy.copy(model), copy.deepcopy(model),
                  tf_keras.models.load_model(path)):
      self.assertAllClose(of(other), before)
      other.encoder.set_weights([0 * w for w in other.encoder.get_weights()])
      self.assertAllEqual(of(other), 0.0)
      self.assertAllEqual(of(model), before)

  def test_another_network_is_followed(self):
    model, x = LinearGaussian().model, tf.ones([2, 6])
    of = lambda model: compiled(model, _sum_of, 2.0, jit_compile=False)(x)
    before, other = of(model), LinearGaussian(shift=1.0).model
    model.encoder = other.encoder
    self.assertNotAllClose(of(model), before)
    self.assertAllEqual(of(model), of(other))

  def test_nothing_is_saved_or_tracked(self):
    model = LinearGaussian().model
    names = [part.name for part in model.submodules]
    weights = len(model.weights)
    evaluation.elbo(model, LinearGaussian().dataset(_N))
    self.assertEqual([part.name for part in model.submodules], names)
    self.assertLen(model.weights, weights)
    self.assertNotIn('_evaluation_functions',
                     model._trackable_children())  # pylint: disable=protected-access


if __name__ == '__main__':
  tf.test.main()
