"""Masks of arrays: shapes, kinds of x, parts, and bad ones."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import data

_RNG = np.random.default_rng(0)
_GRAY = _RNG.integers(0, 256, [40, 4, 3, 2], np.uint8)
_SEEN = _RNG.random([40, 4, 3]) < 0.7
_SEEN[0, 0, 0] = False


def _rows(loaded, x):
  return {name: x[rows] for name, rows in loaded.carved.items()}


class MasksTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = self.create_tempdir().full_path

  def load(self, arrays, **kwargs):
    return data.load(arrays, missing='allow', mask_key='mask',
                     cache_dir=self.directory, **kwargs)

  @parameterized.product(
      cache=data.CACHES, form=('pixels', 'one', 'all', 'bytes', 'float'))
  def test_images(self, cache, form):
    mask = {'pixels': _SEEN, 'one': _SEEN[..., None], 'bytes': np.uint8(_SEEN),
            'float': np.float64(_SEEN),
            'all': np.repeat(_SEEN[..., None], 2, axis=3)}[form]
    path = os.path.join(self.directory, 'images.npz')
    np.savez(path, x=_GRAY, mask=mask)
    loaded = self.load(path, cache=cache)
    self.assertEqual(loaded.image_shape, (4, 3, 2))
    expected = np.where(_SEEN[..., None], _GRAY / np.float32(255), np.nan)
    for name, x in _rows(loaded, expected).items():
      found = np.concatenate(list(
          data.stored(getattr(loaded, name).images).chunks()))
      self.assertDTypeEqual(found, np.float32)
      self.assertAllEqual(found, x)

  @parameterized.parameters(
      (np.uint8, 2, 1), (np.bool_, 2, 1), (np.uint8, 200, 255),
      (np.int64, 200, 1), (np.float64, 200, 1))
  def test_numbers(self, dtype, levels, divisor):
    x = _RNG.integers(0, levels, [40, 5]).astype(dtype)
    mask = _RNG.random(x.shape) < 0.8
    loaded = self.load({'x': x, 'mask': mask})
    expected = np.where(mask, np.float32(x) / np.float32(divisor), np.nan)
    for name, rows in _rows(loaded, expected).items():
      self.assertAllEqual(getattr(loaded, name).images, rows)

  def test_nan_and_masked_values_are_missing_as_well(self):
    x = np.ma.masked_array(_RNG.normal(size=[40, 3]), False)
    x[:, 0] = np.where(np.arange(40) % 7, x[:, 0], np.nan)
    x[3, 1] = np.ma.masked
    mask = np.ones([40, 3])
    mask[5, 2] = 0
    loaded = self.load({'x': x, 'mask': mask}, train_split='train[:30]',
                       test_split='train[30:]')
    self.assertEqual(loaded.findings.missing['train'],
                     {'x[:, 0]': 6, 'x[:, 1]': 1, 'x[:, 2]': 1})

  def test_parts(self):
    seen = np.ones_like(_SEEN)
    arrays = {'x': _GRAY, 'mask': seen, 'x_test': _GRAY[:9],
              'mask_test': _SEEN[:9]}
    loaded = self.load(arrays)
    self.assertEqual(loaded.train.images.dtype, np.float32)
    self.assertAllEqual(np.isnan(loaded.test.images[..., 0]), ~_SEEN[:9])
    # Where nothing is masked, the images are as without a mask.
    loaded = self.load(arrays | {'mask_test': seen[:9]})
    self.assertEqual(loaded.train.images.dtype, np.uint8)
    self.assertAllEqual(loaded.test.images, _GRAY[:9])
    del arrays['mask_test']
    with self.assertRaisesRegex(ValueError, 'Masks must exist for each part'):
      self.load(arrays)

  def test_content_depends_on_the_mask(self):
    digests = [self.load({'x': _GRAY, 'mask': mask}).content
               for mask in (_SEEN, _SEEN[::-1], _SEEN)]
    self.assertEqual(digests[0], digests[2])
    self.assertNotEqual(digests[0], digests[1])

  @parameterized.named_parameters(
      ('shape', _SEEN[:, :2], r'shape of x.*\(40, 2, 3\).*\(40, 4, 3, 2\)'),
      ('rows', _SEEN[:9], r'shape of x.*\(9, 4, 3\)'),
      ('flat', _SEEN.reshape(40, -1), r'\(40, 12\)'),
      ('values', 2 * np.int8(_SEEN), 'boolean, or 0 and 1.*observed'),
      ('nan', np.where(_SEEN, 1, np.nan), 'boolean, or 0 and 1'),
      ('text', np.where(_SEEN, 'a', 'b'), 'boolean, or 0 and 1'))
  def test_bad_masks(self, mask, message):
    with self.assertRaisesRegex(ValueError, message):
      self.load({'x': _GRAY, 'mask': mask})

  @parameterized.parameters('refuse', 'drop')
  def test_a_mask_needs_allow(self, missing):
    with self.assertRaisesRegex(ValueError, "set `missing='allow'`"):
      data.load({'x': _GRAY, 'mask': _SEEN}, missing=missing, mask_key='mask')

  def test_a_mask_is_of_arrays(self):
    stream = tf.data.Dataset.from_tensor_slices({'x': _GRAY, 'mask': _SEEN})
    with self.assertRaisesRegex(ValueError, 'mask_key.*arrays only'):
      self.load(stream)
    with self.assertRaisesRegex(ValueError, 'mask_key` to one of x, seen'):
      self.load({'x': _GRAY, 'seen': _SEEN})


if __name__ == '__main__':
  tf.test.main()
