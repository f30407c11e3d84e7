"""Simulation-based calibration of posteriors that are exact, and are not."""

import functools

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tests.linear_gaussian import LinearGaussian
import tfvae
from tfvae import models
from tfvae.evaluation.calibration.simulation import simulation_based_calibration
from tfvae.graph import GraphicalModel


@functools.cache
def _calibration(**distortion):
  return simulation_based_calibration(LinearGaussian(**distortion).model)


def _graph_vae(text, units=()):
  """A `GraphVAE` of two dimensions of x and two classes."""
  tf_keras.utils.set_random_seed(2)
  graph = GraphicalModel.parse(*text)
  return models.GraphVAE(
      graph, tf_keras.Sequential([tf_keras.layers.Flatten(input_shape=[2])]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(2, input_shape=[
              models.decoder_input_size(graph, 2)]),
          tfvae.layers.IndependentNormal([2], 1.0)]),
      num_classes=2, factor_units=units)


def _labels(n):
  return np.eye(2, dtype=np.float32)[np.arange(n) % 2]


class SimulationBasedCalibrationTest(tf.test.TestCase, parameterized.TestCase):

  def test_the_exact_posterior_passes(self):
    calibration = _calibration()
    self.assertTrue(calibration.is_calibrated())
    self.assertIn('Calibrated', calibration.describe()[0])
    for level in (0.5, 0.8, 0.95):
      coverage, nominal = calibration.coverage(level)
      self.assertAllClose(nominal, level)
      error = np.sqrt(level * (1 - level) / 1000)
      self.assertAllLess(np.abs(coverage['z'] - level) / error, 3.5)
    # Uniform on 0, …, 199: mean 199 / 2, variance (200² − 1) / 12.
    error = np.sqrt((200**2 - 1) / 12 / 1000)
    self.assertAllLess(
        np.abs(calibration.ranks['z'].mean(axis=0) - 99.5) / error, 3.5)

  @parameterized.parameters(
      (0.5, 0.0, 'too narrow in 3'), (2.0, 0.0, 'too wide in 3'),
      (1.0, 0.4, 'shifted in 3'))
  def test_another_fails(self, factor, shift, verdict):
    """z̃ ~ N(μ, V) and z_l ~ N(μ + shift, factor² V) given x̃."""
    calibration = _calibration(factor=factor, shift=shift)
    self.assertFalse(calibration.is_calibrated())
    self.assertLen(calibration.describe(), 1)
    self.assertIn(verdict, calibration.describe()[0])

    def below(order):
      """P(z̃ < z_(order)), of the ordered draws; U_(k) ~ Beta(k, 200 − k)."""
      u = stats.beta(order, 200 - order).ppf((np.arange(4000) + 0.5) / 4000)
      return stats.norm.cdf(
          shift / np.sqrt(LinearGaussian().variance)
          + factor * stats.norm.ppf(u)[:, np.newaxis]).mean(axis=0)

    for level, tail in ((0.5, 50), (0.95, 5)):
      expected = below(200 - tail) - below(tail)
      error = np.sqrt(expected * (1 - expected) / 1000)
      self.assertAllLess(np.abs(
          calibration.coverage(level)[0]['z'] - expected) / error, 3.5)

  def test_a_hierarchy_is_ranked_in_joint_draws(self):
    """q(z2) q(z1|z2,x) with q(z2|x) = p(z2), and z1, x apart from z2."""
    model = _graph_vae(('z1:2,z2:1', 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1'))
    for name in ('z1', 'z2'):
      network = model.inference_factors[name].network[-1]
      network.set_weights([np.zeros(w.shape) for w in network.get_weights()])
    slope = np.float32([[2.0, -1.0, 0.0, 0.0]])
    model.priors['z1'].network[-1].set_weights([slope, np.zeros(4)])
    model.decoder.set_weights([np.zeros([2, 2]), np.zeros(2)])
    # q(z1|z2,x) = p(z1|z2); its parents are z2, then x.
    model.inference_factors['z1'].network[-1].set_weights(
        [np.concatenate([slope, np.zeros([2, 4])]), np.zeros(4)])
    calibration = simulation_based_calibration(model, 500)
    self.assertEqual({name: ranks.shape for name, ranks
                      in calibration.ranks.items()},
                     {'z1': (500, 2), 'z2': (500, 1)})
    self.assertTrue(calibration.is_calibrated())

  def test_a_conditional_model_gets_its_labels(self):
    """p(z|y) = N(3 y_0, I), and x is apart from z, as q(z|x,y) should know."""
    model = _graph_vae(('z:1', 'z|x,y', 'z|y; x|z'))
    slope = np.float32([[3.0, 0.0], [0.0, 0.0]])
    model.priors['z'].network[-1].set_weights([slope, np.zeros(2)])
    model.decoder.set_weights([np.zeros([1, 2]), np.zeros(2)])
    posterior = model.inference_factors['z'].network[-1]
    for kernel, passes in ((slope, True), (slope[::-1], False)):
      posterior.set_weights(
          [np.concatenate([np.zeros([2, 2]), kernel]), np.zeros(2)])
      calibration = simulation_based_calibration(
          model, 300, inputs={'y': _labels(300)}, num_bins=10)
      self.assertEqual(calibration.is_calibrated(), passes)

  def test_repeats_and_leaves_no_draw_out(self):
    model = LinearGaussian().model
    results = [
        simulation_based_calibration(
            model, 60, draws, num_bins=2, batch_size=batch, seed=seed)
        .ranks['z'] for draws, batch, seed in (
            (129, 25, 1), (129, 25, 1), (129, 25, 2), (7, 60, 1))]
    self.assertAllEqual(results[0], results[1])
    self.assertNotAllClose(results[0], results[2])
    self.assertBetween(results[0].max(), 100, 129)
    self.assertEqual((results[3].min(), results[3].max()), (0, 7))

  def test_under_xla(self):
    calibration = simulation_based_calibration(
        LinearGaussian().model, 200, 19, 10, jit_compile=True)
    self.assertTrue(calibration.is_calibrated())

  @parameterized.parameters(
      (dict(num_draws=0), 'num_draws=0'), (dict(batch_size=0), 'batch_size=0'),
      (dict(num_bins=1), 'num_bins=1'), (dict(num_draws=100), 'must divide'),
      (dict(num_simulations=99), 'num_simulations=99'),
      (dict(inputs={'y': _labels(3)}), r"inputs\['y'\].shape=\(3, 2\)"))
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      simulation_based_calibration(LinearGaussian().model, **arguments)

  @parameterized.parameters((None,), ({'y': _labels(100)},))
  def test_refuses_a_label_that_only_the_posterior_sees(self, inputs):
    """A simulated x has no label, so there is no joint to rank in."""
    model = _graph_vae(('z:1', 'z|x,y', 'z; x|z'))
    with self.assertRaisesRegex(
        ValueError, 'joint distribution.*in no factor of p.*z|x,y'):
      simulation_based_calibration(model, 100, inputs=inputs)

  def test_refuses_a_conditional_model_without_labels(self):
    model = _graph_vae(('z:1', 'z|x,y', 'z; x|z,y'))
    with self.assertRaisesRegex(ValueError, 'conditional'):
      simulation_based_calibration(model)


if __name__ == '__main__':
  tf.test.main()
