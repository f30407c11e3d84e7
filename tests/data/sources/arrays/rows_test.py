"""Sparse matrices and rows of files, compared with dense arrays."""

import os
from unittest import mock

from absl.testing import parameterized
import numpy as np
from scipy import sparse
import tensorflow as tf

from tests.data.sources.same_data import SameDataCase
from tfvae import data
from tfvae.data.sources.arrays.rows import FileRows
from tfvae.data.sources.arrays.rows import SparseFileRows

_RNG = np.random.default_rng(0)
_X = _RNG.poisson(0.3, [60, 7])


class RowsTest(SameDataCase):

  @parameterized.product(
      cache=data.CACHES,
      form=(sparse.csr_array, sparse.csc_matrix, sparse.coo_array))
  def test_sparse_is_as_dense(self, cache, form):
    x, y = form(_X.astype(np.int32)), np.arange(60) % 3
    expected = self.load({'x': _X.astype(np.int32), 'y': y})
    with mock.patch.object(x, 'toarray', side_effect=AssertionError):
      loaded = self.load({'x': x, 'y': y}, cache=cache)
      self.assert_same(loaded, expected)
    self.assertEqual(loaded.content, expected.content)
    self.assertEqual(loaded.train.images.dtype, np.float32)

  def test_sparse_is_read_in_blocks(self):
    x = sparse.random_array((3000, 5000), density=0.001, format='csr', rng=0)
    sizes = []
    csr = type(x)

    def toarray(matrix, *args, **kwargs):
      sizes.append(matrix.shape[0])
      return csr.__mro__[1].toarray(matrix, *args, **kwargs)

    with mock.patch.object(csr, 'toarray', toarray):
      loaded = self.load(x, cache='none')
      batch = next(iter(data.streamed_batches(
          loaded.train.images, 10, 0, 'none', shuffle_buffer=20)))
    self.assertEqual(batch.shape, [10, 5000])
    self.assertLess(max(sizes), 1000)

  def test_bad_sparse(self):
    x = sparse.csr_array(_X.astype(float))
    x.data[3] = np.nan
    with self.assertRaisesRegex(ValueError, 'Values are missing'):
      self.load(x)
    with self.assertRaisesRegex(ValueError, r'must be `\[n, d\]`'):
      self.load(sparse.coo_array(np.arange(5)))
    with self.assertRaisesRegex(ValueError, 'Labels must be'):
      self.load({'x': _X, 'y': sparse.csr_array(np.eye(60))})

  @parameterized.parameters(False, True)
  def test_rows_of_a_file_are_read_in_slices(self, is_sparse):
    x = _RNG.poisson(0.4, [900, 3])
    csr = sparse.csr_array(x)
    rows = (SparseFileRows(x.shape, csr.data, csr.indices, csr.indptr)
            if is_sparse else FileRows(x))
    self.assertEqual((len(rows), rows.shape), (900, (900, 3)))
    for key in (np.array([5, 6, 9, 400, 401, 2, 2, 899]), np.arange(900)[::-7],
                np.array([], int), slice(3, 50), slice(0, 0)):
      self.assertAllEqual(rows[key], x[key])

  def test_file_without_anndata(self):
    path = os.path.join(self.directory, 'cells.h5ad')
    with open(path, 'wb') as file:
      file.write(b'nothing')
    with mock.patch.dict('sys.modules', anndata=None):
      with self.assertRaisesRegex(ValueError, 'pip install anndata'):
        self.load(path)


if __name__ == '__main__':
  tf.test.main()
