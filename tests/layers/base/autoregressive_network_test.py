"""The masked layers of autoregressive networks."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.layers.base.autoregressive_network import autoregressive_masks
from tfvae.layers.base.autoregressive_network import AutoregressiveNetwork
from tfvae.layers.base.autoregressive_network import MaskedDense


class MaskedDenseTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      event_size=[2, 5], hidden_units=[(), (7,), (9, 4)],
      reverse=[False, True], has_context=[False, True])
  def test_an_output_sees_all_inputs_before_it_and_no_other(
      self, event_size, hidden_units, reverse, has_context):
    if has_context and hidden_units == (9, 4):
      hidden_units = (9, 6)  # Four units cannot have the five degrees 0 … 4.
    masks = autoregressive_masks(
        event_size, hidden_units, 2, reverse, has_context)
    self.assertEqual([mask.shape[1] for mask in masks],
                     [*hidden_units, 2 * event_size])
    paths = np.eye(event_size, dtype=int)
    for mask in masks:
      paths = paths @ mask  # The number of paths from each input.
    before = np.triu(np.ones([event_size, event_size], bool), k=1)
    before = before.T if reverse else before
    self.assertAllEqual(paths > 0, np.tile(before, 2))
    if has_context:  # All of the first layer sees it, and so do all outputs.
      paths = np.ones([1, masks[0].shape[1]], int)
      for mask in masks[1:]:
        paths = paths @ mask
      self.assertAllGreater(paths, 0)

  @parameterized.parameters(True, False)
  def test_equals_numpy(self, use_bias):
    rng = np.random.default_rng(0)
    mask = rng.integers(2, size=(3, 4))
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    layer = MaskedDense(mask, activation='tanh', use_bias=use_bias,
                        bias_initializer='ones')
    actual = layer(x)
    kernel = np.float64(layer.get_weights()[0]) * mask
    self.assertAllClose(actual, np.tanh(x @ kernel + use_bias), rtol=1e-5)

  def test_config_round_trip(self):
    layer = MaskedDense([[1, 0], [1, 1], [0, 1]], activation='tanh')
    copy = MaskedDense.from_config(layer.get_config())
    self.assertEqual(copy.units, 2)
    self.assertEqual(copy.get_config(), layer.get_config())


class AutoregressiveNetworkTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(hidden_units=[(), (4,), (5, 5)], context_size=[0, 3],
                         reverse=[False, True])
  def test_begins_at_the_identity(self, hidden_units, context_size, reverse):
    network = AutoregressiveNetwork(
        3, hidden_units, reverse=reverse, context_size=context_size)
    rng = np.random.default_rng(0)
    z = rng.normal(size=[7, 3]).astype(np.float32)
    context = rng.normal(size=[7, 3]).astype(np.float32)
    for outputs in network(z, context if context_size else None):
      self.assertAllEqual(outputs, np.zeros([7, 3]))


if __name__ == '__main__':
  tf.test.main()
