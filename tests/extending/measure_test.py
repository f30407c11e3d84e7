"""A measure defined outside the package works like the built-in ones."""

import pathlib

import tensorflow as tf

from tests.extending import recipe

# The errors by `predict`, which also reconstructs at the posterior mean.
_CHECK = """
import tf_keras
from tfvae import data
images = data.load_images('digits', data_dir={workdir!r}).test.images[:12]
x = np.float32(data.fixed_binarization(images, seed=0))
model = tf_keras.models.load_model({workdir!r} + '/model.keras')
errors = np.square(x - model.predict(x, verbose=0)).reshape(12, -1).mean(1)
facts['mean'], facts['deviation'] = errors.mean(), errors.std(ddof=1)
facts = {{name: float(value) for name, value in facts.items()}}
"""


class MeasureRecipeTest(tf.test.TestCase):

  def test_is_computed_explained_and_drawn(self):
    workdir = self.create_tempdir().full_path
    facts = recipe.run(
        'measure', workdir, _CHECK.format(workdir=workdir),
        evaluations=('reconstruction_error',), eval_error_examples=12)
    metrics = facts['metrics']
    block = metrics['reconstruction_error']
    self.assertAllClose(block['squared_error'], facts['mean'], rtol=1e-5)
    self.assertAllClose(block['squared_error_standard_error'],
                        facts['deviation'] / 12**0.5, rtol=1e-4)
    self.assertEqual(sum(block['counts']), 12)
    self.assertEqual(metrics['test']['squared_error'], block['squared_error'])
    page = pathlib.Path(workdir, 'report', 'index.html').read_text('utf-8')
    self.assertEqual(page.count('Mean of (x − E[x|z])² over the pixels.'), 2)
    self.assertIn('<h2 id="reconstruction_error-title">Reconstruction error'
                  '</h2>', page)
    self.assertIn('10 bins of ', page)
    self.assertIn('--eval_error_examples=12',
                  pathlib.Path(workdir, 'flags.txt').read_text('utf-8'))


if __name__ == '__main__':
  tf.test.main()
