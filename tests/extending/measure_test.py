"""The recipe of a measure, run from a file outside the package."""

import json
import pathlib

import numpy as np
import tensorflow as tf
import tf_keras

from tests import fresh_process
from tests import tiny_images
from tests.extending import recipe
from tfvae import data

# The recipe as a program, which finds the data set of the test.
_PROGRAM = """
import runpy
from tests import tiny_images
runpy.run_path({path!r}, run_name='__main__')
"""


class MeasureTest(tf.test.TestCase):

  def test_is_computed_explained_and_drawn(self):
    data_dir = self.create_tempdir().full_path
    workdir = pathlib.Path(data_dir) / 'run'
    name = tiny_images.prepare(data_dir)
    done = fresh_process.run([
        '-c', _PROGRAM.format(path=recipe.write('measure', data_dir)),
        f'--workdir={workdir}', f'--data_dir={data_dir}',
        f'--dataset={name}', '--latents=z:2', '--hidden_units=4', '--epochs=1',
        '--jit=false', '--evaluations=reconstruction_error',
        '--eval_error_examples=12'])
    self.assertEqual(done.returncode, 0, done.stderr)
    metrics = json.loads((workdir / 'metrics.json').read_text('utf-8'))
    model = tf_keras.models.load_model(workdir / 'model.keras')
    images = data.load_images(name, data_dir=data_dir)
    x = np.float32(data.fixed_binarization(images.test.images[:12], seed=0))
    errors = np.square(x - model.predict(x, verbose=0)).reshape(12, -1).mean(1)
    block = metrics['reconstruction_error']
    self.assertAllClose(block['squared_error'], errors.mean(), rtol=1e-5)
    self.assertAllClose(block['squared_error_standard_error'],
                        errors.std(ddof=1) / np.sqrt(12), rtol=1e-4)
    self.assertEqual(sum(block['counts']), 12)
    self.assertEqual(metrics['test']['squared_error'], block['squared_error'])
    page = (workdir / 'report' / 'index.html').read_text('utf-8')
    self.assertEqual(page.count('Mean of (x − E[x|z])² over the pixels.'), 2)
    self.assertIn('<h2 id="measure-reconstruction_error-title">Reconstruction '
                  'error</h2>', page)
    self.assertIn('10 bins of ', page)
    self.assertIn('--eval_error_examples=12',
                  (workdir / 'flags.txt').read_text('utf-8'))


if __name__ == '__main__':
  tf.test.main()
