"""The mixture of Gaussians against SciPy."""

import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf

from tfvae.priors import GaussianMixture


class GaussianMixtureTest(tf.test.TestCase):

  def test_log_density_equals_scipy(self):
    rng = np.random.default_rng(0)
    logits, loc, log_variance = (
        rng.normal(size=shape) for shape in ([4], [4, 3], [4, 3]))
    z = rng.normal(size=(2, 7, 3)).astype(np.float32)
    prior = GaussianMixture(3, 4)
    prior.set_weights([logits, loc, log_variance])
    components = stats.norm.logpdf(
        z[..., np.newaxis, :], loc, np.exp(log_variance / 2)).sum(axis=-1)
    # log Σ_k π_k N(z; μ_k, σ_k²)
    expected = special.logsumexp(
        components + special.log_softmax(logits), axis=-1)
    self.assertAllClose(
        prior.distribution().log_prob(z), expected, rtol=1e-5)

  def test_components_differ_at_first_and_together_resemble_the_standard(self):
    prior = GaussianMixture(50, 200)
    loc = prior.loc.numpy()
    self.assertLen(np.unique(loc.round(5), axis=0), 200)
    distribution = prior.distribution()
    # 50 estimates of a mean and a variance from 200 means of variance ½.
    self.assertAllClose(distribution.mean(), np.zeros(50),
                        atol=5 * (0.5 / 200)**0.5)
    self.assertAllClose(distribution.variance(), np.ones(50),
                        atol=5 * 0.5 * (2 / 199)**0.5)

  def test_seed_fixes_the_initial_means(self):
    first, again, other = (
        GaussianMixture(2, 3, seed=seed).loc.numpy() for seed in (1, 1, 2))
    self.assertAllEqual(first, again)
    self.assertNotAllClose(first, other)

  def test_components_are_drawn_as_often_as_they_weigh(self):
    prior, n = GaussianMixture(1, 5), 20_000
    # The first, the last and one in the middle are never drawn.
    probs = np.array([0.0, 0.1, 0.0, 0.9, 0.0])
    prior.set_weights([np.log(probs + 1e-30), 100. * np.arange(5)[:, None],
                       np.zeros([5, 1])])
    z = prior.distribution().sample(n, seed=[0, 1]).numpy()[:, 0]
    counts = np.bincount(np.round(z / 100).astype(int), minlength=5)
    self.assertAllEqual(counts[[0, 2, 4]], [0, 0, 0])
    self.assertGreater(
        stats.chisquare(counts[[1, 3]], n * probs[[1, 3]]).pvalue, 1e-3)


if __name__ == '__main__':
  tf.test.main()
