"""The KL regularizer: counted once, exact or estimated, and saved."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae.layers import MultivariateNormalDiag
from tfvae.layers.base.distribution_config import distribution_from_config
from tfvae.layers.base.distribution_config import distribution_to_config

tfd, tfpl = tfp.distributions, tfp.layers

_SIZE = 3


def _mixture():
  return tfd.MixtureSameFamily(
      tfd.Categorical(probs=[0.3, 0.7]),
      tfd.MultivariateNormalDiag(
          loc=[[-1.] * _SIZE, [1.] * _SIZE], scale_diag=[[.5] * _SIZE] * 2))


def _independent_normal():
  return tfd.Independent(tfd.Normal([0.5] * _SIZE, [2.] * _SIZE), 1)


def _parameters(n=5):
  rng = np.random.default_rng(0)
  return rng.normal(size=(n, 2 * _SIZE)).astype(np.float32)


def _kl_from_standard_normal(params):
  loc, log_variance = np.split(np.float64(params), 2, axis=-1)
  # ½ Σ (σ² + μ² − 1 − log σ²)
  return 0.5 * np.sum(
      np.exp(log_variance) + loc**2 - 1 - log_variance, axis=-1)


def _loss_of(layer, params):
  """The loss Keras adds for a layer, in a model, as `fit` sees it."""
  model = tf_keras.Sequential(
      [tf_keras.layers.InputLayer(params.shape[1:]), layer])
  model(params)
  return sum(model.losses)


class MonteCarloTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      conversion=['mean', 'mode', 'stddev', 'variance'], is_ours=[True, False])
  def test_tensor_that_is_no_draw_is_refused(self, conversion, is_ours):
    regularizer = tfvae.KLDivergenceRegularizer(_mixture())
    layer = MultivariateNormalDiag(
        _SIZE, conversion, activity_regularizer=regularizer) if is_ours else (
            tfpl.DistributionLambda(
                lambda t: tfd.MultivariateNormalDiag(
                    t[..., :_SIZE], tf.exp(t[..., _SIZE:])),
                convert_to_tensor_fn=getattr(tfd.Distribution, conversion),
                activity_regularizer=regularizer))
    # At the mean of q = N(m, I), log q − log p is not the KL of the two.
    with self.assertRaisesRegex(
        ValueError, f"'sample'.*Received: convert_to_tensor_fn='{conversion}'"):
      tf_keras.Sequential([tf_keras.layers.InputLayer([2 * _SIZE]), layer])

  def test_mean_will_do_where_the_kl_is_exact(self):
    params = _parameters()
    layer = MultivariateNormalDiag(
        _SIZE, 'mean', activity_regularizer=tfvae.KLDivergenceRegularizer(
            tfvae.priors.StandardNormal(_SIZE)))
    self.assertAllClose(
        _loss_of(layer, params), np.mean(_kl_from_standard_normal(params)),
        rtol=1e-5)


class CountedOnceTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      n=[1, 5],
      prior=[tfvae.priors.StandardNormal(_SIZE),
             tfd.MultivariateNormalDiag(tf.zeros(_SIZE))],
      weight=[1.0, 0.25])
  def test_loss_is_the_weighted_batch_mean(self, n, prior, weight):
    params = _parameters(n)
    layer = MultivariateNormalDiag(
        _SIZE, activity_regularizer=tfvae.KLDivergenceRegularizer(
            prior, weight))
    self.assertAllClose(
        _loss_of(layer, params),
        weight * np.mean(_kl_from_standard_normal(params)), rtol=1e-5)

  def test_once_on_a_layer_of_tfp_where_tfps_own_counts_twice(self):
    params, prior = _parameters(), tfd.MultivariateNormalTriL(tf.zeros(_SIZE))
    tril = tf.concat([params, tf.zeros([5, 3])], axis=-1)  # 3 + 6 parameters.
    q = tfpl.MultivariateNormalTriL.new(tril, _SIZE)
    covariance = np.float64(q.covariance())
    trace = np.trace(covariance, axis1=1, axis2=2)
    # KL(N(μ, Σ) ‖ N(0, I)) = ½ (tr Σ + μᵀμ − k − log det Σ)
    expected = np.mean(0.5 * (
        trace + np.sum(np.float64(q.mean())**2, -1) - _SIZE
        - np.linalg.slogdet(covariance)[1]))
    ours = tfvae.KLDivergenceRegularizer(prior)
    theirs = tfpl.KLDivergenceRegularizer(prior, use_exact_kl=True)
    for regularizer, count in ((ours, 1), (theirs, 2)):
      layer = tfpl.MultivariateNormalTriL(
          _SIZE, activity_regularizer=regularizer)
      self.assertAllClose(_loss_of(layer, tril), count * expected, rtol=1e-5)

  def test_draws_along_a_leading_dimension_do_not_change_the_mean(self):
    @tf_keras.saving.register_keras_serializable(package='test')
    def seven_draws(distribution):
      return distribution.sample(7)

    params = _parameters()
    layer = MultivariateNormalDiag(
        _SIZE, seven_draws, tfvae.KLDivergenceRegularizer(
            tfvae.priors.StandardNormal(_SIZE)))
    self.assertAllClose(
        _loss_of(layer, params), np.mean(_kl_from_standard_normal(params)),
        rtol=1e-5)


class ExactOrEstimatedTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('standard_normal', lambda: tfvae.priors.StandardNormal(_SIZE), True),
      ('diagonal', lambda: tfd.MultivariateNormalDiag(
          [0.5] * _SIZE, [2.] * _SIZE), True),
      ('independent', _independent_normal, False),
      ('mixture', _mixture, False))
  def test_kl(self, make_prior, exact):
    params, prior = _parameters(1), make_prior()
    regularizer = tfvae.KLDivergenceRegularizer(prior)
    # Many copies of one posterior: their mean estimates its KL.
    copies = np.repeat(params, 20_000, axis=0)
    kl = regularizer.kl(MultivariateNormalDiag(_SIZE)(copies)).numpy()
    self.assertEqual(np.ptp(kl) < 1e-5, exact)
    # An independent estimate, with NumPy's own draws in float64.
    loc, log_variance = np.split(np.float64(params), 2, axis=-1)
    noise = np.random.default_rng(1).normal(size=(20_000, _SIZE))
    z = loc + np.exp(log_variance / 2) * noise
    log_q = -0.5 * np.sum(
        noise**2 + log_variance + np.log(2 * np.pi), axis=-1)
    log_p = regularizer.prior_distribution().log_prob(np.float32(z)).numpy()
    reference = log_q - log_p
    error = np.hypot(kl.std(), reference.std()) / np.sqrt(len(z))
    self.assertLess(abs(kl.mean() - reference.mean()), 5 * error)

  def test_estimate_is_taken_at_the_draw_that_goes_on(self):
    posterior = MultivariateNormalDiag(_SIZE)(_parameters())
    prior = _mixture()
    z = tf.convert_to_tensor(posterior)
    self.assertAllClose(
        tfvae.KLDivergenceRegularizer(prior).kl(posterior),
        posterior.log_prob(z) - prior.log_prob(z))

  def test_use_exact_kl_false_estimates(self):
    posterior = MultivariateNormalDiag(_SIZE)(_parameters())
    estimate = tfvae.KLDivergenceRegularizer(
        tfvae.priors.StandardNormal(_SIZE), use_exact_kl=False).kl(posterior)
    self.assertNotAllClose(estimate, _kl_from_standard_normal(_parameters()))

  def test_use_exact_kl_true_insists(self):
    layer = MultivariateNormalDiag(
        _SIZE, activity_regularizer=tfvae.KLDivergenceRegularizer(
            _mixture(), use_exact_kl=True))
    with self.assertRaisesRegex(ValueError, 'No exact KL.*MixtureSameFamily'):
      _loss_of(layer, _parameters())


class WeightTest(tf.test.TestCase, parameterized.TestCase):

  def test_a_callback_moves_the_weight_and_it_is_saved(self):
    weight = tf.Variable(0.5, trainable=False)
    layer = MultivariateNormalDiag(
        _SIZE, activity_regularizer=tfvae.KLDivergenceRegularizer(
            tfvae.priors.StandardNormal(_SIZE), weight))
    inputs = tf_keras.layers.Input([2 * _SIZE])
    model = tf_keras.Model(inputs, layer(inputs))
    # The data's likelihood does not depend on the posterior here.
    model.compile('sgd', loss=lambda x, q: tf.zeros_like(x[:, 0]))
    params = _parameters()
    kl, seen = np.mean(_kl_from_standard_normal(params)), []

    class WarmUp(tf_keras.callbacks.Callback):

      def on_epoch_begin(self, epoch, logs=None):
        weight.assign(0.1 * (epoch + 1))

      def on_epoch_end(self, epoch, logs=None):
        seen.append(logs['loss'])

    model.fit(params, params, epochs=3, verbose=0, callbacks=[WarmUp()])
    self.assertAllClose(seen, kl * np.array([0.1, 0.2, 0.3]), rtol=1e-5)
    self.assertIn(weight.ref(), [w.ref() for w in model.non_trainable_weights])
    path = os.path.join(self.get_temp_dir(), 'weight.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path, compile=False)
    self.assertAllClose(loaded.layers[-1].activity_regularizer.weight, 0.3)
    self.assertLen(loaded.non_trainable_weights, 1)

  @parameterized.parameters(-1., float('nan'), float('inf'))
  def test_refuses_a_bad_weight(self, weight):
    with self.assertRaisesRegex(ValueError, f'weight={weight}'):
      tfvae.KLDivergenceRegularizer(_mixture(), weight)

  def test_refuses_a_trainable_weight(self):
    with self.assertRaisesRegex(ValueError, 'trainable=False'):
      tfvae.KLDivergenceRegularizer(_mixture(), tf.Variable(1.0))


class SavingTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (_mixture,), (_independent_normal,),
      (lambda: tfvae.priors.StandardNormal(_SIZE),))
  def test_layer_round_trip(self, make_prior):
    layer = MultivariateNormalDiag(
        _SIZE, activity_regularizer=tfvae.KLDivergenceRegularizer(
            make_prior(), weight=0.5, use_exact_kl=None))
    model = tf_keras.Sequential(
        [tf_keras.layers.InputLayer([2 * _SIZE]), layer])
    path = os.path.join(self.get_temp_dir(), 'prior.keras')
    model.save(path)
    regularizer = tf_keras.models.load_model(
        path).layers[-1].activity_regularizer
    z = tf.random.stateless_normal([9, _SIZE], [0, 1])
    self.assertEqual(regularizer.weight, 0.5)
    self.assertAllEqual(
        regularizer.prior_distribution().log_prob(z),
        layer.activity_regularizer.prior_distribution().log_prob(z))

  def test_config_of_a_distribution_keeps_dtypes_and_nesting(self):
    mixture = tfd.MixtureSameFamily(
        tfd.Categorical(logits=tf.constant([0.1, 0.2], tf.float64)),
        tfd.Normal(tf.constant([0., 1.], tf.float64), 1.))
    copy = distribution_from_config(distribution_to_config(mixture))
    x = np.linspace(-2, 2, 9)
    self.assertEqual(copy.dtype, tf.float64)
    self.assertAllEqual(copy.log_prob(x), mixture.log_prob(x))

  @parameterized.named_parameters(
      ('variable', lambda: tfd.Normal(tf.Variable(0.), 1.), 'Normal.loc'),
      ('bijector', lambda: tfd.TransformedDistribution(
          tfd.Normal([0.] * _SIZE, 1.), tfp.bijectors.Exp()), 'bijector'),
      ('number', lambda: 3.0, 'prior=3.0'))
  def test_refuses_a_prior_that_could_not_be_saved(self, make, message):
    with self.assertRaisesRegex(ValueError, message):
      tfvae.KLDivergenceRegularizer(make())


class ShapesTest(tf.test.TestCase):

  def test_refuses_another_event_shape(self):
    regularizer = tfvae.KLDivergenceRegularizer(
        tfvae.priors.StandardNormal(1))
    with self.assertRaisesRegex(ValueError, r'=\(3,\).*=\(1,\)'):
      regularizer.kl(MultivariateNormalDiag(_SIZE)(_parameters()))

  def test_refuses_a_posterior_whose_event_is_in_the_batch(self):
    regularizer = tfvae.KLDivergenceRegularizer(tfd.Normal(0., 1.))
    with self.assertRaisesRegex(ValueError, 'tfd.Independent'):
      regularizer(tfd.Normal(tf.zeros([4, _SIZE]), 1.))


if __name__ == '__main__':
  tf.test.main()
