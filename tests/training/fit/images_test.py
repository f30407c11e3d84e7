"""Images of a run with missing values: holes, units and supports."""

import os

from absl.testing import parameterized
import numpy as np
import pandas as pd
import tensorflow as tf

from tfvae import data
from tfvae.training import Config
from tfvae.training.fit import images as images_lib
from tfvae.training.fit.building import compiled_model
from tfvae.training.fit.building import initialize_priors

_RNG = np.random.default_rng(0)


class HolesTest(parameterized.TestCase, tf.test.TestCase):

  def load(self, x, **settings):
    path = os.path.join(self.create_tempdir().full_path, 'x.npz')
    np.savez(path, x=x, x_test=np.ones_like(x), x_validation=np.ones_like(x))
    config = Config(dataset=path, **{'likelihood': 'normal', **settings},
                    cache_dir=os.path.dirname(path) if settings.get(
                        'cache') == 'disk' else None)
    return config, images_lib.load_images(config)

  @parameterized.product(cache=data.CACHES, shape=((6,), (4, 3, 2)))
  def test_elements_of_the_training_split(self, cache, shape):
    x = _RNG.normal(size=[30, *shape])
    holes = np.zeros(x.shape, bool)
    holes[4, 1], holes[7, -1] = True, True
    config, images = self.load(
        np.where(holes, np.nan, x), missing='allow', cache=cache)
    found = images_lib.elements_with_holes(config, images)
    self.assertDTypeEqual(found, np.bool_)
    self.assertAllEqual(found, holes.any(axis=0))

  def test_complete_data(self):
    x = _RNG.normal(size=[30, 4])
    config, images = self.load(x)
    self.assertIsNone(images_lib.elements_with_holes(config, images))
    self.assertFalse(config.data.takes_missing)
    config, images = self.load(x, missing='allow')
    self.assertTrue(config.data.takes_missing)
    self.assertAllEqual(
        images_lib.elements_with_holes(config, images), [False] * 4)
    config, images = self.load(x, hide_fraction=0.1)
    self.assertTrue(config.data.takes_missing)
    self.assertAllEqual(
        images_lib.elements_with_holes(config, images), [True] * 4)

  @parameterized.parameters(
      (dict(mask_key='mask'), "mask_key.*`missing='allow'`"),
      (dict(hide_fraction=-0.1), 'at least 0'),
      (dict(hide_fraction=1.), 'below 1'),
      (dict(missing='keep'), 'refuse, drop, allow'))
  def test_settings_that_do_not_fit(self, settings, message):
    with self.assertRaisesRegex(ValueError, message):
      Config(dataset='x.npz', likelihood='normal', **settings)

  def test_moments_are_of_observed_values(self):
    x = _RNG.normal(3, 2, size=[30, 4])
    x[_RNG.random(x.shape) < 0.3] = np.nan
    config, images = self.load(x, missing='allow')
    mean, scale = images_lib.training_moments(config, images)
    self.assertAllClose(mean, np.nanmean(x, axis=0), rtol=1e-6)
    self.assertAllClose(scale, np.nanstd(x, axis=0), rtol=1e-6)

  @parameterized.parameters(
      ('poisson', 3., 2.5, 'counts'),
      ('continuous_bernoulli', 0.5, 1.5, '0 to'),
      ('bernoulli', 0.5, -0.5, 'from 0 to 1'), ('normal', -3., None, ''))
  def test_missing_values_have_every_support(self, likelihood, inside, outside,
                                             message):
    x = np.full([30, 4], inside)
    x[5:9, 2] = np.nan
    self.load(x, likelihood=likelihood, missing='allow')
    if outside is not None:
      x[6, 1] = outside
      with self.assertRaisesRegex(ValueError, message):
        self.load(x, likelihood=likelihood, missing='allow')

  def test_columns_have_the_unit_of_observed_values(self):
    frame = pd.DataFrame({
        'size': _RNG.normal(4, 2, 80), 'eggs': (7. * np.arange(80)) % 23,
        'grade': np.arange(80.) % 4, 'kind': _RNG.choice(['a', 'b', 'c'], 80)})
    frame = frame.mask(_RNG.random(frame.shape) < 0.2)
    loaded = data.load(frame, missing='allow')
    rows = frame.iloc[loaded.carved['train']]
    size, eggs, grade, _ = images_lib.training_columns(loaded)
    for column, values in ((size, rows['size']), (eggs, np.log1p(rows['eggs'])),
                           (grade, rows['grade'])):
      self.assertAllClose([column.loc, column.scale],
                          [values.mean(), values.std(ddof=0)], rtol=1e-5)
    counts = rows['grade'].value_counts().sort_index().to_numpy()
    self.assertAllClose(grade.frequencies, (counts + 1) / (counts.sum() + 4))

  def test_a_vamp_prior_begins_with_complete_examples(self):
    x = _RNG.normal(3, 2, size=[20, 4]).astype(np.float32)
    x[[0, 7], 1] = np.nan
    config = Config(dataset='x.npz', latents='z:3', likelihood='normal',
                    prior='vamp', prior_components=2)
    model = compiled_model(config, (4,), 20, moments=data.moments([x]))
    initialize_priors(model, x)
    expected = x[:2].copy()
    expected[0, 1] = np.nanmean(x[:, 1])
    self.assertAllClose(model.priors['z'].pseudo_inputs(), expected)


if __name__ == '__main__':
  tf.test.main()
