"""Versions appear complete, with concurrent and killed exporters."""

import errno
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
from unittest import mock

from absl.testing import parameterized
import tensorflow as tf

from tfvae.serving.saved_model import publishing

# Without TensorFlow, which takes long to start and does not like to be forked.
_HEAD = """
import errno, fcntl, importlib.util, json, os, signal, sys, time, types
tfvae = sys.modules['tfvae'] = types.ModuleType('tfvae')
tfvae.__path__ = [sys.argv[1].rpartition('/serving/')[0]]
spec = importlib.util.spec_from_file_location('publishing', sys.argv[1])
publishing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(publishing)
assert 'tensorflow' not in sys.modules
base = sys.argv[2]

def write(path, text):
  os.mkdir(f'{path}/variables')
  for name in ('saved_model.pb', 'variables/index', 'variables/data'):
    with open(f'{path}/{name}', 'w') as file:
      file.write(text)
"""
_MANY = """
def no_locks(*_):
  raise OSError(errno.ENOLCK, 'No locks available')

if sys.argv[4] == 'no locks':
  fcntl.flock = no_locks
print('ready', flush=True)
sys.stdin.readline()
for i in range(20):
  publishing.publish(base, lambda path: write(path, f'{sys.argv[3]} {i}'))
"""
_HANGING = """
def hang(path):
  write(path, 'half')
  print(path, flush=True)
  time.sleep(600)

publishing.publish(base, hang)
"""
# Kills itself before the first operation on the file system, the second, ….
_KILLED = """
OPERATIONS = ('open', 'os.', 'shutil.', 'fcntl.')
os.fsync = lambda _: None  # A kill is no power failure, and this takes long.

def state():
  return {folder: {os.path.relpath(os.path.join(root, name), folder):
                   open(os.path.join(root, name)).read()
                   for root, _, names in os.walk(folder) for name in names}
          for folder in os.listdir()}

def kill_at(count):
  def hook(event, _):
    nonlocal count
    if event.startswith(OPERATIONS):
      count -= 1
      if not count:
        os.kill(os.getpid(), signal.SIGKILL)
  sys.addaudithook(hook)

status = None
for count in range(1, 1000):
  os.mkdir(f'{base}/{count}')
  os.chdir(f'{base}/{count}')
  for i in range(3):
    publishing.publish('.', lambda path: write(path, 'old'))
  if not (child := os.fork()):
    kill_at(count)
    publishing.publish('.', lambda path: write(path, 'new'), keep=2)
    os._exit(0)
  _, status = os.waitpid(child, 0)
  after_kill = state()
  publishing.publish('.', lambda path: write(path, 'next'))
  print(json.dumps([status, after_kill, state()]))
  if not status:
    break
"""
_FILES = ('saved_model.pb', 'variables/index', 'variables/data')


def _write(path):
  pathlib.Path(path, 'variables').mkdir()
  for name in _FILES:
    pathlib.Path(path, name).write_text('new', encoding='utf-8')


def _is_version(name):
  return re.fullmatch('[0-9]+', name)


class PublishingTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.base = pathlib.Path(self.create_tempdir().full_path)

  def _names(self):
    return sorted(path.name for path in self.base.iterdir())

  def _start(self, program, *arguments):
    process = subprocess.Popen(
        [sys.executable, '-c', _HEAD + program, publishing.__file__, self.base,
         *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    self.addCleanup(process.communicate)
    self.addCleanup(process.kill)
    return process

  def test_versions_are_one_two_three_and_readable(self):
    self.base /= 'models/2026'
    paths = [publishing.publish(str(self.base), _write) for _ in range(3)]
    self.assertEqual(paths, [f'{self.base}/{n}' for n in (1, 2, 3)])
    self.assertEqual(self._names(), ['1', '2', '3'])
    for name in _FILES:
      self.assertEqual(pathlib.Path(paths[2], name).read_text(), 'new')
    # A server runs as another user.
    os.mkdir(self.base / 'other')
    self.assertEqual(stat.S_IMODE(os.stat(paths[0]).st_mode),
                     stat.S_IMODE(os.stat(self.base / 'other').st_mode))

  @parameterized.parameters(
      (['1', '7', 'latest', '-9', '1e3'], '8'), (['0012'], '13'),
      (['20.5', 'v30', '٣'], '1'), ([str(2**63)], '1'), (['2026'], '2027'))
  def test_the_next_number(self, names, expected):
    for name in names:
      (self.base / name).mkdir()
    path = publishing.publish(str(self.base), _write, keep=9)
    self.assertEqual(os.path.basename(path), expected)
    self.assertEqual(self._names(), sorted([*names, expected]))

  def test_a_file_takes_a_number_too(self):
    (self.base / '5').touch()
    self.assertEndsWith(publishing.publish(str(self.base), _write), '/6')

  @parameterized.parameters(True, False)
  def test_another_takes_the_number_at_the_last_moment(self, is_directory):
    rename = os.replace

    def late_rename(source, target):
      if target.endswith('/1'):
        if is_directory:
          (self.base / '1' / 'variables').mkdir(parents=True)
        else:
          (self.base / '1').touch()
      rename(source, target)

    with mock.patch.object(os, 'replace', late_rename):
      self.assertEndsWith(publishing.publish(str(self.base), _write), '/2')
    self.assertEqual(self._names(), ['1', '2'])
    self.assertNotIn('saved_model.pb', os.listdir(self.base)
                     + (os.listdir(self.base / '1') if is_directory else []))

  @parameterized.parameters(
      ValueError('no'), KeyboardInterrupt(), OSError(errno.ENOSPC, 'full'))
  def test_failed_write_changes_nothing(self, error):
    publishing.publish(str(self.base), _write)

    def write(path):
      _write(path)
      raise error

    with self.assertRaises(type(error)) as raised:
      publishing.publish(str(self.base), write, keep=1)
    self.assertIs(raised.exception, error)
    self.assertEqual(self._names(), ['1'])
    self.assertEqual((self.base / '1/variables/data').read_text(), 'new')

  def test_disk_that_is_full_when_all_is_written(self):
    publishing.publish(str(self.base), _write)
    full = OSError(errno.ENOSPC, 'No space left on device')
    with (mock.patch.object(os, 'fsync', side_effect=full),
          self.assertRaisesRegex(OSError, 'No space left')):
      publishing.publish(str(self.base), _write, keep=1)
    self.assertEqual(self._names(), ['1'])

  def test_all_is_on_the_disk_before_the_name_and_then_the_name(self):
    happened = []

    def fsync(descriptor):
      happened.append(os.readlink(f'/proc/self/fd/{descriptor}'))

    rename = os.replace
    with (mock.patch.object(os, 'fsync', fsync),
          mock.patch.object(os, 'replace', lambda *paths: (
              happened.append('rename'), rename(*paths)))):
      publishing.publish(str(self.base), _write)
    *before, name, after = happened
    self.assertEqual([name, after], ['rename', str(self.base.resolve())])
    temporary = before[-1]
    self.assertEqual({os.path.relpath(path, temporary) for path in before},
                     {*_FILES, 'variables', '.'})
    self.assertFalse(_is_version(os.path.basename(temporary)))

  def test_keeps_the_last_versions_and_what_is_no_version(self):
    (self.base / 'best').mkdir()
    (self.base / '2').symlink_to('best')
    (self.base / '4').touch()
    (self.base / '1').mkdir()
    for _ in range(5):  # 5 to 9.
      publishing.publish(str(self.base), _write, keep=2)
    self.assertEqual(self._names(), ['2', '4', '8', '9', 'best'])
    publishing.publish(str(self.base), _write)
    self.assertEqual(self._names(), ['10', '2', '4', '8', '9', 'best'])
    publishing.publish(str(self.base), _write, keep=1)
    self.assertEqual(self._names(), ['11', '2', '4', 'best'])

  def test_keeps_those_that_others_publish_meanwhile(self):
    publishing.publish(str(self.base), _write)
    rename = os.replace

    def rename_and_be_late(source, target):
      rename(source, target)
      if target.endswith('/2'):
        with mock.patch.object(os, 'replace', rename):
          publishing.publish(str(self.base), _write)

    # In one process the lock of the base path would wait for itself.
    with (mock.patch.object(os, 'replace', rename_and_be_late),
          mock.patch.object(fcntl, 'flock', side_effect=OSError)):
      publishing.publish(str(self.base), _write, keep=1)
    self.assertEqual(self._names(), ['2', '3'])

  def test_old_version_that_cannot_be_removed_is_no_failure(self):
    publishing.publish(str(self.base), _write)

    def rmtree(_, ignore_errors=False):
      if not ignore_errors:
        raise PermissionError(errno.EPERM, 'Operation not permitted')

    with (mock.patch.object(shutil, 'rmtree', rmtree),
          self.assertLogs('absl', 'WARNING') as logs):
      path = publishing.publish(str(self.base), _write, keep=1)
    self.assertEndsWith(path, '/2')
    self.assertIn('old version', logs.output[0])
    publishing.publish(str(self.base), _write, keep=1)
    self.assertEqual(self._names(), ['3'])

  @parameterized.parameters(0, -1)
  def test_keep_below_one(self, keep):
    with self.assertRaisesRegex(ValueError, f'at least 1.*keep={keep}'):
      publishing.publish(str(self.base / 'models'), _write, keep=keep)
    self.assertEqual(self._names(), [])

  def test_base_path_that_cannot_be_written(self):
    (self.base / 'file').touch()
    base_path = str(self.base / 'file' / 'models')
    with self.assertRaisesRegex(
        ValueError, f'Not a directory; choose another.*base_path={base_path}'):
      publishing.publish(base_path, _write)

  @parameterized.parameters('locks', 'no locks')
  def test_many_processes_at_once(self, locks):
    processes = [self._start(_MANY, str(i), locks) for i in range(3)]
    for process in processes:
      self.assertEqual(process.stdout.readline(), 'ready\n')
    for process in processes:
      process.stdin.write('\n')
      process.stdin.flush()
    for process in processes:
      self.assertEqual(process.wait(), 0)
    self.assertCountEqual(self._names(), map(str, range(1, 61)))
    contents = [{(self.base / str(n) / name).read_text() for name in _FILES}
                for n in range(1, 61)]
    self.assertEqual({len(texts) for texts in contents}, {1})
    order = [text.split() for texts in contents for text in texts]
    for i in range(3):  # Each process saw its versions get higher numbers.
      self.assertEqual([k for j, k in order if j == str(i)],
                       [str(k) for k in range(20)])

  def test_leftovers_of_the_killed_go_and_those_of_the_living_stay(self):
    killed, living = (self._start(_HANGING) for _ in range(2))
    leftover, used = (pathlib.Path(process.stdout.readline().strip())
                      for process in (killed, living))
    elsewhere = self.base / '.tmp-another-host-1-0123abcd'
    others = self.base / '.tmp-of-mine'
    elsewhere.mkdir()
    others.mkdir()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    self.assertTrue(leftover.is_dir())
    publishing.publish(str(self.base), _write)
    self.assertCountEqual(
        self._names(), ['1', used.name, elsewhere.name, others.name])
    self.assertTrue((used / 'variables/data').exists())

  def test_killed_at_every_operation(self):
    output, _ = self._start(_KILLED).communicate()
    *killed, (last_status, *_) = map(json.loads, output.splitlines())
    self.assertEqual(last_status, 0)
    kinds = []
    whole = {text: dict.fromkeys(_FILES, text)
             for text in ('old', 'new', 'next')}
    for status, after_kill, after_next in killed:
      self.assertEqual(status, signal.SIGKILL)
      versions = {name: files for name, files in after_kill.items()
                  if _is_version(name)}
      for name, files in versions.items():
        self.assertEqual(files, whole['new' if name == '4' else 'old'])
      kinds.append((max(versions), min(versions),
                    len(after_kill) - len(versions)))
      self.assertIn('3', versions)
      self.assertEqual(after_next.pop(str(int(max(versions)) + 1)),
                       whole['next'])
      self.assertEqual(after_next, versions)  # And no temporary.
    # The newest version, the oldest, and how many temporaries there were:
    # before the temporary, before its renaming, after it, and while the first
    # and the second old version were removed.
    self.assertContainsSubset(
        [('3', '1', 0), ('3', '1', 1), ('4', '1', 0), ('4', '2', 1),
         ('4', '3', 1)], kinds)


if __name__ == '__main__':
  tf.test.main()
