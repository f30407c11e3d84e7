"""A likelihood defined outside the package works like the built-in ones."""

import os

from scipy import stats
import tensorflow as tf

from tests.extending import recipe

# An export and the models for Keras 3 must agree on the mean of p(x|z).
_CHECK = """
import keras
params = np.random.default_rng(0).normal(size=[1, 2, 6]).astype(np.float32)
x = np.random.default_rng(1).normal(size=[1, 2, 3]).astype(np.float32)
facts['params'], facts['x'] = params.tolist(), x.tolist()
facts['log_prob'] = recipe['IndependentLaplace']((2, 3))(
    params).log_prob(x).numpy().tolist()
z = np.zeros([2, 8], np.float32)
decoder = keras.models.load_model({workdir!r} + '/keras3/decoder.keras')
served = tf.saved_model.load({workdir!r} + '/export/1')
facts['difference'] = float(np.max(np.abs(
    decoder(z) - served.signatures['decode'](z=z)['mean'])))
"""


class LikelihoodRecipeTest(tf.test.TestCase):

  def test_runs_whole(self):
    workdir = self.create_tempdir().full_path
    facts = recipe.run('likelihood', workdir, _CHECK.format(workdir=workdir))
    params, x = (tf.constant(facts[name]).numpy() for name in ('params', 'x'))
    expected = stats.laplace.logpdf(
        x, params[..., :3], tf.exp(params[..., 3:])).sum()
    self.assertAllClose(facts['log_prob'], [expected], rtol=1e-5)
    self.assertLess(facts['difference'], 1e-5)
    self.assertTrue(tf.math.is_finite(facts['metrics']['test']['iwae_nll']))
    self.assertTrue(
        os.path.exists(os.path.join(workdir, 'report', 'index.html')))


if __name__ == '__main__':
  tf.test.main()
