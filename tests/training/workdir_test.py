"""One process a workdir."""

import os
import subprocess
import sys

import tensorflow as tf

from tfvae.training import Config
from tfvae.training import workdir as workdir_lib

# As another program would, without the time that importing tfvae takes.
_HOLD = '''
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
'''


class HeldTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.workdir = os.path.join(self.create_tempdir().full_path, 'run')
    self.config = Config()

  def assert_refused(self):
    with self.assertRaisesRegex(
        ValueError, 'Another process runs in the workdir; wait for it, or '
        f'choose another --workdir. Received: workdir={self.workdir}'), (
            workdir_lib.prepared(self.workdir, self.config)):
      self.fail()

  def test_second_run_is_refused_until_the_first_has_ended(self):
    # A lock is of an open file, so that a process excludes itself too.
    with workdir_lib.prepared(self.workdir, self.config) as finished:
      self.assertIsNone(finished)
      self.assert_refused()
      with (self.assertRaisesRegex(ValueError, 'Another process'),
            workdir_lib.held(self.workdir)):
        self.fail()
      # A worker that writes nothing needs no lock.
      with workdir_lib.prepared(self.workdir, self.config, writes=False):
        pass
    with self.assertRaises(ZeroDivisionError), (
        workdir_lib.prepared(self.workdir, self.config)):
      raise ZeroDivisionError
    with workdir_lib.prepared(self.workdir, self.config):
      pass

  def test_killed_process_holds_nothing(self):
    with workdir_lib.prepared(self.workdir, self.config):
      pass
    process = subprocess.Popen(
        [sys.executable, '-c', _HOLD, self.workdir], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    with process:
      self.addCleanup(process.kill)
      self.assertEqual(process.stdout.readline(), 'held\n')
      self.assert_refused()
      process.kill()
      process.wait()
    with workdir_lib.prepared(self.workdir, self.config):
      pass

  def test_directory_that_is_not_there(self):
    with workdir_lib.held(self.workdir):
      self.assertFalse(os.path.exists(self.workdir))


if __name__ == '__main__':
  tf.test.main()
