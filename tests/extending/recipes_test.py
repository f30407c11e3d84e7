"""Choices defined outside the package work like the built-in ones.

The recipes of docs/extending.md are registered in one process. Two of them run
whole, each with the choices of other recipes.
"""

import json
import os
import pathlib
import re

import numpy as np
from scipy import special
from scipy import stats
import tensorflow as tf
import tf_keras

from tests import fresh_process

_PAGE = pathlib.Path(__file__).parents[2] / 'docs' / 'extending.md'
_SETTINGS = dict(
    epochs=1, hidden_units=(8,), jit='false', eval_importance_samples=2,
    eval_importance_examples=20, evaluations=('importance_weighted',))
# Choices of the other recipes for the run of a recipe.
_RUNS = {
    'likelihood': dict(
        prior='student_t', prior_degrees_of_freedom=3.,
        evaluations=('importance_weighted', 'latent_space')),
    'network': dict(
        objective='renyi', renyi_alpha=0.3, eval_error_examples=12,
        evaluations=('importance_weighted', 'reconstruction_error'))}
# Recipe in whose run the choice of each recipe is.
_RUN_OF = {'likelihood': 'likelihood', 'prior': 'likelihood',
           'network': 'network', 'objective': 'network', 'measure': 'network'}
# What a test needs of the run in `workdir`, from the code of `recipe`.
_FACTS = """
import ast
import json
import os
import runpy
import sys
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from tfvae import data
from tfvae.layers import SeededSample

DIRECTORY = os.environ['DIRECTORY']


def load_model(workdir):
  return tf_keras.models.load_model(workdir + '/model.keras')


def signature(workdir, name):
  return tf.saved_model.load(workdir + '/export/1').signatures[name]


def difference(one, other):
  return float(np.max(np.abs(one - other)))


def likelihood(recipe, workdir):
  params = np.random.default_rng(0).normal(size=[1, 2, 6]).astype(np.float32)
  x = np.random.default_rng(1).normal(size=[1, 2, 3]).astype(np.float32)
  z = np.zeros([2, 8], np.float32)
  decoder = keras.models.load_model(workdir + '/keras3/decoder.keras')
  return {
      'params': params.tolist(), 'x': x.tolist(),
      'log_prob': recipe['IndependentLaplace']((2, 3))(
          params).log_prob(x).numpy().tolist(),
      'difference': difference(
          decoder(z), signature(workdir, 'decode')(z=z)['mean'])}


def prior(recipe, workdir):
  prior, = load_model(workdir).priors.values()
  z = np.float32([[-2.] * 8, [3.] * 8])
  return {
      'scale': np.exp(prior.get_weights()[0]).tolist(),
      'log_prob': prior.distribution().log_prob(z).numpy().tolist(),
      'mean': signature(workdir, 'generate')(
          seed=tf.constant([[1, 2]]))['mean'].numpy().tolist(),
      'sizes': {
          name: [prior.event_size, prior.degrees_of_freedom]
          for name, prior in recipe['two_latents']().priors.items()}}


def network(recipe, workdir):
  x = np.random.default_rng(0).integers(0, 2, [2, 8, 8, 1]).astype(np.float32)
  encoder = keras.models.load_model(workdir + '/keras3/encoder.keras')
  return {
      'layers': [type(layer).__name__
                 for layer in load_model(workdir).features.layers],
      'difference': difference(
          encoder(x)['loc'], signature(workdir, 'encode')(x=x)['loc'])}


def objective(recipe, workdir):
  # The value for one batch, and the parts that it consists of.
  model = load_model(workdir)
  x = np.float32(np.random.default_rng(0).random([4, 8, 8, 1]) < 0.4)
  seed = tf.constant([1, 2])
  inference = model.infer(x, SeededSample(seed, 3))
  log_weights = inference.log_ratio() + model.log_likelihood(
      inference.latents, x)
  return {
      'objective': model.get_compile_config()['objective']['config'],
      'log_weights': log_weights.numpy().tolist(),
      'values': [
          recipe['Renyi'](alpha, 3)(model, x, x, seed, 1., False)[
              'objective'].numpy().tolist() for alpha in (0., 0.5)]}


def measure(recipe, workdir):
  # The errors by `predict`, which also reconstructs at the posterior mean.
  images = data.load_images('digits', DIRECTORY).test.images[:12]
  x = np.float32(data.fixed_binarization(images, seed=0))
  errors = np.square(
      x - load_model(workdir).predict(x, verbose=0)).reshape(12, -1).mean(1)
  return {'mean': float(errors.mean()), 'deviation': float(errors.std(ddof=1))}


runs, run_of = map(ast.literal_eval, sys.argv[1:])
recipes = {name: runpy.run_path(f'{DIRECTORY}/{name}.py')
           for name in [*run_of, 'flag']}
from tfvae import training
from tfvae.training import Config
from tfvae.training.fit import fitting
from tfvae.training.fit.building import compiled_model
from tfvae.training.results import evaluations

# What does not depend on the choice, or is shown by the others.
fitting.TensorBoard = mock.MagicMock()
evaluations.SPLITS = ('test',)
metrics, chosen = {}, {}
for name, settings in runs.items():
  metrics[name] = recipes[name]['main'](
      f'{DIRECTORY}/{name}', data_dir=DIRECTORY, **settings)
# The settings of the others, which read what is in the directory of the run.
for name in run_of.keys() - runs.keys():
  with mock.patch.object(training, 'train_and_evaluate') as run:
    recipes[name]['main'](f'{DIRECTORY}/{run_of[name]}', data_dir=DIRECTORY)
  config = run.call_args.args[0]
  chosen[name] = [config.model.prior, config.model.objective,
                  *config.evaluation.evaluations]
facts = {name: globals()[name](recipes[name], f'{DIRECTORY}/{run}') | {
    'metrics': metrics[run], 'chosen': chosen.get(name)}
         for name, run in run_of.items()}
print('facts', json.dumps(facts))
config = Config(prior='deep_maf', flow_layers=3, latents='z:2')
compiled_model(config, (8, 8, 1), 100).save(f'{DIRECTORY}/flag.keras')
"""


def _write(name, directory):
  """Writes the code of a recipe to a file, and returns its path."""
  code, = re.findall(
      rf'<!-- recipe: {name} -->\n```python\n(.*?)^```$',
      _PAGE.read_text(encoding='utf-8'), re.MULTILINE | re.DOTALL)
  path = os.path.join(directory, f'{name}.py')
  pathlib.Path(path).write_text(code, encoding='utf-8')
  return path


class RecipesTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = self.create_tempdir().full_path

  def _read(self, *names):
    return pathlib.Path(self.directory, *names).read_text(encoding='utf-8')

  def test_choices_run_whole(self):
    for name in [*_RUN_OF, 'flag']:
      _write(name, self.directory)
    runs = {name: _SETTINGS | choices for name, choices in _RUNS.items()}
    done = fresh_process.run(['-c', _FACTS, repr(runs), repr(_RUN_OF)],
                             DIRECTORY=self.directory)
    self.assertEqual(done.returncode, 0, done.stderr)
    line, = re.findall('^facts (.*)$', done.stdout, re.MULTILINE)
    checks = {'likelihood': self._check_likelihood, 'prior': self._check_prior,
              'network': self._check_network,
              'objective': self._check_objective,
              'measure': self._check_measure}
    for name, facts in json.loads(line).items():
      with self.subTest(name):
        self.assertTrue(np.isfinite(facts['metrics']['test']['elbo']))
        self.assertNotIn('report', facts['metrics'])  # It did not fail.
        self.assertTrue(np.isfinite(facts['metrics']['test']['iwae_nll']))
        checks.pop(name)(facts)
    self.assertEmpty(checks)
    # The class comes with tfvae, so the file loads without the recipe.
    model = tf_keras.models.load_model(f'{self.directory}/flag.keras')
    self.assertEqual(model.priors['z'].get_config()['num_layers'], 3)

  def _check_likelihood(self, facts):
    params, x = (np.array(facts[name]) for name in ('params', 'x'))
    expected = stats.laplace.logpdf(
        x, params[..., :3], np.exp(params[..., 3:])).sum()
    self.assertAllClose(facts['log_prob'], [expected], rtol=1e-5)
    # The export and the decoder for Keras 3 have the same mean of p(x|z).
    self.assertLess(facts['difference'], 1e-5)

  def _check_prior(self, facts):
    self.assertIn('student_t', facts['chosen'])
    self.assertAllClose(facts['log_prob'], [
        stats.t.logpdf(z, 3., scale=facts['scale']).sum() for z in (-2., 3.)],
                        rtol=1e-5)
    # Its weights train: they begin at a scale of 1.
    self.assertNotAllClose(facts['scale'], [1.] * 8, atol=1e-3)
    self.assertTrue(np.isfinite(facts['mean']).all())
    self.assertEqual(facts['sizes'], {'a': [2, 3.], 'b': [3, 3.]})
    self.assertNotIn('not_computed', facts['metrics']['latent_space'])

  def _check_network(self, facts):
    self.assertIn('Add', facts['layers'])
    # The export and the encoder for Keras 3 have the same mean of q(z|x).
    self.assertLess(facts['difference'], 1e-5)

  def _check_objective(self, facts):
    self.assertIn('renyi', facts['chosen'])
    self.assertEqual(facts['objective'], {'alpha': 0.3, 'num_samples': 5})
    log_weights = np.float64(facts['log_weights'])
    for alpha, values in zip((0., 0.5), facts['values'], strict=True):
      expected = special.logsumexp(
          (1 - alpha) * log_weights, axis=0, b=1 / 3) / (1 - alpha)
      self.assertAllClose(values, -expected, rtol=1e-4)

  def _check_measure(self, facts):
    self.assertIn('reconstruction_error', facts['chosen'])
    metrics = facts['metrics']
    block = metrics['reconstruction_error']
    self.assertAllClose(block['squared_error'], facts['mean'], rtol=1e-5)
    self.assertAllClose(block['squared_error_standard_error'],
                        facts['deviation'] / 12**0.5, rtol=1e-4)
    self.assertEqual(sum(block['counts']), 12)
    self.assertEqual(metrics['test']['squared_error'], block['squared_error'])
    page = self._read('network', 'report', 'index.html')
    self.assertEqual(page.count('Mean of (x − E[x|z])² over the pixels.'), 2)
    self.assertIn('<h2 id="reconstruction_error-title">Reconstruction error'
                  '</h2>', page)
    self.assertIn('10 bins of ', page)
    self.assertIn(
        '--eval_error_examples=12', self._read('network', 'flags.txt'))

  def test_program_has_the_flag(self):
    program = _write('flag', self.directory)
    for prior, message in (
        ('deep_maf', '--flow_layers must be at least 1'),
        ('maf', '--flow_layers has no effect')):
      done = fresh_process.run([
          program, f'--workdir={self.directory}/run', f'--prior={prior}',
          f'--flow_layers={int(prior == "maf")}'])
      self.assertEqual(done.returncode, 1, done.stderr)
      self.assertIn(message, done.stderr)


if __name__ == '__main__':
  tf.test.main()
