"""Runs on folders and arrays: resumed, changed, and in the units of x."""

import json
import os
import pathlib
from unittest import mock

from absl.testing import parameterized
import numpy as np
from PIL import Image
from sklearn import datasets
import tensorflow as tf
import tf_keras

from tfvae.training import Config
from tfvae.training import evaluate_run
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training.fit import fitting

_SMALL = dict(latents='z:2', hidden_units=(8,), epochs=1, batch_size=30,
              jit='false', evaluations=('importance_weighted',),
              eval_importance_samples=2, export=False)


class FolderTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.enterContext(mock.patch.object(fitting, 'TensorBoard'))
    self.enterContext(mock.patch.object(train, 'write_report'))
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'digits'
    self.workdir = self.create_tempdir().full_path
    digits = datasets.load_digits()
    for i in range(120):
      path = self.folder / str(digits.target[i] % 2) / f'{i}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(np.uint8(digits.images[i] * 15)).save(path)
    self.config = Config(dataset=str(self.folder), test_fraction=0.25,
                         **_SMALL)

  def test_run_with_its_rows_and_a_later_change(self):
    metrics = train_and_evaluate(self.config, self.workdir)
    self.assertEqual(
        [metrics[part]['examples'] for part in ('train', 'test')], [81, 30])
    with np.load(os.path.join(self.workdir, 'splits.npz')) as rows:
      self.assertCountEqual(
          np.concatenate([rows[part] for part in rows]), range(120))
    # The finished run is evaluated again with the same figures.
    again = evaluate_run(self.config, self.workdir)
    self.assertEqual(again['test']['elbo'], metrics['test']['elbo'])
    image = self.folder / '0' / '0.png'
    image.write_bytes((self.folder / '1' / '1.png').read_bytes())
    (self.folder / '1' / '3.png').rename(self.folder / '1' / '03.png')
    for act in (train_and_evaluate, evaluate_run):
      with self.assertRaisesRegex(
          ValueError, r'1 changed \(0/0.png\); 1 added \(1/03.png\); 1 removed '
          r'\(1/3.png\).*workdir='):
        act(self.config, self.workdir)

  def test_corrupt_file_ends_the_run_before_it_leaves_files(self):
    image = self.folder / '0' / '0.png'
    image.write_bytes(image.read_bytes()[:50])
    with self.assertRaisesRegex(ValueError, r'0/0\.png.*digits'):
      train_and_evaluate(self.config, os.path.join(self.workdir, 'new'))
    self.assertFalse(os.path.exists(os.path.join(self.workdir, 'new')))


class VectorTest(parameterized.TestCase, tf.test.TestCase):

  def save(self, x, y=None):
    path = os.path.join(self.create_tempdir().full_path, 'table.npz')
    np.savez(path, x=x, **({} if y is None else {'y': y}))
    return path

  def test_elbo_is_in_the_unit_of_each_element(self):
    """p(x) = p(x') Π_d 1/s_d for x' = (x − m) / s."""
    self.enterContext(mock.patch.object(fitting, 'TensorBoard'))
    self.enterContext(mock.patch.object(train, 'write_report'))
    wine = datasets.load_wine()
    workdirs = [self.create_tempdir().full_path for _ in range(2)]
    raw = train_and_evaluate(Config(
        dataset=self.save(wine.data, wine.target), likelihood='normal',
        **_SMALL), workdirs[0])
    with np.load(os.path.join(workdirs[0], 'splits.npz')) as rows:
      x = wine.data[rows['train']]
    scale = x.std(axis=0)
    standard = train_and_evaluate(Config(
        dataset=self.save((wine.data - x.mean(axis=0)) / scale,
                          wine.target),
        likelihood='normal', **_SMALL), workdirs[1])
    for part in ('train', 'test'):
      for name, sign in (('elbo', 1), ('iwae_nll', -1)):
        if name in raw[part]:
          self.assertAllClose(
              sign * raw[part][name],
              sign * standard[part][name] - np.log(scale).sum(), atol=2e-3)
    self.assertAllClose(raw['test']['kl'], standard['test']['kl'], atol=1e-3)

  @parameterized.parameters(
      ('bernoulli', {'preset': 'conditional', 'export': True}),
      ('normal_per_pixel', {'preset': 'ladder', 'latents': 'z1:3,z2:2',
                            'prior': 'vamp', 'prior_components': 3}))
  def test_everything_of_a_run(self, likelihood, settings):
    rng = np.random.default_rng(0)
    x = rng.poisson(20, [100, 6])
    x = x > 20 if likelihood == 'bernoulli' else x
    workdir = self.create_tempdir().full_path
    with mock.patch.object(fitting, 'TensorBoard'):
      metrics = train_and_evaluate(
          Config(dataset=self.save(x, np.arange(100) % 3),
                 likelihood=likelihood, **_SMALL | settings), workdir)
    self.assertNotIn('not_computed', metrics)
    self.assertNotIn('report', metrics)
    self.assertTrue(np.isfinite(metrics['test']['elbo']))
    with open(os.path.join(workdir, 'data.json'), encoding='utf-8') as file:
      self.assertLen(json.load(file)['content'], 2)
    for name in ('report/index.html', 'report/overview.png', *(
        ['export/1'] if 'export' in settings else [])):
      self.assertTrue(os.path.exists(os.path.join(workdir, name)), name)
    model = tf_keras.models.load_model(os.path.join(workdir, 'model.keras'))
    samples = model.sample(500, seed=0, mean=True, inputs=(
        {'y': np.eye(3)[np.arange(500) % 3]}
        if model.graph.is_conditional else None))
    self.assertEqual(samples.shape, (500, 6))
    if likelihood == 'normal_per_pixel':  # In the unit of x.
      self.assertBetween(float(tf.reduce_mean(samples)), 10, 30)

  def test_bernoulli_needs_probabilities(self):
    with self.assertRaisesRegex(
        ValueError, 'from 0 to 1.*likelihood.*number 20'):
      train_and_evaluate(Config(
          dataset=self.save(np.full([50, 3], 20.)), **_SMALL),
                         self.create_tempdir().full_path)


if __name__ == '__main__':
  tf.test.main()
