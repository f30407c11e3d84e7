from absl.testing import parameterized
import numpy as np
import pandas as pd
import tensorflow as tf

from tfvae import data
from tfvae.data.sources.arrays.labels import checked_labels
from tfvae.data.sources.arrays.labels import numbered_classes

_X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
_CLASSES = np.arange(40) % 3
_MISSING = np.arange(40) % 4 == 1
_LABELS = np.where(_MISSING, -1, _CLASSES)
_TEXTS = np.array(['a', 'b', 'c'])[_CLASSES]

_FORMS = {
    'minus_one': _LABELS,
    'nan': np.where(_MISSING, np.nan, _CLASSES),
    'none': np.where(_MISSING, None, _CLASSES),
    'zeros': np.eye(4, 3)[_LABELS],
    'nan_rows': np.where(_MISSING[:, np.newaxis], np.nan, np.eye(3)[_CLASSES]),
    'empty': np.where(_MISSING, '', _TEXTS),
    'none_among_texts': np.where(_MISSING, None, _TEXTS.astype(object)),
}


class MissingLabelsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(_FORMS.items())
  def test_numbers_classes_without_the_missing_ones(self, y):
    spec, labels = numbered_classes('y', [checked_labels('d', 'y', y, True)],
                                    True)
    self.assertAllEqual(labels, _LABELS)
    self.assertEqual(spec.num_classes, 3)
    self.assertEqual(spec.names, ('a', 'b', 'c') if y.dtype.kind == 'U' or (
        isinstance(y.flat[0], str)) else ('0', '1', '2'))

  @parameterized.named_parameters(
      (name, y) for name, y in _FORMS.items()
      if name not in ('minus_one', 'empty'))  # Classes like any other.
  def test_refuses_missing_labels_by_default(self, y):
    with self.assertRaisesRegex(ValueError, 'Missing ones are possible where'):
      checked_labels('d', 'y', y)

  def test_minus_one_is_a_class_by_default(self):
    spec, labels = numbered_classes('y', [checked_labels('d', 'y', _LABELS)])
    self.assertEqual(spec.names, ('-1', '0', '1', '2'))
    self.assertAllEqual(labels, _LABELS + 1)

  def test_refuses_labels_of_which_all_are_missing(self):
    with self.assertRaisesRegex(ValueError, 'All labels are missing'):
      numbered_classes('y', [np.full(3, -1)], True)

  def test_loads_arrays(self):
    loaded = data.load({'x': _X, 'y': _FORMS['nan']}, missing_labels=True)
    labels = np.concatenate([
        loaded.train.labels, loaded.validation.labels, loaded.test.labels])
    self.assertAllEqual(np.bincount(labels + 1), np.bincount(_LABELS + 1))
    self.assertEqual(loaded.num_classes, 3)
    rows = loaded.train.one_hot(3, may_be_missing=True)
    self.assertAllEqual(rows.sum(1), loaded.train.labels >= 0)

  @parameterized.parameters('memory', 'none')
  def test_loads_tables_with_rows_without_a_label(self, cache):
    frame = pd.DataFrame(_X, columns=['a', 'b', 'c'])
    frame['kind'] = _FORMS['none_among_texts']
    directory = self.create_tempdir().full_path
    frame.to_csv(directory + '/table.csv', index=False)
    loaded = data.load(directory + '/table.csv', label_key='kind', cache=cache,
                       missing_labels=True)
    parts = loaded.train, loaded.validation, loaded.test
    labels = np.concatenate([part.labels for part in parts])
    self.assertAllEqual(np.bincount(labels + 1), np.bincount(_LABELS + 1))
    self.assertEqual(loaded.label_names, ('a', 'b', 'c'))
    # Each row keeps its own label.
    for part in (loaded.validation, loaded.test):
      x = np.asarray(part.images[:])
      places = [int(np.argmin(np.abs(_X - row).sum(1))) for row in x]
      self.assertAllEqual(part.labels, _LABELS[places])
    with self.assertRaisesRegex(ValueError, 'Values are missing'):
      data.load(directory + '/table.csv', label_key='kind')

  def test_loads_streams(self):
    stream = tf.data.Dataset.from_tensor_slices((_X, _FORMS['nan']))
    for cache in ('memory', 'none'):
      loaded = data.load(stream, cache=cache, missing_labels=True)
      self.assertEqual(loaded.num_classes, 3)
      self.assertIn(-1, loaded.train.labels)


class KeptLabelsTest(tf.test.TestCase, parameterized.TestCase):

  def test_keeps_the_same_number_of_each_class(self):
    labels = np.random.default_rng(0).integers(-1, 4, size=500)
    kept = data.kept_labels(labels, 4, 20, seed=3)
    self.assertAllEqual(np.bincount(kept + 1), [480, 5, 5, 5, 5])
    self.assertAllEqual(kept[kept >= 0], labels[kept >= 0])
    self.assertAllEqual(kept, data.kept_labels(labels, 4, 20, seed=3))
    self.assertNotAllEqual(kept, data.kept_labels(labels, 4, 20, seed=4))
    more = data.kept_labels(labels, 4, 40, seed=3)
    self.assertAllEqual(more[kept >= 0], kept[kept >= 0])

  @parameterized.parameters((10, 'multiple of the number of classes, 4'),
                            (400, '100 labels of each class'))
  def test_refuses_numbers(self, number, message):
    with self.assertRaisesRegex(ValueError, message):
      data.kept_labels(np.arange(80) % 4, 4, number, seed=0)


if __name__ == '__main__':
  tf.test.main()
