"""A flag defined outside the package works like the built-in ones."""

import os
import pathlib

import tensorflow as tf
import tf_keras

from tests import fresh_process
from tests.extending import recipe
import tfvae


class FlagRecipeTest(tf.test.TestCase):

  def test_program_has_the_flag(self):
    workdir = self.create_tempdir().full_path
    done = fresh_process.run([
        recipe.write('flag', workdir), f'--workdir={workdir}',
        f'--data_dir={workdir}',
        '--prior=deep_maf', '--flow_layers=3', '--latents=z:2', '--epochs=1',
        '--hidden_units=4', '--jit=false', '--export=false',
        '--evaluations=importance_weighted', '--eval_importance_samples=2',
        '--eval_importance_examples=20'])
    self.assertEqual(done.returncode, 0, done.stderr)
    flags = pathlib.Path(workdir, 'flags.txt').read_text(encoding='utf-8')
    self.assertIn('--prior=deep_maf\n', flags)
    self.assertIn('--flow_layers=3\n', flags)
    # The class comes with tfvae, so the file loads without the recipe.
    model = tf_keras.models.load_model(os.path.join(workdir, 'model.keras'))
    self.assertIsInstance(model, tfvae.models.LatentVariableModel)
    self.assertEqual(model.priors['z'].get_config()['num_layers'], 3)


if __name__ == '__main__':
  tf.test.main()
