"""The standard normal prior."""

import numpy as np
from scipy import stats
import tensorflow as tf

from tfvae.priors import StandardNormal


class StandardNormalTest(tf.test.TestCase):

  def test_log_density_equals_scipy(self):
    z = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    prior = StandardNormal(4).distribution()
    self.assertEqual((prior.batch_shape, prior.event_shape), ((), (4,)))
    self.assertAllClose(
        prior.log_prob(z), stats.norm.logpdf(z).sum(axis=1), rtol=1e-5)

  def test_draws_pass_a_kolmogorov_smirnov_test(self):
    z = StandardNormal(2).distribution().sample(5000, seed=[0, 1]).numpy()
    self.assertGreater(stats.kstest(z.ravel(), 'norm').pvalue, 1e-3)

  def test_config_round_trip(self):
    copy = StandardNormal.from_config(StandardNormal(4).get_config())
    self.assertEqual(copy.event_size, 4)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, 'event_size=0'):
      StandardNormal(0)


if __name__ == '__main__':
  tf.test.main()
