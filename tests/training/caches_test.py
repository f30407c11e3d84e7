"""--cache: the data that a run reads, and resuming, with each kind."""

import itertools
import tempfile

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests import numbered_images
from tfvae import data
from tfvae.training import Config
from tfvae.training import workdir as workdir_lib
from tfvae.training.fit import batches
from tfvae.training.fit import building
from tfvae.training.fit.images import load_images


class CachesTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.names = {config: numbered_images.prepare(cls.data_dir, config)
                 for config in ('gray', 'float')}

  def config(self, cache='memory', dataset='gray', **kwargs):
    return Config(dataset=self.names[dataset], data_dir=self.data_dir,
                  cache=cache, latents='z:2', hidden_units=(4,), **kwargs)

  def load(self, cache, **kwargs):
    config = self.config(cache, **kwargs)
    return config, load_images(config)

  def test_batches_of_a_run(self):
    trained, evaluated = {}, {}
    for cache in data.CACHES:
      config, images = self.load(cache, batch_size=20, preset='conditional')
      train_input = batches.TrainingInput(
          images, config, tf.distribute.get_strategy())
      taken = [train_input.batch_fn(element, 0).inputs
               for element in itertools.islice(train_input.dataset(5), 10)]
      self.assertEqual([len(b['x']) for b in taken], [20, 20, 20, 20, 13] * 2)
      trained[cache] = np.concatenate([b['x'] for b in taken])
      evaluated[cache] = np.concatenate([
          b['x'] for split in ('train', 'validation', 'test')
          for b in batches.evaluation_batches(images, split, config)])
    self.assertAllEqual(trained['disk'], trained['memory'])
    self.assertNotAllEqual(trained['none'], trained['memory'])
    for cache in ('disk', 'none'):
      self.assertAllEqual(evaluated[cache], evaluated['memory'])

  @parameterized.parameters('disk', 'none')
  def test_pseudo_inputs_begin_with_the_first_images(self, cache):
    config, images = self.load(cache, prior='vamp', prior_components=5)
    _, array = self.load('memory')
    model = building.compiled_model(config, images.image_shape,
                                 len(images.train.images))
    building.initialize_priors(model, images.train.images)
    prior, = model.priors.values()
    self.assertAllClose(  # The prior keeps a hundredth from the ends.
        prior.pseudo_inputs(),
        np.clip(array.train.images[:5] / 255, 0.01, 0.99), atol=1e-6)

  @parameterized.parameters('disk', 'none')
  def test_support_is_checked(self, cache):
    with self.assertRaisesRegex(ValueError, r'counts 0, 1, 2.*x\[0, 0, '):
      self.load(cache, dataset='float', likelihood='poisson')

  def test_a_run_goes_on_where_the_results_are_the_same(self):
    workdir = self.create_tempdir().full_path
    for config in (self.config('memory'),
                   self.config('disk', cache_dir='/elsewhere')):
      with workdir_lib.prepared(workdir, config) as finished:
        self.assertIsNone(finished)
    with self.assertRaisesRegex(
        ValueError, '`cache`: memory there, none here'), (
            workdir_lib.prepared(workdir, self.config('none'))):
      self.fail()


if __name__ == '__main__':
  tf.test.main()
