"""Models and data that a measure does not apply to, and the reasons."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import evaluation
from tfvae import models
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS

_SIDES = np.arange(20) % 2


def _why_not(name, settings, labels=None, factors=None, train_labels=None):
  """The answer for images of which labels and factors alone matter."""
  settings = dict(settings)
  posterior = settings.pop('posterior', 'normal_diag')
  preset = settings.pop('preset', 'vae')
  graph = GraphicalModel.parse(
      **PRESETS[preset] | {'latents': 'z:2'} | settings)
  model = models.image_vae(graph, (4, 4, 1), hidden_units=(3,), num_classes=2,
                           posterior=posterior)
  x = np.zeros([20, 4, 4, 1], np.float32)
  data = {'x': x, 'y': np.eye(20)[:, :2]} if graph.is_conditional else x
  test = evaluation.Examples.of(data, labels=labels, factors=factors)
  train = evaluation.Examples.of(
      data, labels=labels if train_labels is None else train_labels)
  return evaluation.MEASURES.make(name).why_not(
      evaluation.Subject(model, test, train))


class WhyNotTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('class_of_one', 'latent_space', {
          'inference': 'z|x,y', 'generative': 'z|y; x|z'},
       {'labels': np.arange(20) // 19}, 'two test examples of each class'),
      ('no_labels', 'representation', {}, {}, 'no labels'),
      ('label_in_q', 'representation', {'preset': 'conditional'},
       {'labels': _SIDES}, 'q has the parent y'),
      ('label_in_one_factor_of_q', 'representation', {
          'latents': 'a:2,b:2', 'inference': 'b|x,y; a|b,x',
          'generative': 'b; a|b; x|a'}, {'labels': _SIDES}, 'the parent y'),
      ('unlabeled_test', 'representation', {},
       {'labels': np.full(20, -1), 'train_labels': _SIDES}, 'unlabeled'),
      ('unlabeled_training', 'representation', {},
       {'labels': _SIDES, 'train_labels': np.full(20, -1)},
       '20 labels below 0'),
      ('one_class', 'representation', {}, {'labels': 0 * _SIDES},
       'two classes or more'),
      ('classes_of_one', 'representation', {}, {'labels': np.arange(20)},
       '20 examples of 20 classes'),
      ('flow', 'gaps', {'posterior': 'iaf_tril'}, {}, 'no parameters'),
      ('mixture', 'gaps', {'posterior': 'mixture'}, {}, 'no parameters'),
      ('label_in_q_alone', 'calibration', {
          'inference': 'z|x,y', 'generative': 'z; x|z'}, {'labels': _SIDES},
       'nowhere in p'),
      ('no_factors', 'disentanglement', {}, {}, 'no factors'),
      ('one_dimension', 'disentanglement', {'latents': 'z:1'},
       {'factors': np.stack([_SIDES, _SIDES], 1)}, 'only one'),
      ('one_factor', 'disentanglement', {}, {'factors': _SIDES[:, np.newaxis]},
       'f at least 2'),
      ('constant_factor', 'disentanglement', {},
       {'factors': np.stack([_SIDES, 0 * _SIDES], 1)},
       'two values or more'))
  def test_says_why(self, name, settings, arguments, reason):
    self.assertRegex(_why_not(name, settings, **arguments), reason)

  @parameterized.named_parameters(
      ('labels', 'representation', {}, {'labels': _SIDES}),
      ('label_in_p_alone', 'representation', {
          'inference': 'z|x', 'generative': 'z; x|z,y'}, {'labels': _SIDES}),
      ('gaussian', 'gaps', {'posterior': 'normal_tril'}, {}),
      ('conditional', 'calibration', {'preset': 'conditional'},
       {'labels': _SIDES}),
      ('two_latents_of_one_dimension', 'disentanglement', {
          'latents': 'a:1,b:1', 'inference': 'a|x; b|x',
          'generative': 'a; b; x|a,b'},
       {'factors': np.stack([_SIDES, _SIDES], 1)}),
      ('class_of_one', 'latent_space', {'preset': 'conditional'},
       {'labels': np.arange(20) // 19}),
      ('any_data', 'importance_weighted', {}, {}))
  def test_says_nothing_where_it_can_be_computed(
      self, name, settings, arguments):
    self.assertIsNone(_why_not(name, settings, **arguments))


if __name__ == '__main__':
  tf.test.main()
