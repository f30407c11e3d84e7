"""Networks for any image shape."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.models import NETWORKS


class NetworksTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      network=list(NETWORKS),
      image_shape=[(28, 28, 1), (8, 8, 1), (7, 5, 3), (1, 2, 1)],
      units=[(4,), (6, 5, 4)])
  def test_shapes(self, network, image_shape, units):
    make_features, make_decoder = NETWORKS[network]
    features = make_features(image_shape, units, 'relu')
    decoder = make_decoder(5, image_shape, units, 'relu')
    self.assertEqual(features(tf.zeros([2, *image_shape])).shape,
                     (2, features.output_shape[-1]))
    self.assertEqual(decoder(tf.zeros([2, 5])).shape, (2, *image_shape))

  def test_mlp_equals_numpy(self):
    make_features, make_decoder = NETWORKS['mlp']
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 2, 3, 1)).astype(np.float32)
    z = rng.normal(size=(9, 4)).astype(np.float32)
    features = make_features((2, 3, 1), (7, 5), 'tanh')
    w1, b1, w2, b2 = features.get_weights()
    self.assertAllClose(
        features(x), np.tanh(np.tanh(x.reshape(9, 6) @ w1 + b1) @ w2 + b2),
        atol=1e-5)
    decoder = make_decoder(4, (2, 3, 1), (7, 5), 'tanh')
    w1, b1, w2, b2, w3, b3 = decoder.get_weights()
    h = np.tanh(np.tanh(z @ w1 + b1) @ w2 + b2)
    self.assertAllClose(
        tf.reshape(decoder(z), [9, 6]), h @ w3 + b3, atol=1e-5)

  def test_decoder_mirrors_the_widths(self):
    make_features, make_decoder = NETWORKS['mlp']
    for model, widths in (
        (make_features((2, 3, 1), (7, 5), 'tanh'), [7, 5]),
        (make_decoder(4, (2, 3, 1), (7, 5), 'tanh'), [5, 7, 6])):
      self.assertEqual([w.shape[1] for w in model.get_weights()[::2]], widths)

  def test_convolution_is_local(self):
    """A pixel outside a feature's receptive field leaves it alone."""
    features = NETWORKS['conv'][0]((16, 16, 1), (3,), 'relu')
    x = tf.Variable(tf.random.stateless_normal([1, 16, 16, 1], [0, 1]))
    with tf.GradientTape() as tape:
      corner = features(x)[0, :3]
    gradient = tape.gradient(corner, x)[0, :, :, 0]
    self.assertAllEqual(gradient[4:, :], tf.zeros([12, 16]))
    self.assertAllEqual(gradient[:, 4:], tf.zeros([16, 12]))

  def test_conv_refuses_flat_data(self):
    with self.assertRaisesRegex(ValueError, r"network='mlp'.*shape=\(784,\)"):
      NETWORKS['conv'][0]((784,))


if __name__ == '__main__':
  tf.test.main()
