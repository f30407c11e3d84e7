"""The gRPC client, against a server that speaks TF Serving's protocol."""

from concurrent import futures
import importlib.util
import os
import pathlib

import grpc
import numpy as np
from PIL import Image
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests import fresh_process
from tfvae import models
from tfvae import serving

_CLIENT = pathlib.Path(__file__).parents[2] / 'serving' / 'grpc_client.py'


def _client():
  spec = importlib.util.spec_from_file_location('grpc_client', _CLIENT)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


class _Server(prediction_service_pb2_grpc.PredictionServiceServicer):
  """Answers as TF Serving does, for one model."""

  def __init__(self, name, signatures):
    self.name, self.signatures = name, signatures

  def Predict(self, request, context):
    if request.model_spec.name != self.name:
      context.abort(grpc.StatusCode.NOT_FOUND, 'Servable not found')
    outputs = self.signatures[request.model_spec.signature_name](**{
        name: tf.constant(tf.make_ndarray(value))
        for name, value in request.inputs.items()})
    response = predict_pb2.PredictResponse()
    for name, value in outputs.items():
      response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    return response


class GrpcClientTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.model = models.image_vae('z:2', (4, 4, 1), hidden_units=(5,))
    cls.signatures = serving.signatures(
        cls.model, ('generate', 'score', 'parse_image'),
        image_input=serving.ImageInput())
    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Server('vae', cls.signatures), server)
    cls.address = f'localhost:{server.add_insecure_port("localhost:0")}'
    server.start()
    cls.addClassCleanup(server.stop, None)

  def test_sends_and_receives_every_output(self):
    x = np.float32(np.random.default_rng(0).integers(2, size=[3, 4, 4, 1]))
    seed = np.arange(6, dtype=np.int32).reshape(3, 2)
    received = _client().predict(
        self.address, 'vae', 'score', {'x': x, 'seed': seed})
    expected = self.signatures['score'](
        x=tf.constant(x), seed=tf.constant(seed))
    self.assertEqual(set(received), {'elbo', 'reconstruction', 'kl'})
    for name, value in received.items():
      self.assertAllEqual(value, expected[name])

  def test_command_writes_the_outputs(self):
    directory = self.create_tempdir().full_path
    paths = {name: os.path.join(directory, f'{name}.npz')
             for name in ('input', 'output')}
    np.savez(paths['input'], seed=np.int32([[0, 1], [0, 2]]))
    done = fresh_process.run(
        [_CLIENT, f'--server={self.address}', '--signature=generate',
         *(f'--{name}={path}' for name, path in paths.items())])
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn('sample: float32 [2, 4, 4, 1]', done.stdout)
    expected = self.signatures['generate'](seed=tf.constant([[0, 1], [0, 2]]))
    with np.load(paths['output']) as outputs:
      self.assertAllEqual(outputs['sample'], expected['sample'])

  def test_sends_image_files(self):
    path = os.path.join(self.create_tempdir().full_path, 'black.bmp')
    Image.new('L', (4, 4)).save(path)  # Ends with zeros.
    received = _client().predict(
        self.address, 'vae', 'parse_image',
        {'image': _client().read_images([path, path])})
    self.assertAllEqual(received['x'], np.zeros([2, 4, 4, 1]))

  def test_passes_on_what_the_server_refuses(self):
    with self.assertRaisesRegex(grpc.RpcError, 'Servable not found'):
      _client().predict(self.address, 'other', 'generate',
                        {'seed': np.zeros([1, 2], np.int32)})


if __name__ == '__main__':
  tf.test.main()
