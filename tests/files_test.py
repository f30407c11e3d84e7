"""Files and directories that are complete, after errors and kills as well."""

import contextlib
import errno
import os
import pathlib
import signal
from unittest import mock

from absl.testing import parameterized
import tensorflow as tf

from tfvae import files


class ReplacingTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.directory / 'model.keras'
    self.path.write_text('old')

  def replace(self, error=None, **kwargs):
    with files.replacing(self.path, **kwargs) as temporary:
      pathlib.Path(temporary).write_text('new')
      if error:
        raise error

  def assert_only(self, text):
    self.assertEqual([self.path], list(self.directory.iterdir()))
    self.assertEqual(self.path.read_text(), text)

  def test_replaces(self):
    self.replace()
    self.assert_only('new')

  def test_temporary_file(self):
    with files.replacing(self.path) as temporary:
      pathlib.Path(temporary).write_text('new')
      self.assertEqual(self.path.read_text(), 'old')
      # Keras saves by the suffix.
      self.assertEqual(os.path.split(temporary),
                       (str(self.directory), 'tmp.model.keras'))
    with files.replacing(self.path, temporary_name='other') as temporary:
      pathlib.Path(temporary).write_text('newer')
      self.assertEqual(os.path.basename(temporary), 'other')
    self.assert_only('newer')

  def test_in_the_working_directory(self):
    self.enter_context(contextlib.chdir(self.directory))
    with files.replacing('model.keras') as temporary:
      pathlib.Path(temporary).write_text('new')
    self.assert_only('new')

  @parameterized.parameters(
      ValueError('no'), KeyboardInterrupt(), OSError(errno.ENOSPC, 'full'))
  def test_error_leaves_the_old_file(self, error):
    with self.assertRaises(type(error)) as raised:
      self.replace(error)
    self.assertIs(raised.exception, error)
    self.assert_only('old')

  def test_disk_that_is_full_at_the_end(self):
    full = OSError(errno.ENOSPC, 'No space left on device')
    with (mock.patch.object(os, 'fsync', side_effect=full),
          self.assertRaisesRegex(OSError, 'No space left')):
      self.replace()
    self.assert_only('old')

  def test_kill_leaves_the_old_file(self):
    child = os.fork()
    if not child:
      try:
        with files.replacing(self.path) as temporary:
          pathlib.Path(temporary).write_text('half')
          os.kill(os.getpid(), signal.SIGKILL)
      finally:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    self.assertEqual(os.WTERMSIG(status), signal.SIGKILL)
    self.assertEqual(self.path.read_text(), 'old')
    self.assertLen(list(self.directory.iterdir()), 2)
    self.replace()
    self.assert_only('new')

  def test_removes_leftovers_under_the_names_of_earlier_versions(self):
    for name in ('model.keras.tmp', 'model.keras.partial'):
      (self.directory / name).write_text('half')
    self.replace()
    self.assert_only('new')

  def test_content_is_on_the_disk_before_the_name(self):
    happened = []

    def fsync(descriptor):
      happened.append(os.readlink(f'/proc/self/fd/{descriptor}'))

    rename = os.replace
    with (mock.patch.object(os, 'fsync', fsync),
          mock.patch.object(os, 'replace', lambda *paths: (
              happened.append('rename'), rename(*paths)))):
      self.replace()
    directory = self.directory.resolve()
    self.assertEqual(happened, [str(directory / 'tmp.model.keras'), 'rename',
                                str(directory)])


class TemporaryDirectoryTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = pathlib.Path(self.create_tempdir().full_path)

  def make(self, target=None):
    with files.temporary_directory(str(self.directory / 'tmp')) as temporary:
      pathlib.Path(temporary, 'file').write_text('new')
      files.sync_tree(temporary)
      if target:
        files.rename(temporary, self.directory / target)

  def test_is_removed_unless_renamed(self):
    self.make()
    self.assertEmpty(list(self.directory.iterdir()))
    self.make('1')
    self.assertEqual([self.directory / '1'], list(self.directory.iterdir()))
    self.assertEqual((self.directory / '1/file').read_text(), 'new')

  def test_a_directory_with_content_stays(self):
    (self.directory / '1/mine').mkdir(parents=True)
    with self.assertRaises(OSError):
      self.make('1')
    self.assertEqual([self.directory / '1'], list(self.directory.iterdir()))
    self.assertEqual(os.listdir(self.directory / '1'), ['mine'])


if __name__ == '__main__':
  tf.test.main()
