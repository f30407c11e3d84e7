"""Models from names and from objects, whose sizes come from the data."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import layers
from tfvae import models
from tfvae import priors
from tfvae.graph import GraphicalModel
from tfvae.models.networks import mlp_decoder
from tfvae.models.networks import mlp_features
from tfvae.models.networks import resnet_network

_IMAGE = (4, 4, 1)


def _model(graph='z:3', **settings):
  tf_keras.utils.set_random_seed(0)
  return models.image_vae(
      graph, _IMAGE, hidden_units=(4,), factor_units=(3,), **settings)


class BuildTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      (dict(likelihood='discretized_logistic', likelihood_components=2,
            prior='mixture', prior_components=5, posterior='iaf_tril'),
       dict(likelihood=layers.DiscretizedLogistic(num_components=2),
            prior=priors.GaussianMixture(num_components=5),
            posterior=layers.InverseAutoregressiveFlow(base='normal_tril'))),
      (dict(likelihood='normal', likelihood_scale=0.1, prior='maf',
            network='resnet'),
       dict(likelihood=layers.IndependentNormal(scale=0.1),
            prior=priors.FlowPrior(kind='maf'), network=resnet_network())),
      (dict(likelihood='poisson', prior='vamp', prior_components=2),
       dict(likelihood=layers.IndependentPoisson(),
            prior=priors.VampPrior(num_components=2),
            network=(mlp_features, mlp_decoder))))
  def test_objects_make_the_model_that_names_make(self, names, objects):
    by_name, by_object = _model(**names), _model(**objects)
    for a, b in zip(by_name.get_weights(), by_object.get_weights(),
                    strict=True):
      self.assertAllEqual(a, b)
    for part in ('priors', 'posteriors'):
      ours, theirs = (model.get_config()[part]['z']['config']
                      for model in (by_name, by_object))
      self.assertEqual(ours | {'name': ''}, theirs | {'name': ''})
    self.assertEqual(*(model.decoder.layers[-1].get_config()
                       for model in (by_name, by_object)))

  def test_settings_take_precedence(self):
    model = _model(likelihood='discretized_logistic', likelihood_components=2,
                   settings={'likelihood_components': 3, 'other': 1})
    self.assertEqual(model.decoder.layers[-1].num_components, 3)

  def test_each_latent_has_a_copy(self):
    template = layers.MultivariateNormalTriL()
    graph = GraphicalModel.parse(
        latents='a:2,b:3', inference='a|x; b|x', generative='a; b; x|a,b')
    model = _model(graph, posterior=template, prior=priors.LearnedNormal())
    heads = [factor.head for factor in model.inference_factors.values()]
    self.assertEqual([head.event_size for head in heads], [2, 3])
    self.assertEqual([prior.loc.shape for prior in model.priors.values()],
                     [[2], [3]])
    self.assertIsNone(template.event_size)
    self.assertIsNone(template.activity_regularizer)

  def test_a_copy_has_the_weights(self):
    prior = priors.LearnedNormal(3)
    prior.loc.assign([1., 2., 3.])
    model = _model(prior=prior)
    self.assertAllEqual(model.priors['z'].loc, [1., 2., 3.])
    model.priors['z'].loc.assign([0., 0., 0.])
    self.assertAllEqual(prior.loc, [1., 2., 3.])

  def test_a_range_of_a_vamp_prior_stays(self):
    model = _model(prior=priors.VampPrior(
        num_components=2, input_range=(-1., 1.)))
    self.assertEqual(model.priors['z'].input_range, (-1., 1.))

  @parameterized.parameters(
      ('likelihood', layers.IndependentBernoulli((4, 4)),
       r'event_shape of the model, \(4, 4, 1\).*=\(4, 4\)'),
      ('prior', priors.StandardNormal(2), 'event_size of the model, 3.*=2'),
      ('posterior', layers.MultivariateNormalDiag(2),
       'event_size of the model, 3.*=2'),
      ('likelihood', 'gaussian', "likelihood.* one of .*='gaussian'"),
      ('prior', 'normal', "prior.* one of .*='normal'"),
      ('posterior', 'normal', "posterior.* one of .*='normal'"),
      ('network', 'cnn', "network.* one of .*='cnn'"))
  def test_refuses(self, argument, value, message):
    with self.assertRaisesRegex(ValueError, message):
      _model(**{argument: value})

  @parameterized.parameters(
      (lambda: layers.IndependentBernoulli()(np.zeros([1, 2])), 'event_shape'),
      (lambda: layers.MultivariateNormalDiag()(np.zeros([1, 2])), 'event_size'),
      (lambda: layers.InverseAutoregressiveFlow().distribution(
          tf.zeros([1, 2])), 'event_size'),
      (lambda: priors.GaussianMixture().distribution(), 'event_size'),
      (lambda: priors.VampPrior(2).distribution(), 'input_shape'))
  def test_refuses_to_use_a_template(self, use, argument):
    with self.assertRaisesRegex(
        ValueError, f'size of its event; give it {argument}.*{argument}=None'):
      use()


if __name__ == '__main__':
  tf.test.main()
