import numpy as np
from scipy import special
import tensorflow as tf

from tfvae.priors.label_prior import LabelPrior


class LabelPriorTest(tf.test.TestCase):

  def test_is_uniform_at_first(self):
    prior = LabelPrior(4)
    self.assertAllClose(prior.distribution().log_prob(np.eye(4)),
                        np.full(4, -np.log(4)))
    self.assertEqual(prior.distribution().batch_shape, [])

  def test_density_and_gradient_of_its_logits(self):
    prior = LabelPrior(3)
    logits = np.array([0.5, -30.0, 2.0])
    prior.logits.assign(logits)
    with tf.GradientTape() as tape:
      log_prob = prior.distribution().log_prob(np.eye(3)[:2])
    self.assertAllClose(log_prob, special.log_softmax(logits)[:2], rtol=1e-6)
    self.assertAllClose(tape.gradient(log_prob, prior.logits),
                        [1, 1, 0] - 2 * special.softmax(logits), atol=1e-6)

  def test_is_made_from_its_config(self):
    copy = LabelPrior.from_config(LabelPrior(3, name='p_y').get_config())
    self.assertEqual((copy.event_size, copy.name), (3, 'p_y'))
    self.assertLen(copy.trainable_weights, 1)

  def test_refuses_a_bad_number_of_classes(self):
    with self.assertRaisesRegex(ValueError, 'Received: event_size=0'):
      LabelPrior(0)


if __name__ == '__main__':
  tf.test.main()
