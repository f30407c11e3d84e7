"""Files that are written once, with concurrent and killed writers."""

import os
import signal
import threading
from unittest import mock

import numpy as np
import tensorflow as tf

from tfvae.data.storage import whole_file

_PIECES = [np.arange(100, dtype=np.uint8), np.arange(50, dtype=np.int64)]
_CONTENT = b''.join(piece.tobytes() for piece in _PIECES)


class WriteOnceTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = os.path.join(self.create_tempdir().full_path, 'made')
    self.path = os.path.join(self.directory, 'rows')

  def write(self, pieces=lambda: _PIECES):
    whole_file.write_once(self.path, len(_CONTENT), pieces)

  def assert_whole(self):
    with open(self.path, 'rb') as file:
      self.assertEqual(file.read(), _CONTENT)
    self.assertCountEqual(os.listdir(self.directory), ['rows', 'rows.lock'])

  def test_writes_all_once(self):
    pieces = mock.Mock(return_value=_PIECES)
    self.write(pieces)
    self.write(pieces)
    pieces.assert_called_once_with()
    self.assert_whole()

  def test_a_file_of_another_length_is_replaced(self):
    os.makedirs(self.directory)
    with open(self.path, 'wb') as file:
      file.write(_CONTENT[:-1])
    self.write()
    self.assert_whole()

  def test_a_writer_that_is_killed_leaves_nothing_that_passes(self):
    def killed():
      yield np.zeros(200_000, np.uint8)  # More than a buffer of the file.
      os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
      try:
        self.write(killed)
      finally:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    self.assertEqual(os.WTERMSIG(status), signal.SIGKILL)
    self.assertFalse(os.path.exists(self.path))
    self.assertIn('tmp.rows', os.listdir(self.directory))
    self.write()
    self.assert_whole()

  def test_a_failure_leaves_nothing(self):
    def full():
      yield _PIECES[0]
      raise OSError(28, 'No space left on device')

    with self.assertRaisesRegex(OSError, 'No space left'):
      self.write(full)
    self.assertEqual(os.listdir(self.directory), ['rows.lock'])

  def test_other_content_than_promised_is_refused(self):
    with self.assertRaisesRegex(ValueError, 'do not match.*100 bytes, of 500'):
      self.write(lambda: _PIECES[:1])
    self.assertEqual(os.listdir(self.directory), ['rows.lock'])

  def test_of_two_writers_at_once_one_waits_and_finds_it_written(self):
    begun, calls = threading.Event(), []

    def slow():
      calls.append(1)
      begun.set()
      yield _PIECES[0]
      other.start()
      # It waits for the lock, which belongs to the open file, not the process.
      other.join(0.2)
      self.assertTrue(other.is_alive())
      yield _PIECES[1]

    other = threading.Thread(target=self.write, args=(
        lambda: calls.append(2) or _PIECES,))
    self.write(slow)
    other.join()
    self.assertEqual(calls, [1])
    self.assert_whole()


if __name__ == '__main__':
  tf.test.main()
