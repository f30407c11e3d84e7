"""Splits, caches and batches of a source of raw files."""

import itertools
import os
import pathlib

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import data
from tfvae.data.sources import source as source_lib
from tfvae.data.splits.in_memory import parts_in_memory
from tfvae.data.splits.in_memory import split_in_memory
from tfvae.data.splits.on_disk import split_on_disk
from tfvae.data.splits.streamed import streamed_split

_COUNTS, _SHAPE, _SIZE = (7, 0, 12, 4), (2, 2, 1), 6  # Pixels, then two bytes.
_N = sum(_COUNTS)
_ROWS = np.random.default_rng(0).integers(0, 256, [_N, _SIZE], np.uint8)
_ROWS[:, 0] = 10 + np.arange(_N)  # Every image is another one.
_IMAGES = _ROWS[:, :4].reshape(_N, *_SHAPE)


class _RawSource(source_lib.Source):
  """Records of four pixels, a label and a factor in files of raw bytes."""

  def __init__(self, directory, **kwargs):
    super().__init__(**dict(
        name='raw', full_name='raw/1', split='train',
        example=source_lib.ExampleSpec('image', _SHAPE, np.uint8),
        label=source_lib.LabelSpec('label', 256, None),
        factors={'label_a': 'a', 'label': 'class'},
        cache_dir=str(directory / 'decoded')) | kwargs)
    self._paths = [str(directory / f'{i}.raw') for i in range(len(_COUNTS))]

  def __len__(self):
    return _N

  def files(self):
    take = np.array(_COUNTS, np.int64)
    return source_lib.Files(np.array(self._paths), 0 * take, take,
                            np.cumsum(take) - take)

  def records(self, files, in_order=True):
    def one_file(path, skip, take, first):
      rows = tf.data.Dataset.range(first, first + take)
      return tf.data.Dataset.zip(rows, tf.data.FixedLengthRecordDataset(
          path, _SIZE).skip(skip))

    del in_order  # Few files need no turns.
    return tf.data.Dataset.from_tensor_slices(tuple(files)).flat_map(one_file)

  def decode(self, records, image=True, integers=True):
    found = tf.reshape(tf.io.decode_raw(records, tf.uint8), [-1, _SIZE])
    decoded = {}
    if image:
      decoded['images'] = tf.reshape(found[:, :4], [-1, *_SHAPE])
    if integers and self.integer_keys:
      decoded['integers'] = tf.cast(found[:, 4:], tf.int64)
    return decoded


class SourceTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = pathlib.Path(self.create_tempdir().full_path)
    for i, rows in enumerate(np.split(_ROWS, np.cumsum(_COUNTS)[:-1])):
      (self.directory / f'{i}.raw').write_bytes(rows.tobytes())
    self.source = _RawSource(self.directory)

  @parameterized.parameters(split_in_memory, split_on_disk, streamed_split)
  def test_splits(self, make):
    split = make(self.source)
    self.assertAllEqual(np.asarray(split.images), _IMAGES)
    self.assertAllEqual(split.labels, _ROWS[:, 4])
    # Columns in the order of the factors; the label is one of them.
    self.assertAllEqual(split.factors, _ROWS[:, [5, 4]])

  @parameterized.parameters(split_in_memory, split_on_disk, streamed_split)
  def test_without_integers(self, make):
    split = make(_RawSource(self.directory, label=None, factors={}))
    self.assertAllEqual(np.asarray(split.images), _IMAGES)
    self.assertIsNone(split.labels)
    self.assertIsNone(split.factors)

  def test_parts(self):
    numbers = np.arange(_N) * 2 % 3
    for number, part in enumerate(parts_in_memory(self.source, numbers, 4)):
      self.assertAllEqual(part.images, _IMAGES[numbers == number])
      self.assertAllEqual(part.labels, _ROWS[numbers == number, 4])

  def test_streamed_batches(self):
    images = streamed_split(self.source).images.rows(np.arange(3, 20))
    steps = data.steps_per_epoch(17, 5)
    batches = [data.streamed_batches(images, 5, 0, 'none', start_step=step)
               for step in (0, 2)]
    whole, resumed = (list(itertools.islice(b.as_numpy_iterator(), steps))
                      for b in batches)
    numbers = np.concatenate(whole)[:, 0, 0, 0] * 255 - 10
    self.assertCountEqual(np.round(numbers).tolist(), range(3, 20))
    for one, other in zip(whole[2:], resumed, strict=False):
      self.assertAllEqual(one, other)

  def test_cache_depends_on_the_files(self):
    split_on_disk(self.source)
    path = self.directory / '0.raw'
    path.write_bytes(_ROWS[::-1][:_COUNTS[0]].tobytes())
    os.utime(path, (0, 0))  # TensorFlow's file times are whole seconds.
    self.assertAllEqual(split_on_disk(self.source).images[:7],
                        _IMAGES[::-1][:7])


class FilesTest(tf.test.TestCase):

  def test_between(self):
    files = source_lib.Files(
        np.array(['a', 'b', 'c']), np.array([5, 0, 0]), np.array([3, 4, 2]),
        np.array([0, 3, 7]))
    cut = files.between(2, 6)
    self.assertEqual([tuple(row) for row in zip(*cut, strict=True)],
                     [('a', 7, 1, 2), ('b', 0, 3, 3)])
    self.assertEmpty(files.between(4, 4).path)


if __name__ == '__main__':
  tf.test.main()
