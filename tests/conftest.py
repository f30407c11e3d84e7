"""Configuration of pytest. Without pytest, `tf.test.main` runs a test file."""

import functools
import gc
import os
import typing

from absl import flags
import pytest


def pytest_configure(config):
  """Sets up the devices and flags of one pytest process."""
  if config.getoption('numprocesses', None) and (
      not hasattr(config, 'workerinput')):
    return  # The process that distributes the tests needs no TensorFlow.
  # Compiled functions run a few times only, so optimizing them takes longer
  # than it saves. Bazel's targets use the default settings of XLA.
  os.environ.setdefault(
      'XLA_FLAGS', '--xla_backend_optimization_level=0 '
      '--xla_cpu_use_fusion_emitters=false')
  import tensorflow as tf

  # TensorFlow asks of every value whether it has a protocol, whose attributes
  # Python 3.11 looks up each time: 3% of the time of the tests.
  if hasattr(typing, '_get_protocol_attrs'):
    typing._get_protocol_attrs = functools.cache(typing._get_protocol_attrs)
  # The deletion of an iterator may wait a minute for the thread that tunes it;
  # `tfvae.streaming` has the details. Keras makes iterators of its own.
  from tensorflow.python.data.ops import dataset_ops

  from tfvae.streaming import untuned
  dataset_ops.DatasetV2._apply_debug_options = untuned
  # `create_tempdir` reads a flag, and pytest does not parse absl's flags.
  flags.FLAGS.mark_as_parsed()
  if hasattr(config, 'workerinput'):  # The processes share the cores.
    tf.config.threading.set_intra_op_parallelism_threads(1)
  # Two devices for MirroredStrategy, configured before the first tensor.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)


def pytest_collection_finish():
  """Excludes imported objects from garbage collection.

  The collector would visit these millions of objects repeatedly while
  TensorFlow traces, which takes a tenth of the CPU time of the tests.
  """
  _freeze()
  gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
  """Excludes what a file leaves behind.

  The converter of LiteRT collects explicitly, and each collection would take a
  second at the end of the tests.
  """
  if nextitem is None or nextitem.path != item.path:
    _freeze()


def _freeze():
  gc.collect()
  gc.freeze()


def pytest_collection_modifyitems(items):
  """Drops `tf.test.TestCase.test_session`, which is no test, and sorts.

  `--dist worksteal` steals from the end. Long tests and tests that share a
  `setUpClass`, which both processes would run, come first.
  """
  items[:] = sorted(
      (item for item in items if item.name != 'test_session'), key=lambda item:
      (not {'training', 'serving', 'extending'}.intersection(item.path.parts),
       'setUpClass' not in vars(item.cls)))
