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
    make_encoder, make_decoder = NETWORKS[network]
    encoder = make_encoder(image_shape, 10, units, 'relu')
    decoder = make_decoder(5, image_shape, units, 'relu')
    self.assertEqual(encoder(tf.zeros([2, *image_shape])).shape, (2, 10))
    self.assertEqual(decoder(tf.zeros([2, 5])).shape, (2, *image_shape))

  def test_mlp_equals_numpy(self):
    make_encoder, make_decoder = NETWORKS['mlp']
    rng = np.random.default_rng(0)
    encoder = make_encoder((2, 3, 1), 4, (7, 5), 'tanh')
    decoder = make_decoder(4, (2, 3, 1), (7, 5), 'tanh')
    for model, shape in ((encoder, (9, 2, 3, 1)), (decoder, (9, 4))):
      x = rng.normal(size=shape).astype(np.float32)
      w1, b1, w2, b2, w3, b3 = model.get_weights()
      h = np.tanh(np.tanh(x.reshape(9, -1) @ w1 + b1) @ w2 + b2)
      self.assertAllClose(
          tf.reshape(model(x), [9, -1]), h @ w3 + b3, atol=1e-5)

  def test_decoder_mirrors_the_widths(self):
    make_encoder, make_decoder = NETWORKS['mlp']
    self.assertEqual([w.shape[1] for w in make_encoder(
        (2, 3, 1), 4, (7, 5), 'tanh').get_weights()[::2]], [7, 5, 4])
    self.assertEqual([w.shape[1] for w in make_decoder(
        4, (2, 3, 1), (7, 5), 'tanh').get_weights()[::2]], [5, 7, 6])

  def test_convolutional_network_is_local(self):
    """A pixel far from another one's receptive field leaves it alone."""
    encoder = NETWORKS['conv'][0]((16, 16, 1), 4, (3,), 'relu')
    x = tf.Variable(tf.random.stateless_normal([1, 16, 16, 1], [0, 1]))
    convolution = encoder.layers[1]
    with tf.GradientTape() as tape:
      corner = convolution(x)[0, 0, 0]
    gradient = tape.gradient(corner, x)[0, :, :, 0]
    self.assertAllEqual(gradient[4:, :], tf.zeros([12, 16]))
    self.assertAllEqual(gradient[:, 4:], tf.zeros([16, 12]))

  def test_conv_refuses_flat_data(self):
    with self.assertRaisesRegex(ValueError, r'use mlp.*shape=\(784,\)'):
      NETWORKS['conv'][0]((784,), 4)


if __name__ == '__main__':
  tf.test.main()
