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
        f'choose another `workdir`. Received: workdir={self.workdir}'), (
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


class RunsOfEarlierVersionsTest(parameterized.TestCase, tf.test.TestCase):
  """Runs whose flags.txt has neither --eval_seed nor --select_by."""

  def run_of(self, config, *files):
    workdir = self.create_tempdir().full_path
    with workdir_lib.prepared(workdir, config):
      pass
    path = pathlib.Path(workdir, workdir_lib.FLAGS_FILE)
    lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
    path.write_text(''.join(
        line for line in lines if not line.startswith(
            ('--eval_seed', '--select_by'))), encoding='utf-8')
    for file in files:
      pathlib.Path(workdir, file).write_text('{"seconds": 1}', encoding='utf-8')
    return workdir

  def test_keep_their_validation_images_and_their_rule(self):
    workdir = self.run_of(Config(seed=3))
    config = workdir_lib.settled(Config(seed=3), workdir)
    self.assertEqual(
        (config.evaluation.eval_seed, config.training.select_by), (3, 'elbo'))
    with workdir_lib.prepared(workdir, config) as finished:
      self.assertIsNone(finished)

  def test_other_settings_are_refused(self):
    workdir = self.run_of(Config(seed=3))
    config = workdir_lib.settled(
        Config(seed=3, eval_seed=4, select_by='last'), workdir)
    with self.assertRaisesRegex(
        ValueError, '`select_by`: elbo there, last here'), (
            workdir_lib.prepared(workdir, config)):
      self.fail()

  def test_finished_run_stays_finished(self):
    workdir = self.run_of(Config(seed=3), workdir_lib.METRICS_FILE)
    config = workdir_lib.settled(Config(seed=3), workdir)
    with workdir_lib.prepared(workdir, config) as finished:
      self.assertEqual(finished, {'seconds': 1})
    self.assertEqual(workdir_lib.trained_metrics(workdir, config),
                     {'seconds': 1})

  def test_runs_of_this_version_are_left_as_they_are(self):
    workdir = self.create_tempdir().full_path
    config = Config(seed=3)
    self.assertEqual(workdir_lib.settled(config, workdir), config)
    with workdir_lib.prepared(workdir, config):
      pass
    self.assertEqual(workdir_lib.settled(config, workdir), config)


if __name__ == '__main__':
  tf.test.main()
