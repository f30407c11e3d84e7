"""Runs on incomplete data: caches, replicas, resuming and complete data."""

import itertools
import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
import pandas as pd
from sklearn import datasets
import tensorflow as tf
import tf_keras

from tests.serving.cpp_loader import CppLoader
from tfvae import data
from tfvae.training import Config
from tfvae.training import impute_run
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training.fit import batches
from tfvae.training.fit import fitting
from tfvae.training.fit.images import load_images

_SMALL = dict(latents='z:2', hidden_units=(8,), epochs=2, batch_size=30,
              jit='false', learning_rate=0.01, eval_importance_samples=2,
              evaluations=('importance_weighted', 'imputation', 'columns'),
              eval_samples=50, imputation_draws=20, eval_imputation_draws=20)


def _wine(fraction):
  """Returns the first columns of wine, with missing cells."""
  wine = datasets.load_wine(as_frame=True).frame
  frame = wine[['alcohol', 'malic_acid', 'proline']].assign(
      kind=wine['target'].map({0: 'a', 1: 'b', 2: 'c'}),
      dry=wine['hue'] > 1)
  holes = np.random.default_rng(0).random(frame.shape) < fraction
  return frame.astype(object).where(~holes)


def _train(config, workdir, **settings):
  """Trains without a report, which table_report_test makes of such data."""
  with (mock.patch.object(fitting, 'TensorBoard'),
        mock.patch.object(train, 'write_report')):
    return train_and_evaluate(Config(**config | settings), workdir)


class MissingRunTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.directory = cls().create_tempdir().full_path
    cls.paths = {}
    for name, fraction in (('complete', 0.), ('incomplete', 0.2)):
      cls.paths[name] = os.path.join(cls.directory, f'{name}.csv')
      _wine(fraction).to_csv(cls.paths[name], index=False)
    cls.config = _SMALL | dict(
        dataset=cls.paths['incomplete'], missing='allow', hide_fraction=0.2)
    cls.workdir = os.path.join(cls.directory, 'run')
    cls.metrics = _train(cls.config, cls.workdir)

  def test_the_run_is_complete(self):
    failed = [name for name, block in self.metrics.items()
              if isinstance(block, dict) and 'not_computed' in block]
    self.assertEmpty(failed)
    self.assertAllInRange(self.metrics['test']['elbo'], -1e3, 0.)
    with open(os.path.join(self.workdir, 'history.csv'), encoding='utf-8') as f:
      history = pd.read_csv(f)
    # About 0.8² of five cells of a row are observed.
    self.assertAllClose(history['elbo_per_entry'] / history['elbo'],
                        np.full(2, 1 / (5 * 0.8**2)), rtol=0.1)

  def test_known_values_are_scored_also_those_hidden_in_the_elbo(self):
    images = load_images(Config(**self.config))
    known = np.sum(~np.isnan(images.test.images[:]))
    for name in ('mcar', 'mar'):
      block = self.metrics['imputation'][name]
      self.assertEqual(set(block['baselines']), {'mean', 'knn', 'iterative'})
      self.assertIn('kind', block['by_column'])
    # 30 % of the known values.
    self.assertNear(self.metrics['imputation']['mcar']['cells'] / known, 0.3,
                    4 * np.sqrt(0.3 * 0.7 / known))

  def test_the_export_fills_a_row(self):
    with CppLoader() as loader:
      found = loader.run(
          os.path.join(self.workdir, 'export', '1'), 'impute', {
              'alcohol': np.float32([13., np.nan]),
              'malic_acid': np.float32([np.nan, 2.]),
              'proline': np.float32([np.nan, 700.]),
              'kind': np.array([b'a', b''], object),
              'dry': np.array([b'', b'True'], object),
              'seed': np.int32([[1, 2], [3, 4]])})
    self.assertAllEqual(found['alcohol_mean'][:1], [13.])
    self.assertEqual(found['dry_sample'][1], b'True')
    self.assertIn(found['kind_sample'][1], [b'a', b'b', b'c', b'other'])
    self.assertTrue(np.all(found['proline_lower'] <= found['proline_upper']))

  def test_a_file_is_filled_with_the_flags_of_the_run(self):
    output = os.path.join(self.directory, 'filled.csv')
    impute_run(Config(**self.config, input=self.paths['incomplete'],
                      output=output), self.workdir)
    filled = pd.read_csv(output)
    self.assertFalse(filled.isna().any(axis=None))
    self.assertEqual(filled['dry'].dtype, bool)
    given = pd.read_csv(self.paths['incomplete'])
    known = given['alcohol'].notna()
    self.assertAllEqual(filled['alcohol'][known], given['alcohol'][known])

  def test_two_replicas_train_as_one_device(self):
    workdir = os.path.join(self.directory, 'mirrored')
    metrics = _train(self.config, workdir, strategy='mirrored', export=False,
                     evaluations=('importance_weighted',))
    one, two = (pd.read_csv(os.path.join(path, 'history.csv'))
                for path in (self.workdir, workdir))
    self.assertAllClose(two['elbo_per_entry'], one['elbo_per_entry'], atol=1e-4)
    for part in ('elbo', 'reconstruction', 'kl'):
      self.assertNear(metrics['test'][part], self.metrics['test'][part], 1e-4)

  def test_complete_data_have_the_same_model_and_batches(self):
    """Training is then bit-equal, as missing_values_test shows."""
    found = {}
    for missing in ('refuse', 'allow'):
      config = Config(**_SMALL | dict(
          dataset=self.paths['complete'], missing=missing))
      images = load_images(config)
      tf_keras.utils.set_random_seed(0)
      model = fitting.build(config, images)
      read = batches.TrainingInput(images, config, tf.distribute.get_strategy())
      batch = read.batch_fn(next(iter(read.dataset(0))), 0)
      found[missing] = [batch.inputs.numpy(), *model.get_weights()]
    for one, other in zip(*found.values(), strict=True):
      self.assertAllEqual(one, other)

  @parameterized.parameters(*data.CACHES)
  def test_a_resumed_run_hides_the_same_values(self, cache):
    config = Config(**self.config | {'cache': cache}, cache_dir=(
        self.directory if cache == 'disk' else None))
    images = load_images(config)
    read = batches.TrainingInput(images, config, tf.distribute.get_strategy())

    def x(start, count):
      return [read.batch_fn(element, 0).inputs.numpy() for element in
              itertools.islice(read.dataset(start), count)]

    whole, resumed = x(0, 2 * read.steps_per_epoch), x(3, 2)
    for one, other in zip(whole[3:5], resumed, strict=True):
      self.assertAllEqual(one, other)
    per_epoch = [np.isnan(np.concatenate(part)).mean() for part in (
        whole[:read.steps_per_epoch], whole[read.steps_per_epoch:])]
    self.assertAllClose(per_epoch, [1 - 0.8**2] * 2, atol=0.08)
    self.assertNotEqual(*per_epoch)  # They are drawn again.

  def test_missing_values_are_refused_without_the_flag(self):
    with self.assertRaisesRegex(
        ValueError, "`missing='allow'`.*'alcohol': \\d+"):
      _train(_SMALL | {'dataset': self.paths['incomplete']},
             os.path.join(self.directory, 'refused'))
    self.assertFalse(os.path.exists(os.path.join(self.directory, 'refused')))


if __name__ == '__main__':
  tf.test.main()
