"""Inputs and outputs of exports, and calls of a SavedModel by workers."""

import json
import os
import pathlib
import unittest
from unittest import mock

from absl.testing import parameterized
import numpy as np
import pyarrow as pa
import tensorflow as tf

try:
  from tfvae.pipelines.exported import Exported
  from tfvae.pipelines.worker.model import copy_tree
  from tfvae.pipelines.worker.model import SavedModelHandler
except ImportError as error:
  if error.name != 'apache_beam':
    raise
  Exported = None


class _Doubled(tf.Module):
  """Signatures of the names of an export, which count the calls."""

  def __init__(self):
    super().__init__()
    self.calls = tf.Variable(0)

  @tf.function(input_signature=[tf.TensorSpec([None, 2], name='x'),
                                tf.TensorSpec([None], tf.string, 'b_c')])
  def encode(self, x, b_c):
    self.calls.assign_add(1)
    positive = tf.debugging.assert_positive(x, message='x must be positive')
    with tf.control_dependencies([positive]):
      return {'z1_loc': 2 * x, 'z1_scale_diag': 3 * x,
              'b_loc': tf.cast(tf.strings.length(b_c), tf.float32)[:, None]}

  @tf.function(input_signature=[
      tf.TensorSpec([None, 2], name='x'),
      tf.TensorSpec([None, 2], tf.int32, 'seed')])
  def log_likelihood(self, x, seed):
    return {'log_likelihood': x[:, 0] + tf.cast(seed[:, 1], tf.float32),
            'effective_sample_size': x[:, 1], 'is_anomaly': x[:, 0] > 1}


@unittest.skipUnless(Exported, 'apache-beam is not installed')
class ExportedTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self.path = os.path.join(self.create_tempdir().full_path, '1')
    self.module = _Doubled()
    tf.saved_model.save(self.module, self.path, signatures={
        'encode': self.module.encode,
        'log_likelihood': self.module.log_likelihood})

  def _handler(self, path=None):
    return SavedModelHandler(
        path or self.path, ['encode', 'log_likelihood'], ['b_c', 'x', 'seed'],
        ['z1_loc', 'b_loc', 'log_likelihood'])

  def test_columns_have_the_names_of_the_signature(self):
    exported = Exported(self.path, ['encode'])
    self.assertEqual([field[:4] for field in exported.fields()], [
        ('b_c', 'b_c', 'string', ()), ('x', 'x', 'float32', (2,))])
    self.assertFalse(exported.takes_seed)

  def test_columns_have_the_names_of_the_description(self):
    path = pathlib.Path(self.path, 'assets.extra', 'tfvae.json')
    path.parent.mkdir()
    path.write_text(json.dumps({'columns': [
        {'name': 'b c', 'input': 'b_c', 'kind': 'real'}]}))
    exported = Exported(self.path, ['encode'])
    self.assertEqual([field.column for field in exported.fields()],
                     ['b c', 'x'])
    self.assertEqual([field.column for field in exported.fields(False)],
                     ['b_c', 'x'])  # Of a `tf.Example`.

  def test_outputs(self):
    exported = Exported(self.path, ['encode', 'log_likelihood'])
    self.assertTrue(exported.takes_seed)
    self.assertEqual(
        {name: (field.name, field.type) for name, field in exported.outputs()},
        {'z1_loc': ('z1_mean', pa.list_(pa.float32(), 2)),
         'z1_scale_diag': ('z1_stddev', pa.list_(pa.float32(), 2)),
         'b_loc': ('b_mean', pa.list_(pa.float32(), 1)),
         'log_likelihood': ('log_likelihood', pa.float32()),
         'effective_sample_size': ('effective_sample_size', pa.float32()),
         'is_anomaly': ('is_anomaly', pa.bool_())})

  def test_export_that_reads_no_images(self):
    with self.assertRaisesRegex(ValueError, "no signature 'parse_image'"):
      Exported(self.path, ['encode']).image_fields()

  @parameterized.parameters((7, 1), (0, 7), (8, 8))
  def test_a_row_that_fails_fails_alone(self, first, second):
    x = np.float32(np.arange(18).reshape(9, 2) + 1)
    x[[first, second], 1] = -1
    handler = self._handler()
    model = handler.load_model()
    rows = [(f'{index:b}', row, np.int32([0, index]))
            for index, row in enumerate(x)]
    found = handler.run_inference(rows, model)
    self.assertLen(found, 9)
    for index, (row, prediction) in enumerate(zip(x, found, strict=True)):
      if index in (first, second):
        self.assertStartsWith(prediction, 'assertion failed: [x must be pos')
      else:
        loc, length, log_likelihood = prediction
        self.assertAllEqual(loc, 2 * row)
        self.assertAllEqual(length, [len(f'{index:b}')])
        self.assertEqual(log_likelihood, row[0] + index)

  def test_a_good_batch_is_one_call(self):
    handler = self._handler()
    model = handler.load_model()
    handler.run_inference(
        [('a', np.ones(2, np.float32), np.int32([0, 1]))] * 5, model)
    self.assertEqual(model.calls.numpy(), 1)

  def test_other_errors_are_not_of_a_row(self):
    handler = self._handler()
    model = handler.load_model()
    error = tf.errors.ResourceExhaustedError(None, None, 'out of memory')
    rows = [('a', np.ones(2, np.float32), np.int32([0, 1]))] * 4
    with mock.patch.object(model, 'signatures', {'encode': mock.Mock(
        structured_input_signature=((), {}), side_effect=error)}):
      with self.assertRaises(tf.errors.ResourceExhaustedError):
        handler.run_inference(rows, model)
      self.assertEqual(model.signatures['encode'].call_count, 1)

  def test_copy_of_a_directory(self):
    target = self.create_tempdir().full_path
    copy_tree(self.path, target)
    files = {path.relative_to(self.path): path.read_bytes()
             for path in pathlib.Path(self.path).rglob('*') if path.is_file()}
    self.assertIn(pathlib.Path('saved_model.pb'), files)
    self.assertEqual(files, {
        path.relative_to(target): path.read_bytes()
        for path in pathlib.Path(target).rglob('*') if path.is_file()})
    self.assertTrue(self._handler(target).load_model().signatures)


if __name__ == '__main__':
  tf.test.main()
