"""Tests of finding and preparing TFDS data sets, mostly of the failures."""

import contextlib
import os
import pathlib
import tempfile
import time
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import downloader

from tests import numbered_images
from tfvae.data.sources.tfds import builders


class _SourceBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Ten empty images; the builders below get at them in their own ways."""

  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    return tfds.core.DatasetInfo(
        builder=self,
        features=tfds.features.FeaturesDict(
            {'image': tfds.features.Image(shape=(2, 2, 1))}))

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples(dl_manager)}

  def _generate_examples(self, dl_manager):
    for i in range(10):
      yield i, {'image': np.zeros([2, 2, 1], np.uint8)}


class TfvaeTestUnreachable(_SourceBuilder):
  """Downloads from a name that never resolves (RFC 2606)."""

  def _split_generators(self, dl_manager):
    dl_manager.download('http://tfvae.invalid/images.gz')


class TfvaeTestManual(_SourceBuilder):
  """Needs files that no program may download."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = 'Sign the form, then copy scans.tar here.'

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples(dl_manager.manual_dir)}


class TfvaeTestPackage(_SourceBuilder):
  """Needs a package that is not installed."""

  def _generate_examples(self, dl_manager):
    import tfvae_no_such_package  # noqa: F401
    yield from super()._generate_examples(dl_manager)


class TfvaeTestRace(_SourceBuilder):
  """While it is being prepared, another process prepares it too, and wins."""

  raced = False

  def _generate_examples(self, dl_manager):
    if not TfvaeTestRace.raced:
      TfvaeTestRace.raced = True
      TfvaeTestRace(data_dir=self._data_dir_root).download_and_prepare()
    yield from super()._generate_examples(dl_manager)


class BuildersTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ('kmnits', 'Did you mean kmnist'),
      ('fashion-mnist', 'Did you mean fashion_mnist'),
      ('zzzzzzzz', 'datasets/catalog'),
      ('mnist/nine', 'BuilderConfig nine not found'),
      ('mnist:9.0.0', 'cannot be loaded at version 9.0.0'))
  def test_unknown_name(self, name, message):
    with self.assertRaisesRegex(ValueError, message) as caught:
      builders.open_builder(name)
    self.assertContainsSubset(f'name={name!r}', str(caught.exception))

  @parameterized.parameters(
      ('../elsewhere/missing', 'a path'), ('./missing', 'a path'),
      ('./table.csv', 'a CSV file'),
      ('TABLE.CSV', 'a CSV file'), ('missing.parquet', 'a Parquet file'),
      ('photos/cat.jpg', 'an image'), ('notes', 'a file'))
  def test_paths_are_answered_in_one_line(self, name, kind):
    home = self.enterContext(tempfile.TemporaryDirectory())
    for file in ('photos/cat.jpg', 'table.csv', 'TABLE.CSV', 'notes'):
      path = pathlib.Path(home, file)
      path.parent.mkdir(exist_ok=True)
      path.touch()
    self.enterContext(contextlib.chdir(home))
    self.enterContext(mock.patch.dict(os.environ, HOME=home))
    with self.assertRaisesRegex(
        ValueError, f'^This is {kind}, and tfvae reads folders of images.*TFDS '
        'by names.*numpy.savez.*Received: name=') as caught:
      builders.open_builder(name)
    self.assertNotIn('\n', str(caught.exception))
    self.assertEndsWith(str(caught.exception), f'name={name!r}')

  @parameterized.parameters('photos.v2', '')
  def test_syntax_of_names_is_not_listed(self, name):
    with self.assertRaisesRegex(ValueError, 'cannot open.*catalog') as caught:
      builders.open_builder(name)
    self.assertLen(str(caught.exception).splitlines(), 2)

  def test_name_of_a_data_set_wins_over_a_folder(self):
    self.enterContext(contextlib.chdir(
        self.enterContext(tempfile.TemporaryDirectory())))
    os.mkdir('mnist')
    self.assertEqual(builders.open_builder('mnist').name, 'mnist')

  def test_path_of_a_prepared_data_set(self):
    data_dir = self.enterContext(tempfile.TemporaryDirectory())
    name = numbered_images.prepare(data_dir)
    path = builders.open_builder(name, data_dir).data_dir
    opened = builders.open_builder(path)
    self.assertEqual(opened.data_dir, path)
    self.assertStartsWith(opened.info.full_name, name)
    self.assertTrue(opened.is_prepared())

  def test_data_dir_must_be_a_directory(self):
    for path in (__file__, '/no/such/directory'):
      with self.assertRaisesRegex(ValueError, f"not a dir.*data_dir='{path}'"):
        builders.open_builder('mnist', path)

  def test_home_directory_is_expanded(self):
    home = self.enterContext(tempfile.TemporaryDirectory())
    with mock.patch.dict(os.environ, HOME=home):
      builder = builders.open_builder('mnist', '~')
    self.assertStartsWith(builder.data_dir, home)

  def test_without_a_network_it_fails_in_seconds(self):
    data_dir = self.enterContext(tempfile.TemporaryDirectory())
    before = downloader.MAX_RETRIES
    started = time.monotonic()
    with self.assertRaisesRegex(
        ValueError, '(?s)tfvae.invalid.*tfds build .* --data_dir=DIR'):
      builders.prepared_builder('tfvae_test_unreachable', data_dir)
    self.assertLess(time.monotonic() - started, 20.)
    self.assertEqual(downloader.MAX_RETRIES, before)

  @parameterized.parameters(
      ('tfvae_test_manual', 'Sign the form'),
      ('tfvae_test_package', 'ModuleNotFoundError: .*tfvae_no_such_package'))
  def test_says_what_tfds_says(self, name, message):
    with self.assertRaisesRegex(ValueError, message):
      builders.prepared_builder(
          name, self.enterContext(tempfile.TemporaryDirectory()))

  def test_two_processes_may_prepare_at_once(self):
    data_dir = self.enterContext(tempfile.TemporaryDirectory())
    builder = builders.prepared_builder('tfvae_test_race', data_dir)
    self.assertTrue(TfvaeTestRace.raced)
    self.assertEqual(builder.info.splits['train'].num_examples, 10)


class SplitsTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    builder = _SourceBuilder(
        data_dir=cls.enterClassContext(tempfile.TemporaryDirectory()))
    builder.download_and_prepare()
    cls.splits = builder.info.splits

  @parameterized.parameters(
      ('test', 'no such split'), ('train[:99]', 'no such split'),
      ('train[', 'no such split'), ('', 'no such split'),
      ('all[:3]', 'no such split'), ('train[:0]', 'is empty'),
      ('train[5:3]', 'is empty'), ('train[:1%]', 'is empty'))
  def test_refused(self, split, message):
    remedy = r"train \(10\).*`train_split='train\[:90%"
    with self.assertRaisesRegex(ValueError, f'(?s){message}.*{remedy}'):
      builders.check_splits(self.splits, {'test_split': split})

  @parameterized.parameters(
      ('train', 'train[9:]', 1), ('train[:60%]', 'train[40%:]', 2),
      ('train[2:4]+train[6:8]', 'train[3:7]', 2))
  def test_shared_images_are_logged(self, train, test, shared):
    with self.assertLogs(level='WARNING') as logs:
      builders.check_splits(self.splits, {'train_split': train, 'test': test})
    self.assertContainsSubset(f'{shared} images in common', logs.output[0])

  def test_parts_of_one_split_share_nothing(self):
    with self.assertNoLogs(level='WARNING'):
      builders.check_splits(self.splits, {'a': 'train[:9]', 'b': 'train[9:]'})


if __name__ == '__main__':
  tf.test.main()
