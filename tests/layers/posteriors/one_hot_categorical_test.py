from absl.testing import parameterized
import numpy as np
from scipy import special
import tensorflow as tf

from tfvae.layers.posteriors.one_hot_categorical import OneHotCategorical


class OneHotCategoricalTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(1.0, 40.0)
  def test_density_and_gradient(self, scale):
    logits = scale * np.random.default_rng(0).normal(size=[2, 5, 4])
    y = np.eye(4)[np.arange(10).reshape(2, 5) % 4]
    variable = tf.constant(logits, tf.float32)
    with tf.GradientTape() as tape:
      tape.watch(variable)
      log_prob = OneHotCategorical(4).distribution(variable).log_prob(y)
    self.assertAllClose(
        log_prob, np.sum(y * special.log_softmax(logits, -1), -1),
        rtol=1e-5, atol=1e-5)
    # ∂ log q(y) / ∂ logits = y − softmax(logits)
    self.assertAllClose(tape.gradient(log_prob, variable),
                        y - special.softmax(logits, -1), atol=1e-5)

  def test_is_float32_under_a_half_precision_policy(self):
    q = OneHotCategorical(3).distribution(tf.zeros([2, 3], tf.bfloat16))
    self.assertEqual(q.sample(seed=[0, 1]).dtype, tf.float32)
    self.assertEqual(q.event_shape, [3])

  def test_is_made_from_its_config(self):
    layer = OneHotCategorical(3, name='q_y')
    copy = OneHotCategorical.from_config(layer.get_config())
    self.assertEqual((copy.event_size, copy.name), (3, 'q_y'))
    self.assertEqual(layer.params_size(3), 3)

  def test_refuses_another_number_of_logits(self):
    with self.assertRaisesRegex(ValueError, 'a logit for each class.*event_si'):
      OneHotCategorical(3).distribution(tf.zeros([2, 4]))


if __name__ == '__main__':
  tf.test.main()
