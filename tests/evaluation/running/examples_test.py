"""Inputs of evaluations: data sets, arrays, pairs, and invalid ones."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.eager_case import EagerCase
from tests.models import small_vae
from tests.models.small_vae import data
from tests.models.small_vae import labels
import tfvae
from tfvae import evaluation

_dataset = tf.data.Dataset.from_tensor_slices

# Every public measure, on data alone.
_MEASURES = {
    'elbo': evaluation.elbo,
    'importance_weighted_nll': functools.partial(
        evaluation.importance_weighted_nll, num_samples=2),
    'latent_space': functools.partial(evaluation.latent_space, num_samples=2),
    'posterior_means': functools.partial(
        evaluation.posterior_means, jit_compile=False),
    'sampled_mutual_information_gap': lambda model, x: (
        evaluation.sampled_mutual_information_gap(
            model, x, np.tile([[0, 1], [1, 0], [1, 1]], [2, 1]))),
    'annealed_importance_sampling': functools.partial(
        evaluation.annealed_importance_sampling, num_steps=2, num_chains=1,
        jit_compile=False),
    'inference_gaps': lambda model, x: evaluation.inference_gaps(
        model, x, evaluation.Estimate(np.zeros(6)), 1, 1, num_samples=1,
        jit_compile=False),
}


_vae = functools.cache(small_vae.vae)  # Where no weight changes.


class ExamplesTest(EagerCase, parameterized.TestCase):

  @parameterized.product(measure=list(_MEASURES), bad=[
      'labels', 'unbatched', 'shape', 'gray', 'kind'])
  def test_refused_by_every_measure(self, measure, bad):
    x = data(6)
    given, message = {
        'labels': (_dataset((x, np.arange(6))).batch(3), 'drop labels'),
        'unbatched': (_dataset(x), r'dataset.batch\(100\)'),
        'shape': (x[..., 0], 'channel axis'),
        'gray': (0.5 * x, 'IndependentBernoulli takes'),
        'kind': ([x[0].tolist()], 'takes a tf.data.Dataset of batches'),
    }[bad]
    with self.assertRaisesRegex(ValueError, message):
      _MEASURES[measure](_vae(), given)

  def test_arrays_are_batches(self):
    model, x = _vae(), data(6)
    expected = evaluation.elbo(model, _dataset(x).batch(200)).elbo.values
    for given in (x, tf.constant(x), (x,), {'x': x}, (x, x)):
      self.assertAllClose(
          evaluation.elbo(model, given).elbo.values, expected)

  def test_conditional_model(self):
    model, x, y = small_vae.graph_vae('conditional'), data(6), labels(6)
    self.assertLen(evaluation.elbo(model, {'x': x, 'y': y}).elbo.values, 6)
    for given in (x, (x, y), {'image': x, 'label': y}):
      with self.assertRaisesRegex(ValueError, 'one-hot'):
        evaluation.elbo(model, given)

  def test_target_of_a_pair_is_explained(self):
    # p(x|z) = Π_d p_d^x_d (1 − p_d)^(1−x_d) at the draw of q(z|noisy).
    model, noisy, x = _vae(), 0.9 * data(6), data(6)
    one, other = (evaluation.elbo(model, (noisy, target), num_samples=1)
                  for target in (x, 1 - x))
    self.assertAllClose(one.kl.values, other.kl.values)
    # log p(x|z) + log p(1 − x|z) = Σ_d log p_d + log(1 − p_d), whatever x is.
    self.assertAllClose(
        one.reconstruction.values + other.reconstruction.values,
        sum(evaluation.elbo(model, (noisy, np.full_like(x, value)))
            .reconstruction.values for value in (0, 1)), rtol=1e-5)
    for measure in ('importance_weighted_nll', 'annealed_importance_sampling'):
      same, others = (np.float64(_MEASURES[measure](model, (noisy, t)).values)
                      for t in (x, 1 - x))
      self.assertNotAllClose(same, others)
    _MEASURES['inference_gaps'](model, (noisy, x))

  def test_model_that_is_not_built(self):
    model = tfvae.VAE(small_vae.encoder(), small_vae.decoder())
    with self.assertRaisesRegex(ValueError, 'no weights yet'):
      evaluation.elbo(model, data(6))


if __name__ == '__main__':
  tf.test.main()
