"""Calls a signature of a served model over gRPC.

  pip install tensorflow-serving-api
  python serving/grpc_client.py --server=localhost:8500 --signature=score \
      --input=x.npz --output=scores.npz

The input file is an .npz file whose arrays have the names of the inputs of the
signature, such as x and seed. The outputs are written in the same format. With
--images, the contents of image files are the input image:

  python serving/grpc_client.py --server=localhost:8500 \
      --signature=parse_image --images photo.jpg drawing.png --output=x.npz
"""

import argparse
from collections.abc import Iterable, Mapping
import pathlib

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

# A batch of images can be larger than gRPC's default of 4 MiB.
_OPTIONS = [('grpc.max_receive_message_length', 2**30),
            ('grpc.max_send_message_length', 2**30)]


def predict(server: str, model: str, signature: str,
            inputs: Mapping[str, np.ndarray],
            timeout: float = 10.0) -> dict[str, np.ndarray]:
  """Calls a signature and returns its outputs by name.

  Args:
    server: Host and port.
    model: Name of the served model.
    signature: Name of a signature, such as 'encode'.
    inputs: Arrays by name, whose first dimension is the batch.
    timeout: Maximum time for the response, in seconds.

  Raises:
    grpc.RpcError: If the server returns an error; it has the server's message.
  """
  request = predict_pb2.PredictRequest()
  request.model_spec.name = model
  request.model_spec.signature_name = signature
  for name, value in inputs.items():
    request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
  with grpc.insecure_channel(server, options=_OPTIONS) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(request, timeout=timeout)
  return {name: tf.make_ndarray(value)
          for name, value in response.outputs.items()}


def read_images(paths: Iterable[str]) -> np.ndarray:
  """Returns the contents of image files, bytes `[n]`."""
  # Objects, because an array of bytes drops zeros at the end of a file.
  return np.array([pathlib.Path(path).read_bytes() for path in paths], object)


def main():
  """Reads the inputs, calls the server and writes the outputs."""
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('--server', default='localhost:8500')
  parser.add_argument('--model', default='vae')
  parser.add_argument('--signature', default='serving_default')
  parser.add_argument('--input')
  parser.add_argument('--images', nargs='+')
  parser.add_argument('--output', required=True)
  arguments = parser.parse_args()
  inputs = {}
  if arguments.input:
    with np.load(arguments.input) as arrays:
      inputs = dict(arrays)
  if arguments.images:
    inputs['image'] = read_images(arguments.images)
  outputs = predict(
      arguments.server, arguments.model, arguments.signature, inputs)
  np.savez(arguments.output, **outputs)
  for name, value in outputs.items():
    print(f'{name}: {value.dtype} {list(value.shape)}')


if __name__ == '__main__':
  main()
