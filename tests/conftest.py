"""What pytest needs beside `tf.test.main`, which the tests end in."""

from absl import flags
import tensorflow as tf


def pytest_configure():
  """Readies what is shared by all test files of one pytest process."""
  # `create_tempdir` reads a flag, and nothing else parses flags here.
  flags.FLAGS.mark_as_parsed()
  # Two devices for MirroredStrategy; before any file makes a tensor.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)


def pytest_collection_modifyitems(items):
  """Drops `tf.test.TestCase.test_session`, a method and no test."""
  items[:] = [item for item in items if item.name != 'test_session']
