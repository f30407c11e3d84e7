"""Means of evaluations over weighted examples, against NumPy and SciPy."""

import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf

from tests.models import small_vae
from tests.models.small_vae import data
import tfvae
from tfvae.evaluation.columns_measure import correlation_difference
from tfvae.evaluation.columns_measure import marginal_distance
from tfvae.tables import Column

_X = data(7)
_WEIGHTS = np.float32([0., 1., 2.5, 0.3, 4., 1., 0.5])


class SampleWeightsTest(tf.test.TestCase):

  def test_evaluation_is_weighted(self):
    model = small_vae.vae()
    batches = tf.data.Dataset.from_tensor_slices((_X, _X, _WEIGHTS)).batch(4)
    weighted = tfvae.evaluation.elbo(model, batches)
    plain = tfvae.evaluation.elbo(
        model, batches.map(lambda x, target, weights: x))
    values = plain.elbo.values
    self.assertAllEqual(weighted.elbo.values, values)
    self.assertAllClose(
        weighted.elbo.mean, np.average(values, weights=_WEIGHTS))
    # The error of a ratio of means, by its linearization.
    share = _WEIGHTS / _WEIGHTS.sum()
    error = np.sqrt(7 / 6 * (
        share**2 * (values - weighted.elbo.mean)**2).sum())
    self.assertAllClose(weighted.elbo.standard_error, error)
    self.assertAllClose(
        tfvae.evaluation.importance_weighted_nll(model, batches, 3).mean,
        np.average(tfvae.evaluation.importance_weighted_nll(
            model, batches, 3).values, weights=_WEIGHTS))

  def test_latent_space(self):
    model = small_vae.vae()
    batches = tf.data.Dataset.from_tensor_slices((_X, _X, _WEIGHTS)).batch(4)
    space = tfvae.evaluation.latent_space(model, batches)
    posterior = model.encoder(_X)
    mean, stddev = (np.float64(v) for v in (
        posterior.mean(), posterior.stddev()))
    share = np.float64(_WEIGHTS) / _WEIGHTS.sum()
    kl = 0.5 * (stddev**2 + mean**2 - 1 - 2 * np.log(stddev))
    latent, = space.latents.values()
    self.assertAllClose(latent.kl_per_dimension, share @ kl, rtol=1e-5)
    self.assertAllClose(
        latent.variances,
        share @ (mean - share @ mean)**2 / (1 - (share**2).sum()), rtol=1e-4)
    # Σ_n w_n q(z|x_n) at the draws, whose density shows where they are.
    z = np.concatenate([
        model.infer(_X[rows], tfvae.layers.SeededSample(
            tf.constant([0, 2 * index]), 16)).latents['z'][0]
        for index, rows in enumerate((slice(0, 4), slice(4, 7)))])
    log_densities = stats.norm.logpdf(
        z[:, np.newaxis], mean, stddev).sum(axis=2)
    self.assertAllClose(space.log_posterior, np.diagonal(log_densities),
                        rtol=1e-4, atol=1e-4)
    log_aggregate = special.logsumexp(log_densities, axis=1, b=share)
    self.assertAllClose(space.log_aggregate, log_aggregate, rtol=1e-4,
                        atol=1e-4)
    self.assertAllClose(
        space.mutual_information.mean,
        share @ (np.diagonal(log_densities) - log_aggregate), rtol=1e-3)

  def test_columns(self):
    # Whole weights repeat rows.
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=[40, 2]), rng.normal(0.3, 1.2, [50, 2])
    weights = rng.integers(4, size=40)
    repeated = np.repeat(real, weights, axis=0)
    columns = [Column('a', 'real'), Column('b', 'real')]
    self.assertAllClose(
        marginal_distance(columns[0], real[:, 0], made[:, 0], weights),
        stats.ks_2samp(repeated[:, 0], made[:, 0]).statistic)
    self.assertAllClose(
        correlation_difference(columns, real, made, weights),
        abs(np.corrcoef(repeated.T)[0, 1] - np.corrcoef(made.T)[0, 1]))
    codes = rng.integers(2, size=40)
    self.assertAllClose(
        marginal_distance(Column('c', 'binary', 'number', (0, 1)), codes,
                          np.zeros(5), weights),
        np.average(codes, weights=weights))


if __name__ == '__main__':
  tf.test.main()
