"""A network defined outside the package works like the built-in ones."""

import tensorflow as tf

from tests.extending import recipe

_CHECK = """
import keras
import tf_keras
model = tf_keras.models.load_model({workdir!r} + '/model.keras')
facts['layers'] = [type(layer).__name__ for layer in model.features.layers]
x = np.random.default_rng(0).integers(0, 2, [2, 8, 8, 1]).astype(np.float32)
encoder = keras.models.load_model({workdir!r} + '/keras3/encoder.keras')
served = tf.saved_model.load({workdir!r} + '/export/1')
facts['difference'] = float(np.max(np.abs(
    encoder(x)['loc'] - served.signatures['encode'](x=x)['loc'])))
"""


class NetworkRecipeTest(tf.test.TestCase):

  def test_runs_whole(self):
    workdir = self.create_tempdir().full_path
    facts = recipe.run('network', workdir, _CHECK.format(workdir=workdir))
    self.assertIn('Add', facts['layers'])
    self.assertLess(facts['difference'], 1e-5)
    self.assertTrue(tf.math.is_finite(facts['metrics']['test']['iwae_nll']))


if __name__ == '__main__':
  tf.test.main()
