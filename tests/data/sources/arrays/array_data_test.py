"""Arrays: files, parts, labels, numbers of every kind, and bad ones."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import data

_RNG = np.random.default_rng(0)


def _parts(loaded):
  return [np.asarray(split.images) for split in (
      loaded.train, loaded.validation, loaded.test)]


class ArraysTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = self.create_tempdir().full_path

  def path(self, name, *args, **arrays):
    path = os.path.join(self.directory, name)
    (np.savez_compressed if arrays else np.save)(path, *args, **arrays)
    return path

  def load(self, source, **kwargs):
    return data.load(source, cache_dir=self.directory, **kwargs)

  @parameterized.product(
      cache=data.CACHES, case=(
          (np.uint8, (3, 4), (3, 4, 1)), (np.bool_, (5,), (5,)),
          (np.uint16, (3, 4, 2), (3, 4, 2)), (np.int64, (6,), (6,)),
          (np.float64, (2, 3, 2, 2), (2, 3, 2, 2)), (np.float16, (3,), (3,))))
  def test_shapes_and_numbers(self, cache, case):
    dtype, shape, expected = case
    x = _RNG.integers(0, 2 if dtype == np.bool_ else 200, [40, *shape]).astype(
        dtype)
    x[:, 0] = np.arange(40).reshape(40, *[1] * (x.ndim - 2))  # Rows differ.
    loaded = self.load(self.path('x.npy', x), cache=cache)
    self.assertEqual(loaded.image_shape, expected)
    parts = _parts(loaded)
    self.assertEqual(list(map(len, parts)), [32, 4, 4])
    kind = np.uint8 if dtype in (np.uint8, np.bool_) else np.float32
    for part, name in zip(parts, ('train', 'validation', 'test'), strict=True):
      self.assertEqual(part.dtype, kind)
      self.assertAllEqual(
          part, x[loaded.carved[name]].astype(kind).reshape(-1, *expected))

  @parameterized.parameters(*data.CACHES)
  def test_parts_and_labels_of_an_archive(self, cache):
    x, x_test = _RNG.random([20, 3]), _RNG.random([5, 3])
    y, y_test = np.arange(20) % 4, np.arange(5) % 4
    path = self.path('iris.npz', x_train=x, y_train=y, x_test=x_test,
                     y_test=y_test)
    loaded = self.load(path, cache=cache)
    self.assertEqual(loaded.name, 'iris')
    self.assertAllClose(loaded.test.images, x_test)
    self.assertAllEqual(loaded.test.labels, y_test)
    self.assertEqual(loaded.num_classes, 4)
    self.assertAllEqual(loaded.train.labels, y[loaded.carved['train']])
    self.assertNotIn('test', loaded.carved)

  @parameterized.parameters(
      (np.array(['no', 'yes', 'no', 'yes', 'no', 'no']), ('no', 'yes')),
      (np.array([b'b', b'a', b'b', b'a', b'b', b'b']), ('a', 'b')),
      (np.array([10, 30, 10, 30, 10, 10]), ('10', '30')),
      (np.array([0., 1., 0., 1., 0., 0.]), ('0', '1')),
      (np.array([[0], [1], [0], [1], [0], [0]]), ('0', '1')),
      (np.eye(2)[[0, 1, 0, 1, 0, 0]], ('0', '1')),
      (np.array([False, True, False, True, False, False]), ('0', '1')))
  def test_kinds_of_labels(self, y, names):
    loaded = self.load({'x': np.ones([6, 2]), 'y': y})
    found = np.concatenate([loaded.train.labels, loaded.validation.labels,
                            loaded.test.labels])
    self.assertAllEqual(np.sort(np.bincount(found)), [2, 4])
    self.assertEqual(loaded.label_names, names)

  def test_names_of_arrays(self):
    arrays = {'pixels': np.ones([9, 2]), 'kind': np.arange(9) % 2,
              'other': np.ones([9, 4])}
    loaded = self.load(arrays, image_key='other', label_key='kind')
    self.assertEqual(loaded.image_shape, (4,))
    self.assertEqual(loaded.num_classes, 2)
    with self.assertRaisesRegex(
        ValueError, 'image_key` to one of pixels, kind, other'):
      self.load(arrays)
    with self.assertRaisesRegex(ValueError, "label_key='x'"):
      self.load(arrays, image_key='other', label_key='x')
    self.assertIsNone(self.load({'x': np.ones([9, 2])}).num_classes)
    self.assertIsNone(self.load(
        {'x': np.ones([9, 2]), 'y': np.arange(9)}, label_key=None).num_classes)

  def test_fingerprint_follows_the_content(self):
    x = np.zeros([9, 2])
    first, again = self.load({'x': x}), self.load({'x': x})
    self.assertEqual(first.content, again.content)
    x[3, 1] = 1
    self.assertNotEqual(first.content, self.load({'x': x}).content)

  @parameterized.named_parameters(
      ('strings', np.array([['a'], ['b']]), "must have numbers.*'x'"),
      ('complex', np.ones([3, 2], complex), 'must have numbers'),
      ('scalars', np.arange(9.), r'an axis for its values.*\(9,\)'),
      ('empty', np.ones([0, 3]), 'at least one row'),
      ('one', np.ones([1, 3]), 'so few examples'),
      ('nan', np.array([[1.], [np.nan], [1.]]),
       r"missing='allow'.*missing='drop'.*1 of 3 rows.*'x\[:, 0\]': 1"),
      ('infinite', np.full([4, 2], np.inf), 'must be finite'))
  def test_bad_arrays(self, x, message):
    with self.assertRaisesRegex(ValueError, message):
      self.load(x)

  @parameterized.named_parameters(
      ('lengths', {'x': np.ones([4, 2]), 'y': np.ones(3)}, '4 x and 3 labels'),
      ('continuous', {'x': np.ones([4, 2]), 'y': np.arange(4) / 3},
       'Labels must be'),
      ('shapes', {'x': np.ones([4, 2]), 'x_test': np.ones([4, 3])},
       r"one shape and dtype.*'test'"),
      ('no_test_labels', {'x': np.ones([4, 2]), 'y': np.ones(4),
                          'x_test': np.ones([4, 2])}, 'for each part'),
      ('twice', {'x': np.ones([4, 2]), 'x_train': np.ones([4, 2])},
       "part 'train'"))
  def test_arrays_that_do_not_fit(self, arrays, message):
    with self.assertRaisesRegex(ValueError, message):
      self.load(arrays)

  def test_too_many_classes(self):
    with self.assertRaisesRegex(ValueError, '10,000.*10,001 different'):
      self.load({'x': np.ones([10_001, 1], np.uint8),
                 'y': 5 * np.arange(10_001)})

  def test_objects_are_never_unpickled(self):
    path = os.path.join(self.directory, 'objects.npy')
    np.save(path, np.array([{'a': 1}], object), allow_pickle=True)
    with self.assertRaisesRegex(ValueError, 'Python objects'):
      self.load(path)
    path = os.path.join(self.directory, 'objects.npz')
    np.savez(path, x=np.array([{'a': 1}], object))
    with self.assertRaisesRegex(ValueError, 'Python objects'):
      self.load(path)

  def test_file_of_something_else(self):
    for name in ('text.npz', 'text.npy'):
      path = os.path.join(self.directory, name)
      with open(path, 'w', encoding='utf-8') as file:
        file.write('x, y\n1, 2\n')
      with self.assertRaisesRegex(ValueError, name):
        self.load(path)


if __name__ == '__main__':
  tf.test.main()
