"""Warm-up requests, read by protobuf's own classes."""

import os
import pathlib
import shutil
import tempfile

from absl.testing import parameterized
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import unknown_fields
from google.protobuf import wrappers_pb2
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from tests.serving import cpp_loader
from tfvae.serving.saved_model import warm_up

_FILE = 'assets.extra/tf_serving_warmup_requests'
# What a request needs of tensorflow_serving/apis/{model,predict,
# prediction_log}.proto: name, number and type of each field.
_SERVING_PROTOS = {
    'ModelSpec': [('name', 1, 'string'),
                  ('version', 2, '.google.protobuf.Int64Value'),
                  ('signature_name', 3, 'string'),
                  ('version_label', 4, 'string')],
    'Input': [('key', 1, 'string'), ('value', 2, '.tensorflow.TensorProto')],
    'PredictRequest': [('model_spec', 1, 'ModelSpec'),
                       ('inputs', 2, 'repeated Input'),  # A map, on the wire.
                       ('output_filter', 3, 'repeated string')],
    'PredictLog': [('request', 1, 'PredictRequest')],
    'PredictionLog': [('predict_log', 6, 'PredictLog')],
}


def _prediction_log_class():
  """Returns `PredictionLog` as protobuf makes it, not by our encoder."""
  field_proto = descriptor_pb2.FieldDescriptorProto
  file = descriptor_pb2.FileDescriptorProto(
      name='warm_up_test.proto', package='warm_up_test', syntax='proto3',
      dependency=[tensor_pb2.DESCRIPTOR.name, wrappers_pb2.DESCRIPTOR.name])
  for name, fields in _SERVING_PROTOS.items():
    message = file.message_type.add(name=name)
    for field, number, kind in fields:
      label, _, kind = kind.rpartition(' ')
      label = 'LABEL_' + (label or 'optional').upper()
      field = message.field.add(
          name=field, number=number, label=field_proto.Label.Value(label))
      if kind == 'string':
        field.type = field_proto.TYPE_STRING
      else:
        field.type = field_proto.TYPE_MESSAGE
        field.type_name = kind
  pool = descriptor_pool.Default()
  pool.AddSerializedFile(file.SerializeToString())
  return message_factory.GetMessageClass(
      pool.FindMessageTypeByName('warm_up_test.PredictionLog'))


_PREDICTION_LOG = _prediction_log_class()


def _read(path):
  """Returns the signature and the inputs of each record."""
  return [(name, {key: tf.make_ndarray(proto) for key, proto in inputs.items()})
          for name, inputs in _read_protos(path)]


def _read_protos(path):
  """Returns the signature and the inputs, as TensorProtos, of each record."""
  requests = []
  for record in tf.data.TFRecordDataset(os.path.join(path, _FILE)):
    log = _PREDICTION_LOG.FromString(record.numpy())
    request = log.predict_log.request
    for message in (log, log.predict_log, request, request.model_spec,
                    *request.inputs):
      assert not len(unknown_fields.UnknownFieldSet(message))
    assert list(log.ListFields()[0][0].name) == list('predict_log')
    requests.append((request.model_spec.signature_name, {
        item.key: item.value for item in request.inputs}))
  return requests


# Its last bytes are zeros, which NumPy drops from a scalar.
_EXAMPLE = tf.train.Example(features=tf.train.Features(feature={
    name: tf.train.Feature(float_list=tf.train.FloatList(value=[0.0] * size))
    for name, size in (('x', 6), ('y', 4))})).SerializeToString()

# By signature and input: shape of a row and type.
_INPUTS = {
    'serving_default': {'x': ((2, 3, 1), tf.float32), 'y': ((4,), tf.float32)},
    'decode': {'z': ((5,), tf.float32)},
    'generate': {'seed': ((2,), tf.int32)},
    'parse_example': {'examples': ((), tf.string)},
    'logarithm': {'x': ((), tf.float32)}}


class _Model(tf.Module):
  """Signatures of every kind of input there is."""

  def __init__(self):
    super().__init__()
    self.scale = tf.Variable(2.0)

  def signatures(self):
    return {name: tf.function(getattr(self, name)).get_concrete_function(**{
        key: tf.TensorSpec([None, *shape], dtype, key)
        for key, (shape, dtype) in inputs.items()})
            for name, inputs in _INPUTS.items()}

  def serving_default(self, x, y):
    return {'mean': self.scale * tf.reduce_sum(x, [1, 2]) + y[:, :1]}

  def decode(self, z):
    return {'mean': self.scale * z}

  def generate(self, seed):
    return {'sample': tf.cast(seed, tf.float32)}

  def parse_example(self, examples):
    return self.serving_default(**tf.io.parse_example(examples, {
        key: tf.io.FixedLenFeature(shape, dtype)
        for key, (shape, dtype) in _INPUTS['serving_default'].items()}))

  def logarithm(self, x):
    with tf.control_dependencies([tf.debugging.assert_non_negative(x)]):
      return {'y': tf.math.log1p(x)}


class WarmUpTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    model = _Model()
    cls.path = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, cls.path)
    tf.saved_model.save(model, cls.path, signatures=model.signatures())

  def setUp(self):
    super().setUp()
    pathlib.Path(self.path, _FILE).unlink(missing_ok=True)

  def test_zeros_for_every_signature_and_batch_size(self):
    warm_up.write_warm_up_requests(
        self.path, warm_up.default_requests(self.path, batch_sizes=(1, 8)))
    requests = _read(self.path)
    self.assertCountEqual([name for name, _ in requests], 2 * list(_INPUTS))
    for number, (name, inputs) in enumerate(requests):
      self.assertCountEqual(inputs, _INPUTS[name])
      for key, value in inputs.items():
        shape, dtype = _INPUTS[name][key]
        rows = 1 if number < len(_INPUTS) else 8
        self.assertEqual(value.shape, (rows, *shape))
        if dtype != tf.string:
          self.assertAllEqual(value, np.zeros_like(value))
          self.assertEqual(value.dtype, dtype)
    examples = dict(requests)['parse_example']['examples']
    for serialized in examples:
      features = tf.train.Example.FromString(serialized).features.feature
      self.assertEqual({name: list(feature.float_list.value)
                        for name, feature in features.items()},
                       {'x': [0.0] * 6, 'y': [0.0] * 4})

  def test_one_row_and_the_largest_batch_by_default(self):
    requests = warm_up.default_requests(self.path)
    self.assertEqual(
        [len(next(iter(inputs.values()))) for _, inputs in requests],
        [rows for rows in (1, 256) for _ in _INPUTS])

  @parameterized.parameters(
      ((28, 28, 1), [1, 256]), ((128, 128, 1), [1, 256]),
      ((128, 128, 3), [1, 85]), ((4096, 4096, 1), [1]))
  def test_large_images_get_smaller_batches(self, shape, batch_sizes):
    module = tf.Module()
    module.f = tf.function(
        lambda x: {'y': x[:, 0, 0]},
        input_signature=[tf.TensorSpec([None, *shape], name='x')])
    path = self.create_tempdir().full_path
    tf.saved_model.save(module, path, signatures={'encode': module.f})
    self.assertEqual(
        [len(inputs['x']) for _, inputs in warm_up.default_requests(path)],
        batch_sizes)

  def test_equal_elements_take_the_bytes_of_one(self):
    warm_up.write_warm_up_requests(self.path, [
        ('decode', {'z': np.full([5000, 5], 0.5, np.float32)}),
        ('generate', {'seed': np.full([5000, 2], -3, np.int32)}),
        ('parse_example', {'examples': [_EXAMPLE] * 5000})])
    self.assertLess(os.path.getsize(os.path.join(self.path, _FILE)), 1000)
    values = [value for _, inputs in _read_protos(self.path)
              for value in inputs.values()]
    for proto, expected in zip(values, (
        np.full([5000, 5], 0.5), np.full([5000, 2], -3),
        np.array([_EXAMPLE] * 5000, object)), strict=True):
      # By C++, as a server reads it.
      self.assertAllEqual(tf.io.parse_tensor(
          proto.SerializeToString(), tf.as_dtype(proto.dtype)), expected)

  def test_the_server_answers_what_was_written(self):
    warm_up.write_warm_up_requests(
        self.path, warm_up.default_requests(self.path, batch_sizes=[3]))
    with cpp_loader.CppLoader() as loader:
      for name, inputs in _read(self.path):
        for output in loader.run(self.path, name, inputs).values():
          self.assertLen(output, 3)

  def test_given_requests_are_written_as_they_are(self):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(900, 2, 3, 1)), rng.normal(size=(900, 4))
    feature = lambda values: tf.train.Feature(
        float_list=tf.train.FloatList(value=values))
    example = tf.train.Example(features=tf.train.Features(feature={
        'x': feature(x[0].ravel()), 'y': feature(y[0])})).SerializeToString()
    requests = [
        ('serving_default', {'x': x.astype('f'), 'y': y.astype('f')}),
        ('generate', {'seed': [[1, -2], [2**31 - 1, 0]]}),
        ('parse_example', {'examples': [example] * 200}),
        ('logarithm', {'x': [0.5]})]
    warm_up.write_warm_up_requests(self.path, requests)
    # Lengths of one, two and three bytes occur.
    self.assertGreater(os.path.getsize(os.path.join(self.path, _FILE)), 2**14)
    written = _read(self.path)
    self.assertLen(written, len(requests))
    for (name, inputs), (given_name, given) in zip(
        written, requests, strict=True):
      self.assertEqual(name, given_name)
      self.assertCountEqual(inputs, given)
      for key, value in inputs.items():
        self.assertAllEqual(value, given[key])

  @parameterized.parameters(
      ('encode', {'x': [1.0]}, "signatures are .*'decode'"),
      ('decode', {}, "inputs are .*'z'.*Received: .*"),
      ('decode', {'z': np.zeros([1, 5], 'f'), 'x': [1.0]}, "inputs are .*'z'"),
      ('decode', {'z': np.zeros([1, 4], 'f')}, r"'z'.*5.*Received.*1, 4"),
      ('decode', {'z': np.zeros([5], 'f')}, r"'z'.*5.*Received.*\(5,\)"),
      ('decode', {'z': np.zeros([1, 5])}, "'z'.*float32.*Received: float64"),
      ('generate', {'seed': [[1.0, 2.0]]}, "'seed'.*int32.*Received: float32"),
      ('decode', {'z': [[1.0], [1.0, 2.0]]}, 'shape|sequence'),
      # Of the right shape, but what the graph itself refuses.
      ('logarithm', {'x': [-1.0]}, 'x >= 0'),
      ('parse_example', {'examples': [b'no example']}, 'parse'),
      ('serving_default', {'x': np.zeros([2, 2, 3, 1], 'f'),
                           'y': np.zeros([3, 4], 'f')}, 'ncompatible'))
  def test_request_that_would_fail(self, name, inputs, message):
    good = ('generate', {'seed': [[1, 2]]})
    with self.assertRaisesRegex(
        ValueError,
        rf"(?s)request 1 of signature '{name}' would keep .*{message}"):
      warm_up.write_warm_up_requests(self.path, [good, (name, inputs)])
    self.assertFalse(os.path.exists(os.path.join(self.path, _FILE)))

  def test_more_requests_than_a_server_takes(self):
    with self.assertRaisesRegex(ValueError, 'at most 1000.*Received: 1001'):
      warm_up.write_warm_up_requests(
          self.path, [('generate', {'seed': [[1, 2]]})] * 1001)

  def test_batch_without_rows(self):
    with self.assertRaisesRegex(ValueError, r'batch_sizes=\[4, 0\]'):
      warm_up.default_requests(self.path, (4, 0))

  def test_sizes_that_nobody_knows(self):
    module = tf.Module()
    module.f = tf.function(
        lambda x: {'y': x},
        input_signature=[tf.TensorSpec([None, None, 3], name='x')])
    path = self.create_tempdir().full_path
    tf.saved_model.save(module, path, signatures={'double': module.f})
    with self.assertRaisesRegex(ValueError, "Input 'x' of signature 'double'"):
      warm_up.default_requests(path)
    warm_up.write_warm_up_requests(
        path, [('double', {'x': np.zeros([1, 7, 3], 'f')})])
    [(name, inputs)] = _read(path)
    self.assertEqual((name, inputs['x'].shape), ('double', (1, 7, 3)))


if __name__ == '__main__':
  tf.test.main()
