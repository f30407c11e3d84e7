"""What pytest needs beside `tf.test.main`, which the tests end in."""

import gc
import os

from absl import flags


def pytest_configure(config):
  """Readies what is shared by all test files of one pytest process."""
  if config.getoption('numprocesses', None) and (
      not hasattr(config, 'workerinput')):
    return  # The process that has others run the tests needs no TensorFlow.
  # What a test compiles runs a few times, and optimising it would take longer
  # than that. Bazel's targets have XLA's own settings.
  os.environ.setdefault(
      'XLA_FLAGS', '--xla_backend_optimization_level=0 '
      '--xla_cpu_use_fusion_emitters=false')
  import tensorflow as tf
  # `create_tempdir` reads a flag, and nothing else parses flags here.
  flags.FLAGS.mark_as_parsed()
  # Two devices for MirroredStrategy; before any file makes a tensor.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)


def pytest_collection_finish():
  """Takes what was imported out of the garbage collector's sight.

  It would go through those millions of objects again and again while TensorFlow
  traces: a tenth of the CPU time of the tests.
  """
  gc.collect()
  gc.freeze()
  gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(items):
  """Drops `tf.test.TestCase.test_session`, a method and no test, and sorts.

  `--dist worksteal` steals from the end. What shares a `setUpClass`, which both
  processes would have to do, and what is long by itself are not there.
  """
  items[:] = sorted(
      (item for item in items if item.name != 'test_session'), key=lambda item:
      (item.path.parent.name not in ('training', 'serving'),
       'setUpClass' not in vars(item.cls)))
