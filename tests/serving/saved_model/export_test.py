"""Exports whole: what they hold, what they refuse, and when they are killed."""

import hashlib
import itertools
import json
import os
import pathlib
import resource
import shutil
import signal
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
import tf_keras

from tests import fresh_process
from tests.serving.cpp_loader import CppLoader
import tfvae
from tfvae import serving

_WARM_UP = 'assets.extra/tf_serving_warmup_requests'
_SIGNATURES = ('serving_default', 'reconstruct', 'encode', 'decode', 'generate',
               'score', 'contributions', 'log_likelihood', 'parse_example')
_KEEP = 2

# For each line it reads has a process export, and kills it: after seconds, or
# before an operation on the file system, counted from the one that makes the
# temporary. The processes are forked from one that has imported TensorFlow but
# not started it.
_KILLED_EXPORTS = """
import json, multiprocessing, os, signal, sys, time
import tensorflow as tf
import tf_keras
from tfvae import models
from tfvae.serving.saved_model import export as saved_model

os.setsid()
base, keep, commands = sys.argv[1], int(sys.argv[2]), open(sys.argv[3])
context = multiprocessing.get_context('fork')

def export(connection, seed):
  tf_keras.utils.set_random_seed(seed)
  model = models.image_vae(2, (4, 4, 1), 'mlp', (4,))
  decode = tf.function(lambda z: {'mean': model.decode({'z': z}).mean()})
  function = decode.get_concrete_function(tf.TensorSpec([None, 2], name='z'))
  # Of the signatures this one, which halves the time of the test.
  saved_model.signatures = lambda _, **kwargs: {
      'serving_default': function, 'decode': function}
  connection.send('ready')
  kill_at, count = connection.recv(), 0

  def hook(event, arguments):
    nonlocal count
    is_first = event == 'os.mkdir' and '.tmp-' in arguments[0]
    if is_first or count and event.startswith(('open', 'os.', 'shutil.')):
      count += 1
      if count == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

  sys.addaudithook(hook)
  start = time.perf_counter()
  saved_model.export_saved_model(model, base, keep)
  connection.send([time.perf_counter() - start, count])

def start(seed):
  parent, child = context.Pipe()
  process = context.Process(target=export, args=(child, seed), daemon=True)
  process.start()
  child.close()
  return process, parent

waiting = start(0)
for seed, line in enumerate(commands, start=1):
  (process, connection), waiting = waiting, start(seed)  # It traces meanwhile.
  kill = json.loads(line)
  connection.recv()
  connection.send(kill.get('operation'))
  if 'seconds' in kill:
    time.sleep(kill['seconds'])
    process.kill()
  process.join()
  try:
    finished = connection.recv()
  except EOFError:
    finished = None
  print(json.dumps([process.exitcode, finished]), flush=True)
"""


def _vae(decoder_layer=None, image=(2, 3, 1), **kwargs):
  """A model of the user's own networks."""
  tf_keras.utils.set_random_seed(1)
  return tfvae.VAE(
      tf_keras.Sequential([
          tf_keras.layers.Flatten(input_shape=image),
          tf_keras.layers.Dense(4),
          tfvae.layers.MultivariateNormalDiag(
              2, activity_regularizer=tfvae.KLDivergenceRegularizer(
                  tfvae.priors.StandardNormal(2)))]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(6, input_shape=[2], **kwargs),
          decoder_layer or tf_keras.layers.Activation('tanh'),
          tfvae.layers.IndependentBernoulli(image)]))


def _warm_up_rows(path):
  """Returns the signature and the number of rows of each warm-up request."""
  for record in tf.data.TFRecordDataset(os.path.join(path, _WARM_UP)):
    log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
    request = log.predict_log.request
    rows, = {value.tensor_shape.dim[0].size
             for value in request.inputs.values()}
    yield request.model_spec.signature_name, rows


def _contents(directory):
  """Returns a digest of each file in a directory, by its path therein."""
  return {str(path.relative_to(directory)):
          hashlib.sha256(path.read_bytes()).hexdigest()
          for path in sorted(pathlib.Path(directory).rglob('*'))
          if path.is_file()}


class SavedModelTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.base = pathlib.Path(self.create_tempdir().full_path, 'models', '2026')

  def _publish_something(self):
    """Makes a version, and returns what is there now."""
    (self.base / '1').mkdir(parents=True)
    (self.base / '1' / 'saved_model.pb').write_text('the current version')
    return _contents(self.base)

  def test_versions_hold_the_weights_of_their_time(self):
    (self.base / '7').mkdir(parents=True)
    model, x = _vae(), np.random.default_rng(0).random((5, 2, 3, 1), np.float32)
    expected, paths = [], []
    for kwargs in ({}, {'batch_sizes': (8,)}):
      paths.append(
          serving.export_saved_model(model, self.base, keep=2, **kwargs))
      expected.append(model.predict(x, verbose=0))
      for weight in model.weights:
        weight.assign_add(0.1 * tf.ones_like(weight))
    self.assertEqual(paths, [f'{self.base}/8', f'{self.base}/9'])
    self.assertCountEqual(os.listdir(self.base), ['8', '9'])
    self.assertNotAllClose(*expected)
    for path, mean, rows in zip(
        paths, expected, [(1, 256), (8,)], strict=True):
      functions = tf.saved_model.load(path).signatures
      self.assertCountEqual(functions, _SIGNATURES)
      self.assertAllClose(functions['reconstruct'](x=x)['mean'], mean)
      self.assertCountEqual(_warm_up_rows(path), [
          (name, count) for name, count in itertools.product(_SIGNATURES, rows)
          if name != 'log_likelihood' or count == min(rows)])

  def test_model_of_a_strategy(self):
    x = np.random.default_rng(0).random((5, 2, 3, 1), np.float32)
    with tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1']).scope():
      model = _vae()
    path = serving.export_saved_model(model, self.base)
    functions = tf.saved_model.load(path).signatures
    self.assertAllClose(functions['reconstruct'](x=x)['mean'], model(x).mean())

  @parameterized.named_parameters(
      ('python', lambda z: tf.ensure_shape(
          tf.py_function(lambda h: 2 * h, [z], tf.float32), [None, 6]),
       ['EagerPyFunc', '/lambda/', 'parse_example, reconstruct, serving']),
      ('compiled', tf.function(lambda z: 2 * z, jit_compile=True),
       ['XLA', 'jit_compile']),
      ('random', lambda z: z + tf.random.normal(tf.shape(z)),
       ['RandomStandardNormal', 'stateless']))
  def test_what_cannot_be_served_is_not_published(self, function, words):
    before = self._publish_something()
    model = _vae(tf_keras.layers.Lambda(function))
    with self.assertRaises(ValueError) as error:
      serving.export_saved_model(model, self.base, keep=1)
    for word in words:
      self.assertIn(word, str(error.exception))
    self.assertEqual(_contents(self.base), before)
    self.assertEqual(os.listdir(self.base), ['1'])

  @parameterized.parameters(50, 10_000)  # Of the weights, and of the graph.
  def test_full_disk(self, size):
    before = self._publish_something()
    save = tf.saved_model.save

    def save_at_most(*args, **kwargs):
      limit = resource.getrlimit(resource.RLIMIT_FSIZE)
      resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
      try:
        save(*args, **kwargs)
      finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    with (mock.patch.object(tf.saved_model, 'save', save_at_most),
          self.assertRaisesRegex(OSError, 'no version has changed.*too large')):
      serving.export_saved_model(_vae(), self.base, keep=1)
    self.assertEqual(_contents(self.base), before)
    self.assertEqual(os.listdir(self.base), ['1'])

  def test_model_that_is_none_of_ours(self):
    with self.assertRaisesRegex(ValueError, 'VAE'):
      serving.export_saved_model(tf_keras.Sequential(), self.base)
    self.assertFalse(self.base.exists())


class KilledExportTest(tf.test.TestCase):

  def _start(self):
    """Starts the process from which the exporters are forked."""
    self.base = pathlib.Path(self.create_tempdir().full_path)
    self.loaded = {}
    pipes = [os.path.join(self.create_tempdir().full_path, name)
             for name in ('commands', 'replies')]
    for path in pipes:
      os.mkfifo(path)
    process = fresh_process.start(
        ['-c', _KILLED_EXPORTS, self.base, _KEEP, pipes[0]], pipes[1],
        os.devnull)
    self.addCleanup(process.join)
    self.addCleanup(process.kill)
    self.replies = self.enterContext(open(pipes[1], encoding='utf-8'))
    self.commands = self.enterContext(
        open(pipes[0], 'w', encoding='utf-8', buffering=1))
    self.addCleanup(os.killpg, process.pid, signal.SIGKILL)

  def _export(self, **kill):
    """Returns the exit status, and what an export says that was not killed."""
    self.commands.write(json.dumps(kill) + '\n')
    return json.loads(self.replies.readline())

  def _check_versions(self, loader):
    """Checks that all versions load that are there; returns their numbers."""
    versions = []
    for path in self.base.glob('[0-9]*'):
      versions.append(int(path.name))
      contents = _contents(path)
      if path.name not in self.loaded:
        self.assertIn(_WARM_UP, contents)
        mean = loader.run(str(path), 'decode', {'z': np.zeros([3, 2], 'f')})
        self.assertEqual(mean['mean'].shape, (3, 4, 4, 1))
        self.loaded[path.name] = contents
      self.assertEqual(contents, self.loaded[path.name])  # All of it, or none.
    return sorted(versions)

  def test_killed_at_any_time_never_leaves_what_does_not_load(self):
    self._start()
    self.assertEqual(self._export()[0], 0)
    shutil.copytree(self.base / '1', self.base / '2')
    status, [seconds, operations] = self._export()
    self.assertEqual(status, 0)
    rng = np.random.default_rng(0)
    # After some time, and before an operation of each phase, in any order.
    kills = [{'seconds': seconds * part} for part in (0.3, 0.6)] + [
        {'operation': 1 + int(operations * part)}
        for part in (0.2, 0.5, 0.75, 0.95)]
    phases, statuses = [], []
    with CppLoader() as loader:
      versions = self._check_versions(loader)
      for kill in rng.permutation(kills):
        before, temporaries = versions[-1], set(self.base.glob('.tmp-*'))
        statuses.append(self._export(**kill)[0])
        versions = self._check_versions(loader)
        phases.append(self._phase(before, versions, temporaries))
      self.assertEqual(self._export()[0], 0)  # Then it works, and clears up.
      last = self._check_versions(loader)
    self.assertEqual(last, [versions[-1], versions[-1] + 1])
    self.assertCountEqual(os.listdir(self.base), map(str, last))
    self.assertContainsSubset(['writing', 'syncing', 'removing'], phases)
    # One after a time ends by itself where it is faster than it was.
    self.assertGreaterEqual(statuses.count(-signal.SIGKILL), 4)

  def _phase(self, before, versions, old_temporaries):
    """Returns what an export was at when it was killed."""
    temporaries = set(self.base.glob('.tmp-*')) - old_temporaries
    if versions[-1] > before:
      is_done = len(versions) == _KEEP and not temporaries
      return 'done' if is_done else 'removing'
    is_written = {(path / _WARM_UP).exists() for path in temporaries}
    return {frozenset(): 'beginning', frozenset({False}): 'writing',
            frozenset({True}): 'syncing'}[frozenset(is_written)]


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
