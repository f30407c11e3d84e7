"""Tests that run functions eagerly, where a trace would take longer."""

import tensorflow as tf


class EagerCase(tf.test.TestCase):
  """Runs every `tf.function` eagerly, also those compiled by XLA."""

  def setUp(self):
    super().setUp()
    self.addCleanup(tf.config.run_functions_eagerly, False)
    tf.config.run_functions_eagerly(True)
