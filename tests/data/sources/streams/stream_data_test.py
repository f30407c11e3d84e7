"""Finite `tf.data.Dataset`s, compared with the same arrays."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.data.sources.same_data import SameDataCase
from tfvae import data

_RNG = np.random.default_rng(0)
_X = _RNG.integers(0, 200, [60, 4, 3]).astype(np.uint8)
_X[:, 0, 0] = np.arange(60)  # Rows differ.
_Y = np.array(['b', 'a', 'c'])[np.arange(60) % 3]
_SLICES = tf.data.Dataset.from_tensor_slices


class StreamDataTest(SameDataCase):

  @parameterized.product(cache=data.CACHES, form=('x', 'pairs', 'names'))
  def test_is_as_arrays(self, cache, form):
    if form == 'x':
      stream, arrays = _SLICES(_X), {'x': _X}
    elif form == 'pairs':
      x = (_X / 7).reshape(60, 12)
      stream, arrays = _SLICES((x, _Y)), {'x': x, 'y': _Y}
    else:
      x, y = _X > 99, np.eye(3)[np.arange(60) % 3]
      stream, arrays = _SLICES({'a': _X, 'label': y, 'x': x}), {'x': x, 'y': y}
    self.assert_same(self.load(stream, cache=cache), self.load(arrays))
    self.assertEqual([name for name in os.listdir(self.directory)
                      if not name.startswith('dataset')], [])

  def test_names(self):
    loaded = self.load(_SLICES({'a': _X, 'b': _X[:, 0], 'c': _Y}),
                       image_key='b', label_key='c')
    self.assertEqual((loaded.image_shape, loaded.num_classes), ((3,), 3))
    self.assertEqual(self.load(_SLICES({'a': _X})).image_shape, (4, 3, 1))
    self.assertIsNone(self.load(_SLICES((_X, _Y)), label_key=None).num_classes)

  def test_batches_have_each_row_once(self):
    x = np.arange(60.)[:, np.newaxis]
    loaded = self.load(
        _SLICES((x, np.arange(60) % 4)), cache='none',
        train_split='train[50%:]+train[:10%]', test_split='train[10%:20%]')
    batches = data.streamed_batches(
        loaded.train.images, 8, 0, 'none', labels=loaded.train.one_hot(4))
    steps = -(-len(loaded.train.images) // 8)
    found = list(batches.take(steps).as_numpy_iterator())
    x = np.concatenate([batch['x'] for batch in found])[:, 0]
    y = np.concatenate([batch['y'] for batch in found]).argmax(axis=1)
    self.assertAllEqual(y, x % 4)
    expected = np.concatenate(
        [*loaded.train.images.chunks(), loaded.validation.images])[:, 0]
    self.assertAllEqual(np.sort(expected),
                        np.r_[np.arange(6), np.arange(30, 60)])
    self.assertNotIn(loaded.validation.images[0, 0], x)
    self.assertLen(set(x), len(loaded.train.images))

  def test_passes_that_differ(self):
    shuffled = _SLICES(_X).shuffle(60, seed=0)
    with self.assertRaisesRegex(ValueError, 'Two passes.*60 examples'):
      self.load(shuffled, cache='none')
    fixed = _SLICES((_X, _Y)).shuffle(
        60, seed=0, reshuffle_each_iteration=False)
    self.assert_same(self.load(fixed, cache='none'), self.load(fixed))
    # What is read once has the labels of its x.
    x = np.arange(60.)[:, np.newaxis]
    loaded = self.load(_SLICES((x, np.arange(60) % 4)).shuffle(60))
    self.assertAllEqual(loaded.train.labels, loaded.train.images[:, 0] % 4)

  @parameterized.named_parameters(
      ('infinite', lambda: _SLICES(_X).repeat(), 'infinite'),
      ('empty', lambda: _SLICES(_X).take(0), 'empty'),
      ('filtered', lambda: _SLICES(_X).filter(lambda x: False),
       'at least one example'),
      ('batched', lambda: _SLICES(_X).batch(7), r'unbatch\(\)'),
      ('ragged', lambda: _SLICES(tf.ragged.constant([[1], [2, 3]])),
       'one known shape'),
      ('scalars', lambda: _SLICES(np.arange(9.)), 'at least one axis'),
      ('texts', lambda: _SLICES(_Y[:, np.newaxis]), 'must have numbers'),
      ('triples', lambda: _SLICES((_X, _Y, _Y)), 'tuples of 3'),
      ('names', lambda: _SLICES({'a': _X, 'b': _X}), 'image_key` to one of a'),
      ('nan', lambda: _SLICES(np.full([9, 2], np.nan)),
       'Values are missing.*9 of 9 rows'))
  def test_what_does_not_fit(self, make, message):
    for cache in ('memory', 'none'):
      with self.assertRaisesRegex(ValueError, message):
        self.load(make(), cache=cache)


if __name__ == '__main__':
  tf.test.main()
