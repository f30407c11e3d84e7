"""The probability interface: densities, parts of the ELBO, a `VAE`'s graph."""

import functools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests.linear_gaussian import LATENT
from tests.linear_gaussian import LinearGaussian
from tests.models import small_vae
import tfvae

tfd = tfp.distributions
_SEED = tf.constant([1, 2])


@functools.cache
def _linear():
  return LinearGaussian(factor=1.5, shift=0.3)


def _two_layer():
  tf_keras.utils.set_random_seed(1)
  return tfvae.models.image_vae(
      tfvae.graph.GraphicalModel.parse(
          'z1:3,z2:2', 'z1|x; z2|z1', 'z2; z1|z2; x|z1'), small_vae.IMAGE,
      hidden_units=(4,), factor_units=(4,))


class _Hidden(tf_keras.Model):
  """A network that does not say what its last layer is."""

  def __init__(self, network):
    super().__init__()
    self.network = network

  def call(self, x):
    return self.network(x)


class VaeTest(parameterized.TestCase, tf.test.TestCase):

  def test_graph_and_shapes(self):
    model = _linear().model
    self.assertEqual(model.graph, tfvae.graph.GraphicalModel.parse(
        f'z:{LATENT}', 'z|x', 'z; x|z'))
    self.assertEqual(model.observed_shapes, {'x': (6,)})
    self.assertIsNone(model.num_classes)
    self.assertIs(model.priors['z'], model.prior)

  @parameterized.parameters(
      lambda: tfvae.priors.StandardNormal(2),
      lambda: tfd.MultivariateNormalDiag([0., 0.]))
  def test_size_is_that_of_the_prior_where_the_encoder_hides_it(self, make):
    encoder = _Hidden(tf_keras.Sequential([
        tf_keras.layers.Dense(4), tfvae.layers.MultivariateNormalDiag(
            2, activity_regularizer=tfvae.KLDivergenceRegularizer(make()))]))
    model = tfvae.VAE(encoder, small_vae.decoder())
    self.assertEqual(model.graph.latents, (('z', 2),))

  def test_densities(self):
    model, x = _linear().model, _linear().draw(5)
    z = np.random.default_rng(0).normal(size=[4, 5, LATENT]).astype(np.float32)
    q = model.posterior(x)
    self.assertAllClose(model.log_posterior({'z': z}, x), q.log_prob(z))
    self.assertAllClose(model.log_prior({'z': z}),
                        model.prior_distribution().log_prob(z))
    self.assertAllClose(
        q.mean(), _linear().posterior_mean(x) + 0.3, rtol=1e-4, atol=1e-5)

  def test_other_variables_of_a_batch_are_ignored(self):
    model, x = small_vae.vae(), small_vae.data(3)
    self.assertAllEqual(
        model.posterior({'x': x, 'y': small_vae.labels(3)}).mean(),
        model.posterior(x).mean())


class ElboPartsTest(tf.test.TestCase):

  def test_of_several_draws(self):
    model, x = _two_layer(), small_vae.data(5)
    inference = model.infer(x, tfvae.layers.SeededSample(_SEED, 7))
    log_likelihood = model.log_likelihood(inference.latents, x)
    parts = inference.elbo_parts(log_likelihood)
    kl = {name: np.float64(nats) for name, nats in inference.kl.items()}
    self.assertEqual(kl['z1'].shape, (7, 5))
    reconstruction = np.float64(log_likelihood)
    self.assertAllClose(parts.kl, kl['z1'] + kl['z2'], rtol=1e-5)
    self.assertAllClose(
        parts.elbo, reconstruction - kl['z1'] - kl['z2'], rtol=1e-5)
    means = {'reconstruction': reconstruction.mean(axis=0),
             'kl': (kl['z1'] + kl['z2']).mean(axis=0)}
    means['elbo'] = means['reconstruction'] - means['kl']
    self.assertAllClose(parts.per_example(), means, rtol=1e-5)

  def test_kl_per_dimension_adds_up_to_the_exact_kl(self):
    linear, x = _linear(), _linear().draw(4)
    inference = linear.model.infer(x, tfd.Distribution.mean)
    self.assertAllClose(linear.model.kl_per_dimension(inference)['z'],
                        linear.kl_per_dimension(x), rtol=1e-4, atol=1e-5)

  def test_log_ratio_has_no_kl_per_dimension(self):
    model = _two_layer()
    inference = model.infer(
        small_vae.data(4), tfvae.layers.SeededSample(_SEED))
    per_dimension = model.kl_per_dimension(inference)
    self.assertEqual(list(per_dimension), ['z2'])
    self.assertAllClose(tf.reduce_sum(per_dimension['z2'], axis=-1),
                        inference.kl['z2'], rtol=1e-4)


class ObservedTest(tf.test.TestCase):

  def test_by_name(self):
    x, y = object(), object()
    self.assertEqual(tfvae.inference.observed(x), {'x': x})
    self.assertEqual(tfvae.inference.observed({'x': x, 'y': y}),
                     {'x': x, 'y': y})
    self.assertEqual(tfvae.inference.observed({'y': y, 'x': None}), {'y': y})
    self.assertEqual(tfvae.inference.observed(None), {})


if __name__ == '__main__':
  tf.test.main()
