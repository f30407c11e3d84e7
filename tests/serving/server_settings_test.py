"""The server's settings under `serving/`, parsed as the server parses them."""

import pathlib
import re

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import text_format
from google.protobuf import wrappers_pb2
import tensorflow as tf
from tensorflow_serving.config import model_server_config_pb2

from tfvae.serving.saved_model import warm_up

_ROOT = pathlib.Path(__file__).parents[2]
_DIRECTORY = _ROOT / 'serving'

# tensorflow-serving-api lacks these two messages, of tensorflow_serving/
# servables/tensorflow/session_bundle_config.proto and config/
# monitoring_config.proto. The text form has names, so numbers do not matter.
_MESSAGES = {
    'BatchingParameters': {
        'max_batch_size': 'Int64Value', 'batch_timeout_micros': 'Int64Value',
        'max_enqueued_batches': 'Int64Value', 'num_batch_threads': 'Int64Value',
        'thread_pool_name': 'StringValue', 'allowed_batch_sizes': 'int64',
        'pad_variable_length_inputs': 'bool',
        'enable_large_batch_splitting': 'BoolValue',
        'max_execution_batch_size': 'Int64Value'},
    'PrometheusConfig': {'enable': 'bool', 'path': 'string'},
    'MonitoringConfig': {'prometheus_config': 'PrometheusConfig'}}


def _message_classes():
  """Returns protobuf's classes of `_MESSAGES` by name."""
  field_proto = descriptor_pb2.FieldDescriptorProto
  package = 'server_settings_test'
  file = descriptor_pb2.FileDescriptorProto(
      name=f'{package}.proto', package=package, syntax='proto3',
      dependency=[wrappers_pb2.DESCRIPTOR.name])
  for name, fields in _MESSAGES.items():
    message = file.message_type.add(name=name)
    for number, (field_name, kind) in enumerate(fields.items(), start=1):
      field = message.field.add(
          name=field_name, number=number, label=field_proto.LABEL_OPTIONAL)
      if field_name == 'allowed_batch_sizes':
        field.label = field_proto.LABEL_REPEATED
      if kind[0].islower():
        field.type = field_proto.Type.Value(f'TYPE_{kind.upper()}')
      else:
        field.type = field_proto.TYPE_MESSAGE
        field.type_name = (f'.{package}.{kind}' if kind in _MESSAGES
                           else f'.google.protobuf.{kind}')
  pool = descriptor_pool.Default()
  pool.AddSerializedFile(file.SerializeToString())
  return {name: message_factory.GetMessageClass(
      pool.FindMessageTypeByName(f'{package}.{name}')) for name in _MESSAGES}


_CLASSES = _message_classes()


def _parse(name, message):
  """Parses a file of `serving/`; an unknown field is an error."""
  return text_format.Parse(
      (_DIRECTORY / name).read_text(encoding='utf-8'), message)


class ServerSettingsTest(tf.test.TestCase):

  def test_every_file_is_tested(self):
    self.assertCountEqual(
        [path.name for path in _DIRECTORY.glob('*.config')],
        ['batching.config', 'models.config', 'monitoring.config'])

  def test_requests_above_a_batch_are_split(self):
    batching = _parse('batching.config', _CLASSES['BatchingParameters']())
    self.assertTrue(batching.enable_large_batch_splitting.value)
    self.assertGreaterEqual(batching.max_batch_size.value, 1000)
    self.assertLess(batching.max_execution_batch_size.value,
                    batching.max_batch_size.value)
    # Otherwise the last of them would have to be `max_batch_size`.
    self.assertEmpty(batching.allowed_batch_sizes)
    self.assertGreater(batching.num_batch_threads.value, 0)
    # The queue must take a whole request that is split.
    self.assertGreaterEqual(
        batching.max_enqueued_batches.value
        * batching.max_execution_batch_size.value,
        batching.max_batch_size.value)

  def test_exports_warm_up_at_the_largest_batch(self):
    batching = _parse('batching.config', _CLASSES['BatchingParameters']())
    self.assertEqual(batching.max_execution_batch_size.value,
                     warm_up.MAX_EXECUTION_BATCH_SIZE)

  def test_models(self):
    models = _parse(
        'models.config', model_server_config_pb2.ModelServerConfig())
    model, = models.model_config_list.config
    self.assertEqual(model.name, 'vae')
    self.assertEqual(model.base_path, '/models/vae')
    self.assertEqual(model.model_version_policy.latest.num_versions, 1)

  def test_policy_of_the_guide(self):
    guide = (_ROOT / 'docs' / 'serving.md').read_text(encoding='utf-8')
    policy, = re.findall('`(model_version_policy .*)`', guide)
    model = text_format.Parse(policy, model_server_config_pb2.ModelConfig())
    self.assertEqual(list(model.model_version_policy.specific.versions), [2])

  def test_monitoring(self):
    monitoring = _parse('monitoring.config', _CLASSES['MonitoringConfig']())
    self.assertTrue(monitoring.prometheus_config.enable)
    self.assertEqual(monitoring.prometheus_config.path,
                     '/monitoring/prometheus/metrics')


if __name__ == '__main__':
  tf.test.main()
