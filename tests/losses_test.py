"""The reconstruction loss."""

import functools

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae.layers import IndependentBernoulli
from tfvae.losses import log_likelihood_of_elements

tfd = tfp.distributions


class NegativeLogLikelihoodTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(np.float32, np.int64, np.bool_)
  def test_equals_scipy(self, dtype):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, 6)).astype(np.float32)
    x = (rng.random((5, 6)) < 0.5).astype(dtype)
    expected = -stats.bernoulli(1 / (1 + np.exp(-np.float64(logits)))).logpmf(
        x.astype(np.int64)).sum(axis=1)
    likelihood = IndependentBernoulli(6)(logits)
    loss = tfvae.NegativeLogLikelihood()
    self.assertAllClose(loss.call(x, likelihood), expected, rtol=1e-5)
    self.assertAllClose(loss(x, likelihood), expected.mean(), rtol=1e-5)

  def test_any_distribution_will_do(self):
    x = np.linspace(-2, 2, 12).reshape(4, 3).astype(np.float32)
    likelihood = tfd.Independent(tfd.Normal(tf.zeros([4, 3]), 2.), 1)
    self.assertAllClose(
        tfvae.NegativeLogLikelihood().call(x, likelihood),
        -stats.norm(0, 2).logpdf(x).sum(axis=1), rtol=1e-5)

  def test_elements_add_up(self):
    x = np.linspace(-2, 2, 12).reshape(4, 3).astype(np.float32)
    normal = tfd.Normal(tf.zeros([4, 3]), 2.)
    self.assertAllClose(
        log_likelihood_of_elements(x, tfd.Independent(normal, 1)),
        stats.norm(0, 2).logpdf(x), rtol=1e-5)
    joint = tfd.MultivariateNormalDiag(tf.zeros([4, 3]), tf.ones([3]))
    with self.assertRaisesRegex(ValueError, 'are independent.*Received'):
      log_likelihood_of_elements(x, joint)

  def test_config_round_trip(self):
    loss = tfvae.NegativeLogLikelihood(name='nll', reduction='sum')
    copy = tf_keras.losses.deserialize(tf_keras.losses.serialize(loss))
    self.assertIsInstance(copy, tfvae.NegativeLogLikelihood)
    self.assertEqual(copy.get_config(), loss.get_config())

  @parameterized.parameters(((4,),), ((4, 6, 1),), ((4, 5),))
  def test_refuses_data_of_another_shape(self, shape):
    likelihood = IndependentBernoulli(6)(tf.zeros([4, 6]))
    with self.assertRaisesRegex(ValueError, r'event shape=\(4, 6\)'):
      tfvae.NegativeLogLikelihood().call(tf.zeros(shape), likelihood)

  def test_refuses_a_tensor(self):
    with self.assertRaisesRegex(ValueError, 'ends in a distribution layer'):
      tfvae.NegativeLogLikelihood().call(tf.zeros([4, 6]), tf.zeros([4, 6]))

  @parameterized.parameters(
      (True, 'gray'), (True, 'bytes'), (True, 'signed'), (False, 'nan'))
  def test_first_batch_outside_the_support(self, run_eagerly, bad):
    x = (np.arange(12).reshape(2, 6) % 2).astype(np.float32)
    wrong = {'gray': 0.5 * x, 'bytes': np.uint8(255 * x), 'signed': 2 * x - 1,
             'nan': np.where(x, np.nan, x)}[bad]
    model = tf_keras.Sequential([
        tf_keras.layers.Dense(6, input_shape=[6]), IndependentBernoulli(6)])
    model.compile('sgd', loss=tfvae.NegativeLogLikelihood(),
                  run_eagerly=run_eagerly)
    before = model.get_weights()
    error = ValueError if run_eagerly else tf.errors.InvalidArgumentError
    with self.assertRaisesRegex(
        error, 'IndependentBernoulli takes data that are 0 or 1'):
      model.fit(x, wrong, verbose=0)
    for weight, value in zip(model.get_weights(), before, strict=True):
      self.assertAllEqual(weight, value)
    model.compile('sgd', loss=tfvae.NegativeLogLikelihood(check_data=False),
                  run_eagerly=True)
    model.fit(x, wrong, verbose=0)

  def test_functions_check_their_own_first_batch(self):
    x = (np.arange(12).reshape(2, 6) % 2).astype(np.float32)
    model = tf_keras.Sequential([
        tf_keras.layers.Dense(6, input_shape=[6]), IndependentBernoulli(6)])
    model.compile('sgd', loss=tfvae.NegativeLogLikelihood())
    model.fit(x, x, epochs=2, verbose=0)
    with self.assertRaisesRegex(
        tf.errors.InvalidArgumentError, 'takes data that are 0 or 1'):
      model.evaluate(x, 0.5 * x, verbose=0)

  def test_refuses_weights_and_trains_without(self):
    inputs = tf_keras.layers.Input([6])
    posterior = tfvae.layers.MultivariateNormalDiag(
        2, activity_regularizer=tfvae.KLDivergenceRegularizer(
            tfvae.priors.StandardNormal(2)))
    z = posterior(tf_keras.layers.Dense(4)(inputs))
    model = tf_keras.Model(
        inputs, IndependentBernoulli(6)(tf_keras.layers.Dense(6)(z)))
    x = np.eye(6, dtype=np.float32)
    compile_model = functools.partial(
        model.compile, 'sgd', tfvae.NegativeLogLikelihood(),
        jit_compile=True)
    for weights in ({'sample_weight': np.ones(6)},
                    {'class_weight': {0: 1., 1: 2.}}):
      compile_model()
      with self.assertRaisesRegex(ValueError, 'takes no weights.*Leave out'):
        # Keras looks up class weights by labels of one column.
        y = x[:, :1] if 'class_weight' in weights else x
        model.fit(x, y, verbose=0, **weights)
    with self.assertRaisesRegex(ValueError, 'takes no weights'):
      model.evaluate(x, x, verbose=0, sample_weight=np.ones(6))
    compile_model()
    before = model.get_weights()
    loss = model.fit(x, x, verbose=0).history['loss']
    self.assertAllInRange(loss, 0., 50.)
    self.assertNotAllEqual(before[0], model.get_weights()[0])
    self.assertAllInRange(model.evaluate(x, x, verbose=0), 0., 50.)


if __name__ == '__main__':
  tf.test.main()
