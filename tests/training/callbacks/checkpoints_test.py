"""Checkpoints: whole, or skipped; what a failing disk leaves of them."""

import os
import pathlib
import shutil
from unittest import mock

from absl.testing import parameterized
import tensorflow as tf

from tfvae.training.callbacks.checkpoints import CheckpointStore

_DATA, _INDEX = 'state.data-00000-of-00001', 'state.index'


def _truncate(directory, file=_DATA):
  path = pathlib.Path(directory, file)
  path.write_bytes(path.read_bytes()[:-5])


def _flip(directory, file=_DATA):
  path = pathlib.Path(directory, file)
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def _remove(directory, file=_INDEX):
  os.remove(os.path.join(directory, file))


class CheckpointStoreTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = os.path.join(self.create_tempdir().full_path, 'some')
    self.value, self.name = tf.Variable(tf.range(50.)), tf.Variable('none')
    self.checkpoint = tf.train.Checkpoint(value=self.value, name=self.name)
    self.store = CheckpointStore(self.directory, keep=2)

  def save(self, number):
    self.value.assign(number + tf.range(50.))
    self.name.assign(f'step {number}')
    self.store.save(self.checkpoint, number)

  def path(self, number):
    return os.path.join(self.directory, str(number))

  def assert_restores(self, number):
    self.value.assign(tf.zeros([50]))
    self.assertEqual(self.store.restore_latest(self.checkpoint), number)
    self.assertAllEqual(self.value, number + tf.range(50.))
    self.assertAllEqual(self.name, f'step {number}')

  def test_newest_is_restored_and_the_last_are_kept(self):
    self.assertIsNone(self.store.restore_latest(self.checkpoint))
    for number in (3, 9, 10):  # As numbers: 9 comes before 10.
      self.save(number)
    self.assertCountEqual(os.listdir(self.directory), ['9', '10'])
    self.assert_restores(10)

  @parameterized.product(damage=(_truncate, _flip, _remove),
                         file=(_DATA, _INDEX))
  def test_damaged_newest_is_skipped(self, damage, file):
    self.save(3)
    self.save(6)
    damage(self.path(6), file)
    with self.assertLogs('tfvae', 'WARNING') as logs:
      self.assert_restores(3)
    self.assertRegex(logs.output[0], 'Skipping the checkpoint .*/6, which')
    # It is out of the way of those that follow, which are kept.
    self.save(4)
    self.save(6)
    self.assertContainsSubset(['4', '6'], os.listdir(self.directory))
    self.assert_restores(6)
    with self.assertNoLogs('tfvae', 'WARNING'):
      self.assert_restores(6)

  def test_damaged_data_of_any_length(self):
    self.save(3)
    path = pathlib.Path(self.path(3), _DATA)
    content = path.read_bytes()
    for length in range(0, len(content), 11):
      path.write_bytes(content[:length])
      with self.assertRaisesRegex(ValueError, 'None of the checkpoints'):
        self.store.restore_latest(self.checkpoint)

  def test_all_damaged(self):
    for number, damage in ((3, _truncate), (6, _remove)):
      self.save(number)
      damage(self.path(number))
    for _ in range(2):  # A second call does not start a new training.
      with self.assertRaisesRegex(
          ValueError, 'remove the workdir, .*directory='
          f'{self.directory}'):
        self.store.restore_latest(self.checkpoint)

  @parameterized.parameters(
      OSError(28, 'No space left on device'),
      tf.errors.ResourceExhaustedError(None, None, 'No space left on device'))
  def test_full_disk_leaves_those_before(self, error):
    self.save(3)
    self.save(6)
    with (mock.patch.object(self.checkpoint, 'write', side_effect=error),
          self.assertRaisesRegex(OSError, 'No space left')):
      self.save(9)
    self.assertCountEqual(os.listdir(self.directory), ['3', '6'])
    self.assert_restores(6)

  def test_leftovers_of_a_killed_writer(self):
    self.save(3)
    # Killed while it wrote the files, under the name that it has till then.
    leftover = os.path.join(self.directory, '.6.tmp')
    shutil.copytree(self.path(3), leftover)
    _truncate(leftover)
    self.assert_restores(3)
    self.save(6)
    self.assertCountEqual(os.listdir(self.directory), ['3', '6'])
    self.assert_restores(6)

  def test_leftovers_are_removed(self):
    self.store.remove_leftovers()  # Of a run that has saved nothing yet.
    self.save(12)
    # A temporary of the very step that is there, and others' files.
    for name in ('.9.tmp', '.12.tmp', '9.corrupt', '10.corrupt', '.9', 'mine'):
      shutil.copytree(self.path(12), os.path.join(self.directory, name))
    self.store.remove_leftovers()
    self.assertCountEqual(os.listdir(self.directory),
                          ['12', '10.corrupt', '.9', 'mine'])
    self.assert_restores(12)


if __name__ == '__main__':
  tf.test.main()
