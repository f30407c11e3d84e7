"""β-TCVAE: its three terms in float64, and what they estimate."""

from absl.testing import parameterized
import numpy as np
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae.layers import SeededSample
from tfvae.models import Inference
from tfvae.objectives import BetaTC

tfd = tfp.distributions

_SIZE, _LATENT = 6, 3


def _model(prior=None, head=None):
  tf_keras.utils.set_random_seed(1)
  regularizer = tfvae.KLDivergenceRegularizer(
      prior or tfvae.priors.StandardNormal(_LATENT))
  head = head or tfvae.layers.MultivariateNormalDiag(
      _LATENT, activity_regularizer=regularizer)
  return tfvae.VAE(
      tf_keras.Sequential([
          tf_keras.layers.Dense(
              head.params_size(_LATENT), input_shape=[_SIZE]), head]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(_SIZE, input_shape=[_LATENT]),
          tfvae.layers.IndependentBernoulli([_SIZE])]))


def _data(n):
  rng = np.random.default_rng(n)
  return (rng.random((n, _SIZE)) < 0.4).astype(np.float32)


def _inference(model, x):
  return model.infer(x, SeededSample(tf.constant([1, 2])))


def _expected(z, loc, scale, num_examples):
  """Equations of the paper, one pair of examples at a time."""
  n, size = z.shape
  joint, product = np.zeros(n), np.zeros(n)
  for i in range(n):
    log_q = np.array([
        [scipy.stats.norm.logpdf(z[i, d], loc[j, d], scale[j, d])
         for d in range(size)] for j in range(n)])
    # log q(z_i) = log Σ_j Π_d q(z_i,d|x_j) − log(N M)
    joint[i] = scipy.special.logsumexp(log_q.sum(axis=1)) - np.log(
        num_examples * n)
    product[i] = sum(
        scipy.special.logsumexp(log_q[:, d]) - np.log(num_examples * n)
        for d in range(size))
  given_x = scipy.stats.norm.logpdf(z, loc, scale).sum(axis=1)
  return {'mutual_information': given_x - joint,
          'total_correlation': joint - product,
          'dimension_wise_kl': product - scipy.stats.norm.logpdf(z).sum(axis=1)}


class TermsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1, 9)
  def test_equal_float64(self, n):
    inference = _inference(_model(), _data(n))
    posterior = inference.posteriors['z']
    expected = _expected(*(np.float64(part) for part in (
        inference.latents['z'], posterior.mean(), posterior.stddev())), 50)
    actual = BetaTC(2.0, 50).terms(inference)
    self.assertEqual(actual.keys(), expected.keys())
    for name, value in expected.items():
      self.assertAllClose(actual[name], value, rtol=1e-5, atol=1e-5, msg=name)

  @parameterized.parameters(0.3, 1.0)
  def test_objective_weighs_the_total_correlation(self, kl_factor):
    x, model = _data(9), _model()
    values = BetaTC(5.0, 50)(model, x, x, tf.constant([1, 2]), kl_factor, True)
    inference = _inference(model, x)
    posterior = inference.posteriors['z']
    terms = _expected(*(np.float64(part) for part in (
        inference.latents['z'], posterior.mean(), posterior.stddev())), 50)
    penalty = (terms['mutual_information'] + 5 * terms['total_correlation']
               + terms['dimension_wise_kl'])
    # Without the constant of the estimate, (β − 1)(d − 1) log N.
    penalty -= 4 * (_LATENT - 1) * np.log(50)
    self.assertAllClose(values['objective'], kl_factor * penalty
                        - values['reconstruction'], rtol=1e-5, atol=1e-5)

  def test_number_of_examples_does_not_move_the_objective(self):
    x, model = _data(9), _model()
    few, many = (
        BetaTC(5.0, n)(model, x, x, tf.constant([1, 2]), 1.0, True)['objective']
        for n in (9, 60_000))
    self.assertAllClose(few, many, rtol=1e-5)

  def test_is_the_elbo_at_beta_one(self):
    prior = tfvae.priors.LearnedNormal(_LATENT)
    prior.set_weights(np.array([[.3, -.2, .1], [.2, .1, -.4]]))
    x, model = _data(9), _model(prior)
    values = BetaTC(1.0, 9)(model, x, x, tf.constant([1, 2]), 1.0, True)
    inference = _inference(model, x)
    # The log-ratio at the draw stands for the KL.
    self.assertAllClose(
        values['objective'],
        -model.log_likelihood(inference.latents, x) - inference.log_ratio(),
        rtol=1e-5, atol=1e-5)

  def test_total_correlation_of_a_correlated_normal(self):
    # x_n spread with correlation ρ, posteriors with a small σ: q(z) is nearly
    # N(0, C), whose total correlation is −½ log det C for unit variances.
    n, correlation, variance = 3000, 0.8, 0.02
    rng = np.random.default_rng(0)
    cov = np.array([[1., correlation], [correlation, 1.]])
    loc = rng.multivariate_normal(
        np.zeros(2), cov - variance * np.eye(2), n).astype(np.float32)
    posterior = tfd.MultivariateNormalDiag(loc, [variance**0.5] * 2)
    prior = tfd.MultivariateNormalDiag(tf.zeros(2))
    z = posterior.sample(seed=[1, 2])
    # With N = 1 the minibatch is taken for the whole of the data.
    terms = BetaTC(1.0, 1).terms(
        Inference({'z': z}, {'z': posterior}, {'z': prior}, {}))
    expected = {'total_correlation': -0.5 * np.log(1 - correlation**2),
                # H(z) − H(z|x)
                'mutual_information': 0.5 * np.log(
                    (1 - correlation**2) / variance**2),
                'dimension_wise_kl': 0.0}
    for name, value in expected.items():
      nats = np.float64(terms[name])
      error = nats.std() / n**0.5
      # The kernels' estimate itself is off by some hundredths of a nat.
      self.assertAllClose(nats.mean(), value, atol=3 * error + 0.05, msg=name)


class RefusalTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (-1., 10, 'beta=-1'), (float('nan'), 10, 'beta=nan'),
      (float('inf'), 10, 'beta=inf'), (1., 0, 'num_examples=0'),
      (1., 2.5, 'num_examples=2.5'))
  def test_refuses_settings(self, beta, num_examples, message):
    with self.assertRaisesRegex(ValueError, f'Received: {message}'):
      BetaTC(beta, num_examples)

  def test_refuses_several_latents(self):
    model = tfvae.models.image_vae(
        tfvae.graph.GraphicalModel.parse(
            'z1:3,z2:2', 'z1|x; z2|z1', 'z2; z1|z2; x|z1'), (2, 3, 1), 'mlp',
        (5,))
    x = _data(2).reshape(2, 2, 3, 1)
    with self.assertRaisesRegex(ValueError, 'single latent.*latents=z1,z2'):
      BetaTC(2.0, 9)(model, x, x, tf.constant([1, 2]), 1.0, True)

  def test_refuses_a_full_covariance(self):
    head = tfp.layers.MultivariateNormalTriL(
        _LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(
            tfd.MultivariateNormalTriL(
                tf.zeros(_LATENT), tf.eye(_LATENT))))
    x = _data(2)
    with self.assertRaisesRegex(ValueError, 'diagonal normal.*TriL'):
      BetaTC(2.0, 9)(
          _model(head=head), x, x, tf.constant([1, 2]), 1.0, True)


if __name__ == '__main__':
  tf.test.main()
