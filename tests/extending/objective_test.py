"""An objective defined outside the package works like the built-in ones."""

import numpy as np
from scipy import special
import tensorflow as tf

from tests.extending import recipe

# The value for one batch, and the parts that it consists of.
_CHECK = """
import os
import tf_keras
from tfvae.layers import SeededSample

model = tf_keras.models.load_model(os.path.join({workdir!r}, 'model.keras'))
facts['objective'] = model.get_compile_config()['objective']['config']
x = np.float32(np.random.default_rng(0).random([4, 8, 8, 1]) < 0.4)
seed = tf.constant([1, 2])
inference = model.infer(x, SeededSample(seed, 3))
log_weights = inference.log_ratio() + model.log_likelihood(inference.latents, x)
facts['log_weights'] = log_weights.numpy().tolist()
facts['values'] = [
    recipe['Renyi'](alpha, 3)(model, x, x, seed, 1., False)[
        'objective'].numpy().tolist() for alpha in (0., 0.5)]
"""


class ObjectiveRecipeTest(tf.test.TestCase):

  def test_trains_evaluates_and_loads(self):
    workdir = self.create_tempdir().full_path
    facts = recipe.run('objective', workdir, _CHECK.format(workdir=workdir),
                       export=False)
    self.assertEqual(facts['objective'], {'alpha': 0.3, 'num_samples': 5})
    self.assertTrue(np.isfinite(facts['metrics']['test']['elbo']))
    log_weights = np.float64(facts['log_weights'])
    for alpha, values in zip((0., 0.5), facts['values'], strict=True):
      expected = special.logsumexp(
          (1 - alpha) * log_weights, axis=0, b=1 / 3) / (1 - alpha)
      self.assertAllClose(values, -expected, rtol=1e-4)


if __name__ == '__main__':
  tf.test.main()
