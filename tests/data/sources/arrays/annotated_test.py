"""Annotated matrices of anndata, compared with arrays."""

import os
import unittest

from absl.testing import parameterized
import numpy as np
import pandas as pd
from scipy import sparse
import tensorflow as tf

from tfvae import data
from tfvae import models

try:
  import anndata
except ImportError:
  anndata = None

_RNG = np.random.default_rng(0)
_X = _RNG.poisson(0.3, [60, 7]).astype(np.float32)
_TYPES = np.array(['b', 'a', 'c'])[np.arange(60) % 3]


@unittest.skipUnless(anndata, 'anndata is not installed')
class AnnotatedTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    # anndata 0.12 cannot write the texts of pandas 3.
    self.enter_context(pd.option_context('future.infer_string', False))

  def annotated(self, x=_X):
    return anndata.AnnData(
        x, pd.DataFrame({'cell_type': pd.Categorical(_TYPES)},
                        index=[f'cell {i}' for i in range(len(_X))]),
        layers={'doubled': 2 * _X})

  def assert_same(self, loaded, x=_X):
    expected = data.load({'x': x, 'y': _TYPES})
    self.assertEqual(loaded.label_names, ('a', 'b', 'c'))
    for name in ('train', 'validation', 'test'):
      split, other = getattr(loaded, name), getattr(expected, name)
      self.assertAllEqual(
          np.concatenate(list(data.stored(split.images).chunks())),
          other.images)
      self.assertAllEqual(split.labels, other.labels)

  @parameterized.product(
      cache=data.CACHES, in_file=(False, True),
      form=(np.asarray, sparse.csr_matrix, sparse.csc_matrix))
  def test_is_as_arrays(self, cache, in_file, form):
    source = self.annotated(form(_X))
    if in_file:
      path = os.path.join(self.create_tempdir().full_path, 'cells.h5ad')
      source.write_h5ad(path)
      source = path
    self.assert_same(data.load(
        source, label_key='cell_type', cache=cache,
        cache_dir=self.create_tempdir().full_path))

  def test_layers_and_views(self):
    self.assert_same(data.load(
        self.annotated(), image_key='doubled', label_key='cell_type'), 2 * _X)
    self.assertLen(data.load(self.annotated()[::2]).train.images, 24)

  @parameterized.parameters(np.asarray, sparse.csr_matrix)
  def test_missing_values(self, form):
    x = _X.copy()
    x[3, 2] = x[30:40, 5] = np.nan
    loaded = data.load(self.annotated(form(x)), label_key='cell_type',
                       missing='allow')
    for name, rows in loaded.carved.items():
      self.assertAllEqual(getattr(loaded, name).images, x[rows])
    with self.assertRaisesRegex(ValueError, '11 of 60 rows'):
      data.load(self.annotated(form(x)))

  def test_what_does_not_fit(self):
    with self.assertRaisesRegex(ValueError, 'image_key` to one of doubled'):
      data.load(self.annotated(), image_key='counts')
    with self.assertRaisesRegex(ValueError, 'label_key` to one of cell_type'):
      data.load(self.annotated(), label_key='leiden')
    holes = self.annotated()
    holes.obs.loc['cell 3', 'cell_type'] = None
    with self.assertRaisesRegex(ValueError, r"notna\(\).*1 of 60 labels"):
      data.load(holes, label_key='cell_type')
    path = os.path.join(self.create_tempdir().full_path, 'text.h5ad')
    with open(path, 'w', encoding='utf-8') as file:
      file.write('no cells')
    with self.assertRaisesRegex(ValueError, 'read by anndata'):
      data.load(path)

  def test_posterior_means_in_the_order_of_the_rows(self):
    adata = self.annotated(sparse.csr_matrix(_X))
    encoder = models.encoder_model(models.image_vae('z:2', (7,)))
    adata.obsm['X_tfvae'] = np.concatenate([
        encoder(x.toarray())['loc'] for x, *_ in adata.chunked_X(25)])
    self.assertAllClose(adata.obsm['X_tfvae'], encoder(_X)['loc'])


if __name__ == '__main__':
  tf.test.main()
