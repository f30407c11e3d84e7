"""A prior defined outside the package works like the built-in ones."""

from scipy import stats
import tensorflow as tf

from tests.extending import recipe

_CHECK = """
import tf_keras
model = tf_keras.models.load_model({workdir!r} + '/model.keras')
prior, = model.priors.values()
z = np.float32([[-2.] * 8, [3.] * 8])
facts['scale'] = np.exp(prior.get_weights()[0]).tolist()
facts['log_prob'] = prior.distribution().log_prob(z).numpy().tolist()
served = tf.saved_model.load({workdir!r} + '/export/1')
facts['mean'] = served.signatures['generate'](
    seed=tf.constant([[1, 2]]))['mean'].numpy().tolist()
facts['sizes'] = {{name: [prior.event_size, prior.degrees_of_freedom]
                  for name, prior in recipe['two_latents']().priors.items()}}
"""


class PriorRecipeTest(tf.test.TestCase):

  def test_runs_whole_with_its_own_flag(self):
    workdir = self.create_tempdir().full_path
    facts = recipe.run('prior', workdir, _CHECK.format(workdir=workdir),
                       prior_degrees_of_freedom=3.)
    self.assertAllClose(facts['log_prob'], [
        stats.t.logpdf(z, 3., scale=facts['scale']).sum() for z in (-2., 3.)],
                        rtol=1e-5)
    # Its weights train: they begin at a scale of 1.
    self.assertNotAllClose(facts['scale'], [1.] * 8, atol=1e-3)
    self.assertAllInRange(facts['mean'], 0., 1.)
    self.assertTrue(tf.math.is_finite(facts['metrics']['test']['iwae_nll']))
    self.assertEqual(facts['sizes'], {'a': [2, 3.], 'b': [3, 3.]})


if __name__ == '__main__':
  tf.test.main()
