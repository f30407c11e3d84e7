"""Refined posteriors of models whose exact posterior is known."""

import numpy as np
import tensorflow as tf

from tests import label_models
from tests.linear_gaussian import LinearGaussian
from tests.missing_linear_gaussian import MissingLinearGaussian
from tfvae import models
from tfvae.graph import GraphicalModel
from tfvae.inference import moved_posteriors
from tfvae.inference import refine
from tfvae.inference import RowSeededSample
from tfvae.layers import MultivariateNormalTriL


def _draw(n):
  return RowSeededSample(np.random.default_rng(0).integers(
      -2**31, 2**31, size=[n, 2]).astype(np.int32))


def _refine(model, inputs, steps):
  """Returns the result of a graph; in eager mode each step takes longer."""
  n = len(inputs['x'] if isinstance(inputs, dict) else inputs)
  return tf.function(lambda: refine(model, inputs, steps, _draw(n)))()


class RefineTest(tf.test.TestCase):

  def test_reaches_the_exact_posterior_and_gains_the_gap(self):
    exact = LinearGaussian(factor=0.6, shift=-0.5)
    x = exact.draw(50)
    found = _refine(exact.model, x, 60)
    self.assertAllClose(found.posteriors['z'].mean(), exact.posterior_mean(x),
                        atol=1e-4)
    self.assertAllClose(
        found.posteriors['z'].stddev(),
        np.tile(np.sqrt(exact.variance), [50, 1]), rtol=1e-4)
    gain = found.gain.numpy()
    self.assertLess(abs(gain.mean() - exact.gap()),
                    4.5 * gain.std() / len(x)**0.5)
    self.assertLess(gain.std() / len(x)**0.5, 0.05)

  def test_full_covariance_and_missing_values(self):
    exact = MissingLinearGaussian(factor=1.5)
    _, x = exact.draw(20)
    found = _refine(exact.model, x, 60).posteriors['z']
    exact.model.factor = 1.0
    expected = exact.model.infer(x, lambda q: q.mean()).posteriors['z']
    self.assertAllClose(found.mean(), expected.mean(), atol=1e-3)
    self.assertAllClose(
        found.covariance(), expected.covariance(), atol=1e-3)

  def test_several_latents(self):
    model = models.image_vae(
        GraphicalModel.parse('z1:2,z2:3', 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1'),
        (4, 4, 1), hidden_units=(8,), factor_units=(4,))
    x = np.float32(np.random.default_rng(0).random([30, 4, 4, 1]) < 0.5)
    found = _refine(model, x, 20)
    self.assertEqual(list(found.posteriors), ['z2', 'z1'])
    self.assertEqual(found.posteriors['z1'].batch_shape, [30])
    self.assertGreater(np.mean(found.gain), 0)

  def test_a_missing_label_is_the_most_probable_one(self):
    model, x = label_models.label_vae('label_first'), label_models.EVERY_X
    missing = np.zeros([8, 3], np.float32)

    @tf.function
    def gain(y):
      return refine(model, {'x': x, 'y': y}, 5, _draw(8)).gain

    complete = model.completed({'x': x, 'y': missing})['y']
    self.assertAllClose(gain(missing), gain(complete))

  def test_a_row_depends_on_its_own_seed(self):
    exact = LinearGaussian(factor=0.6)
    x, draw = exact.draw(40), np.int32(np.arange(80).reshape(40, 2))

    @tf.function(input_signature=[tf.TensorSpec([None, 6]),
                                  tf.TensorSpec([None, 2], tf.int32)])
    def function(x, seeds):
      found = refine(exact.model, x, 5, RowSeededSample(seeds))
      return found.posteriors['z'].mean(), found.gain

    whole = function(x, draw)
    for rows in (slice(3, 4), slice(20, 33), slice(0, 0)):
      self.assertAllClose(function(x[rows], draw[rows]),
                          tuple(part[rows] for part in whole), atol=1e-5)

  def test_refuses(self):
    flow = models.image_vae('z:2', (4, 4, 1), hidden_units=(4,),
                            posterior='iaf')
    x = np.zeros([2, 4, 4, 1], np.float32)
    with self.assertRaisesRegex(ValueError, 'needs Gaussian.*FlowedNormal'):
      refine(flow, x, 1, _draw(2))
    with self.assertRaisesRegex(ValueError, 'above 0.*steps=0'):
      refine(LinearGaussian().model, x, 0, _draw(2))


class NaturalDirectionTest(tf.test.TestCase):

  def test_solves_with_the_fisher_information(self):
    """F_ij = ∂_iμᵀ Σ⁻¹ ∂_jμ + ½ tr(Σ⁻¹ ∂_iΣ Σ⁻¹ ∂_jΣ), in float64."""
    size, rng = 3, np.random.default_rng(0)
    params = rng.normal(size=[1, MultivariateNormalTriL.params_size(size)])
    gradient = np.float32(rng.normal(size=params.shape))
    posterior = MultivariateNormalTriL.new(np.float32(params), size)
    offset = np.zeros(params.shape[1])

    def moments(offset):
      q = moved_posteriors.moved(
          posterior, tf.constant(offset[np.newaxis], tf.float32))
      return np.float64(q.mean()[0]), np.float64(q.covariance()[0])

    step = 0.01
    of_mean, of_covariance = zip(*(
        [(high - low) / (2 * step) for high, low in zip(
            moments(offset + step * e), moments(offset - step * e),
            strict=True)] for e in np.eye(len(offset))), strict=True)
    precision = np.linalg.inv(moments(offset)[1])
    fisher = [[a @ precision @ b + 0.5 * np.trace(
        precision @ c @ precision @ d)
               for b, d in zip(of_mean, of_covariance, strict=True)]
              for a, c in zip(of_mean, of_covariance, strict=True)]
    self.assertAllClose(
        moved_posteriors.natural_direction(posterior, gradient, 1e9)[0],
        np.linalg.solve(fisher, gradient[0]), rtol=2e-3, atol=2e-3)

  def test_diagonal_and_limits(self):
    exact = LinearGaussian()
    q = exact.model.infer(exact.draw(1), lambda q: q.mean()).posteriors['z']
    gradient = np.float32([[0.1, 100., -100., 0.2, 10., -10.]])
    sigma = np.sqrt(exact.variance)
    self.assertAllClose(
        moved_posteriors.natural_direction(q, gradient, 1.0)[0],
        [0.1 * sigma[0]**2, sigma[1], -sigma[2], 0.1, 1., -1.])


if __name__ == '__main__':
  tf.test.main()
