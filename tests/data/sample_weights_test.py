"""Sample weights of arrays and tables, from the source to the batches."""

import os

from absl.testing import parameterized
import numpy as np
import pandas as pd
import tensorflow as tf

from tfvae import data
from tfvae.training import Config
from tfvae.training import train_and_evaluate
from tfvae.training.fit import batches
from tfvae.training.fit.images import load_images

_X = np.random.default_rng(0).normal(size=[40, 3])
_X[:, 0] = np.arange(40) + 0.5
_WEIGHTS = 1 + np.arange(40) % 7


class SampleWeightsTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = self.create_tempdir().full_path

  def path(self, kind, weights=_WEIGHTS):
    path = os.path.join(self.directory, f'numbers.{kind}')
    if kind == 'npz':
      np.savez(path, x=_X, y=np.arange(40) % 2, w=weights)
    else:
      pd.DataFrame(_X, columns=list('abc')).assign(w=weights).to_csv(
          path, index=False)
    return path

  @parameterized.product(cache=data.CACHES, kind=['npz', 'csv'])
  def test_follow_their_rows(self, cache, kind):
    loaded = data.load(self.path(kind), cache=cache, weight_key='w',
                       cache_dir=self.directory)
    self.assertEqual(loaded.image_shape, (3,))
    config = Config(
        dataset='x.csv' if kind == 'csv' else 'x.npz', cache=cache,
        likelihood='columns' if kind == 'csv' else 'normal', batch_size=7,
        shuffle_buffer=10_000)
    strategy = tf.distribute.get_strategy()
    read = batches.TrainingInput(loaded, config, strategy)
    mean = loaded.train.weights.mean()
    elements = list(read.dataset(0).take(2 * read.steps_per_epoch))
    for epoch in (elements[:5], elements[5:]):
      parts = [read.batch_fn(element, 0).inputs for element in epoch]
      x, target, weights = (np.concatenate(part) for part in zip(
          *parts, strict=True))
      self.assertAllEqual(x, target)
      self.assertAllEqual(np.sort(x[:, 0]) - 0.5, loaded.carved['train'])
      self.assertAllClose(weights, _WEIGHTS[x[:, 0].astype(int)] / mean)
      self.assertAllClose(weights.mean(), 1.)
    for split in ('validation', 'test'):
      (x, _, weights), = batches.evaluation_batches(loaded, split, config)
      self.assertAllClose(
          weights, _WEIGHTS[x.numpy()[:, 0].astype(int)] / mean)

  @parameterized.parameters(
      ('npz', _WEIGHTS - 3., 'w', 'at least 0.*-2.0 in row 0'),
      ('csv', np.array(['a'] * 40), 'w', 'number for each example'),
      ('npz', np.zeros(40), 'w', 'above 0.*weights of 0'),
      ('npz', _WEIGHTS[:5], 'w', 'one weight for each x'),
      ('npz', _WEIGHTS, 'v', 'weight_key` to one of x, y, w'),
      ('csv', _WEIGHTS, 'v', 'weight_key` to one of a, b, c, w'))
  def test_bad_weights(self, kind, weights, key, message):
    with self.assertRaisesRegex(ValueError, message):
      if kind == 'csv' or len(weights) == 40:
        path = self.path(kind, weights)
      else:
        path = {'x': _X, 'w': weights}
      data.load(path, weight_key=key, cache_dir=self.directory)

  @parameterized.parameters(
      (dict(objective='beta_tc'), 'objective=beta_tc'),
      (dict(free_bits=1.), 'free_bits=1.0'),
      (dict(kl_capacity=2.), 'kl_capacity=2.0'))
  def test_settings_of_whole_batches(self, settings, message):
    with self.assertRaisesRegex(ValueError, f'sum over examples.*{message}'):
      Config(dataset='x.npz', likelihood='normal', weight_key='w', **settings)

  def test_data_without_weights(self):
    with self.assertRaisesRegex(ValueError, 'arrays and tables only.*digits'):
      load_images(Config(weight_key='w'))

  def test_run(self):
    metrics = train_and_evaluate(Config(
        dataset=self.path('npz'), likelihood='normal', weight_key='w',
        latents='z:2', hidden_units=(4,), epochs=1, batch_size=8, jit='false',
        eval_importance_samples=2, export=False,
        data_dir=self.directory), os.path.join(self.directory, 'run'))
    test = metrics['test']
    self.assertAllClose(
        test['elbo'], test['reconstruction'] - test['kl'], rtol=1e-5)
    # No KL weight: −ELBO, both weighted, with other draws.
    self.assertAllClose(test['objective'], -test['elbo'], atol=3.)
    self.assertIn('mutual_information', metrics['latent_space'])


if __name__ == '__main__':
  tf.test.main()
