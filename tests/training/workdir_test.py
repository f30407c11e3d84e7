"""One process a workdir."""

import os
import pathlib
import subprocess
import sys

from absl.testing import parameterized
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


class RunsBeforeEvalSeedTest(parameterized.TestCase, tf.test.TestCase):
  """Runs whose flags.txt has no --eval_seed."""

  def run_of(self, config, *files):
    """Leaves a run that began before there was --eval_seed."""
    workdir = self.create_tempdir().full_path
    with workdir_lib.prepared(workdir, config):
      pass
    path = pathlib.Path(workdir, workdir_lib.FLAGS_FILE)
    lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
    path.write_text(''.join(
        line for line in lines if 'eval_seed' not in line), encoding='utf-8')
    for file in files:
      pathlib.Path(workdir, file).write_text('{"seconds": 1}', encoding='utf-8')
    return workdir

  def test_unfinished_run_keeps_its_validation_images(self):
    workdir = self.run_of(Config(seed=3))
    with self.assertRaisesRegex(
        ValueError, '--eval_seed: 3 there, 0 here'), (
            workdir_lib.prepared(workdir, Config(seed=3))):
      self.fail()
    with workdir_lib.prepared(workdir, Config(seed=3, eval_seed=3)) as finished:
      self.assertIsNone(finished)

  @parameterized.parameters({}, {'seed': 3, 'validation_split': 'test'})
  def test_run_with_the_same_validation_images_resumes(self, **settings):
    config = Config(**settings)
    with workdir_lib.prepared(self.run_of(config), config) as finished:
      self.assertIsNone(finished)

  def test_finished_run_stays_finished(self):
    config = Config(seed=3)
    workdir = self.run_of(config, workdir_lib.METRICS_FILE)
    with workdir_lib.prepared(workdir, config) as finished:
      self.assertEqual(finished, {'seconds': 1})
    self.assertEqual(workdir_lib.finished_metrics(workdir, config),
                     {'seconds': 1})


if __name__ == '__main__':
  tf.test.main()
