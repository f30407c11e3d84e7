"""The ELBO as an objective: the default, by name, and in saved files."""

from absl.testing import parameterized
import tensorflow as tf

from tests.models import small_vae
from tfvae import objectives


class ElboTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(None, 'elbo', objectives.ELBO())
  def test_is_the_default_and_absent_from_files(self, objective):
    model, x = small_vae.vae(), small_vae.data(3)
    model.compile('sgd', objective=objective, run_eagerly=True)
    self.assertIsNone(model.get_compile_config()['objective'])
    logs = model.evaluate(x, verbose=0, return_dict=True)
    self.assertAllClose(logs['loss'], -logs['elbo'], rtol=1e-6)

  def test_registered_by_name(self):
    self.assertCountEqual(
        objectives.OBJECTIVES, ['elbo', 'iwae', 'dreg', 'gdreg', 'stl',
                                'beta_tc', 'info_vae'])
    made = objectives.OBJECTIVES.make('dreg', settings={
        'importance_samples': 3, 'tc_weight': 2.0})
    self.assertEqual(
        made.get_config(), {'num_samples': 3, 'doubly_reparameterized': True,
                            'reparameterized_priors': False})

  def test_compile_raises_for_a_graph_without_the_objective(self):
    model = small_vae.graph_vae('ladder', latents='z1:2,z2:2')
    with self.assertRaisesRegex(ValueError, 'needs a single latent'):
      model.compile('sgd', objective='beta_tc')

  @parameterized.parameters('beta_tc', 'info_vae')
  def test_objectives_that_compare_examples(self, name):
    objective = objectives.OBJECTIVES.make(name)
    objective.check_batch_size(2)
    objective.check_replicas(1)
    with self.assertRaisesRegex(ValueError, 'batch_size=1$'):
      objective.check_batch_size(1)
    with self.assertRaisesRegex(ValueError, '2 replicas$'):
      objective.check_replicas(2)

  def test_terms_of_a_training_set(self):
    objective = objectives.OBJECTIVES.make(
        'beta_tc', settings={'tc_weight': 3.0}).for_training_set(50)
    self.assertEqual(
        objective.get_config(), {'beta': 3.0, 'num_examples': 50})


if __name__ == '__main__':
  tf.test.main()
