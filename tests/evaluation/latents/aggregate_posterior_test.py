"""The aggregate posterior against a loop over draws and examples."""

from absl.testing import parameterized
import numpy as np
from scipy import special
import tensorflow as tf
import tf_keras

from tests.eager_case import EagerCase
from tests.linear_graphs import LinearModel
from tests.linear_graphs import log_density
from tests.linear_graphs import THREE_LATENTS
from tfvae import models
from tfvae.evaluation.latents.aggregate_posterior import log_aggregate_posterior
from tfvae.graph import GraphicalModel

_N = 7


def _model(text):
  tf_keras.utils.set_random_seed(1)
  return models.image_vae(
      GraphicalModel.parse(*text), (2, 2, 1), 'mlp', (4,), (5,), num_classes=2)


class LogAggregatePosteriorTest(EagerCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('one_latent', ('z:2',), [0] * _N),
      ('bottom_up', ('z1:2,z2:1', 'z1|x; z2|z1', 'z2; z1|z2; x|z1'), [0] * _N),
      ('top_down', ('z1:2,z2:1', 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1'),
       [0] * _N),
      ('by_label', ('z:2', 'z|x,y', 'z|y; x|z'), [0, 1, 1, 0, 1, 0, 0]))
  def test_is_the_mixture(self, text, groups):
    model, rng = _model(text), np.random.default_rng(0)
    data = {'x': np.float32(rng.random((_N, 2, 2, 1)) < 0.5),
            'y': np.eye(2, dtype=np.float32)[groups]}
    data = data if model.graph.is_conditional else data['x']
    rows = lambda i: tf.nest.map_structure(lambda part: part[i:i + 1], data)
    examples = np.array([0, 2, 3, 6])
    latents = {name: np.float32(rng.normal(size=(4, size)))
               for name, size in model.graph.latents}
    log_q = np.empty([4, _N])
    for i, n in np.ndindex(*log_q.shape):
      z = {name: tf.constant(z[i:i + 1]) for name, z in latents.items()}
      log_q[i, n] = model.log_posterior(z, rows(n))[0]
    own = np.arange(_N) == examples[:, np.newaxis]
    same = np.array(groups)[examples][:, np.newaxis] == groups
    expected = [
        special.logsumexp(log_q, b=mask / mask.sum(axis=1, keepdims=True),
                          axis=1) for mask in (same, same & ~own, own)]
    result = log_aggregate_posterior(
        model, tf.data.Dataset.from_tensor_slices(data).batch(3), latents,
        examples, np.array(groups), chunk_size=3)
    self.assertAllClose(result, expected, rtol=1e-5, atol=1e-5)

  @parameterized.parameters(*THREE_LATENTS)
  def test_of_three_latents_is_the_mixture_of_normals(self, graph):
    linear = LinearModel(graph)
    data, names = linear.data(_N), linear.graph.latent_names
    groups = (np.arange(_N) % 2 if linear.graph.is_conditional
              else np.zeros(_N, int))
    mean, covariance = linear.q.moments(names, data)
    examples = np.array([1, 2, 6])
    z = np.random.default_rng(0).normal(size=(3, len(covariance)))
    ends = np.cumsum([size for _, size in linear.graph.latents])
    latents = dict(zip(names, np.split(
        np.float32(mean[examples] + z), ends[:-1], axis=1), strict=True))
    log_q = log_density(  # [draws, examples]
        np.concatenate(list(latents.values()), axis=1)[:, np.newaxis] - mean,
        covariance)
    own = np.arange(_N) == examples[:, np.newaxis]
    same = groups[examples][:, np.newaxis] == groups
    expected = [
        special.logsumexp(log_q, b=mask / mask.sum(axis=1, keepdims=True),
                          axis=1) for mask in (same, same & ~own, own)]
    result = log_aggregate_posterior(
        linear.model, tf.data.Dataset.from_tensor_slices(
            linear.inputs(data)).batch(4), latents, examples, groups)
    self.assertAllClose(result, expected, rtol=1e-4, atol=1e-4)


if __name__ == '__main__':
  tf.test.main()
