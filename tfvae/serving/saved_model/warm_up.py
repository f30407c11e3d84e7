"""Requests that TF Serving answers while it loads a model.

TensorFlow optimises a graph at its first request, which takes a thousand times
as long as the next. A server has this done before it calls a version AVAILABLE,
by the requests in `assets.extra/tf_serving_warmup_requests`. One of them that
fails keeps the version from loading, so each is checked, and answered, first.
One row is not enough: the first larger request would allocate and choose its
kernels while a client waits.
"""

from collections.abc import Iterable, Mapping
import os

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tfvae.serving.saved_model import meta_graph as meta_graph_lib
from tfvae.serving.saved_model.meta_graph import Signature

# Array-likes by signature and by input.
Request = tuple[str, Mapping[str, np.typing.ArrayLike]]

# Rows of the largest batch that a server runs with `serving/batching.config`.
MAX_EXECUTION_BATCH_SIZE = 256

# Of an input in the larger of the default requests: 16 MB as float32.
_MAX_ELEMENTS = 2**22

_FILE = os.path.join('assets.extra', 'tf_serving_warmup_requests')
_DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
_MAX_REQUESTS = 1000  # The server refuses more.


def default_requests(
    path: str, batch_sizes: Iterable[int] | None = None) -> list[Request]:
  """Returns a request of zeros for each signature and batch size.

  Strings are serialized `tf.Example`s of zeros for `serving_default`'s inputs.

  Args:
    path: Directory of a SavedModel.
    batch_sizes: Numbers of rows. None is 1 and `MAX_EXECUTION_BATCH_SIZE`, or
      for large images as many rows as have 2**22 elements, since a server needs
      the memory of such a batch to load the model. A server with
      --enable_batching does not load a model that has a request larger than
      its `max_batch_size`: give smaller numbers to export for one below 256.

  Raises:
    ValueError: If an input has unknown sizes besides its rows, or a batch is
      empty.
  """
  signatures = meta_graph_lib.signatures_of(
      meta_graph_lib.read_meta_graph(path))
  batch_sizes = (_default_batch_sizes(signatures) if batch_sizes is None
                 else list(batch_sizes))
  if min(batch_sizes, default=1) < 1:
    raise ValueError('A warm-up request has at least one row. Received: '
                     f'batch_sizes={batch_sizes}')
  example = _serialized_example(signatures)
  return [
      (name, {key: ([example] * rows if _is(info, tf.string)
                    else _zeros(name, key, info, rows))
              for key, info in signature.inputs.items()})
      for rows in batch_sizes for name, signature in signatures.items()]


def _default_batch_sizes(signatures: Mapping[str, Signature]) -> list[int]:
  """Returns 1 and the rows of the larger request, if that is another number."""
  elements = max((
      _zeros(name, key, info, rows=1).size
      for name, signature in signatures.items()
      for key, info in signature.inputs.items()), default=1)
  return sorted({1, min(MAX_EXECUTION_BATCH_SIZE,
                        max(1, _MAX_ELEMENTS // max(1, elements)))})


def write_warm_up_requests(path: str, requests: Iterable[Request]):
  """Adds warm-up requests to a SavedModel, after it has answered each once.

  A tensor whose elements are all equal takes the bytes of one of them.

  Args:
    path: Directory of the SavedModel, before it is published.
    requests: Name of the signature and inputs by name, for each request.

  Raises:
    ValueError: If a request does not fit its signature or cannot be answered,
      or there are more than a server takes.
  """
  requests = list(requests)
  if len(requests) > _MAX_REQUESTS:
    raise ValueError(f'A server takes at most {_MAX_REQUESTS} warm-up requests.'
                     f' Received: {len(requests)}')
  signatures = meta_graph_lib.signatures_of(
      meta_graph_lib.read_meta_graph(path))
  functions = tf.saved_model.load(path).signatures
  records = []
  for position, (name, inputs) in enumerate(requests):
    try:
      tensors = {key: _tensor_proto(inputs[key]) for key in sorted(inputs)}
      _check_request(signatures, name, tensors)
      functions[name](**{key: tf.constant(tf.make_ndarray(tensor))
                         for key, tensor in tensors.items()})
    except (TypeError, ValueError, tf.errors.OpError) as error:
      raise ValueError(f'Warm-up request {position}, of signature {name!r}, '
                       f'would keep the model from loading: {error}') from error
    records.append(_prediction_log(name, tensors))
  os.makedirs(os.path.dirname(os.path.join(path, _FILE)), exist_ok=True)
  with tf.io.TFRecordWriter(os.path.join(path, _FILE)) as writer:
    for record in records:
      writer.write(record)


def _is(info: meta_graph_pb2.TensorInfo, dtype: tf.DType) -> bool:
  return info.dtype == dtype.as_datatype_enum


def _zeros(name: str, key: str, info: meta_graph_pb2.TensorInfo,
           rows: int) -> np.ndarray:
  shape = tf.TensorShape(info.tensor_shape)
  if not shape.rank or not shape[1:].is_fully_defined():
    raise ValueError(f'Input {key!r} of signature {name!r} has sizes that '
                     'nobody knows; give warm-up requests that have them. '
                     f'Received: shape={shape}')
  return np.zeros([rows, *shape[1:]], tf.as_dtype(info.dtype).as_numpy_dtype)


def _serialized_example(signatures: Mapping[str, Signature]) -> bytes:
  """Returns a `tf.Example` of zeros for the default signature."""
  default = signatures.get(_DEFAULT, Signature())
  features = {
      key: tf.train.Feature(float_list=tf.train.FloatList(
          value=_zeros(_DEFAULT, key, info, rows=1).ravel()))
      for key, info in default.inputs.items() if _is(info, tf.float32)}
  return tf.train.Example(
      features=tf.train.Features(feature=features)).SerializeToString()


def _check_request(signatures: Mapping[str, Signature], name: str,
                   tensors: Mapping[str, tensor_pb2.TensorProto]):
  """Raises a ValueError unless a signature takes these inputs."""
  if name not in signatures:
    raise ValueError(f'the signatures are {sorted(signatures)}')
  expected = signatures[name].inputs
  if set(tensors) != set(expected):
    raise ValueError(f'its inputs are {sorted(expected)}. Received: '
                     f'{sorted(tensors)}')
  for key, tensor in tensors.items():
    dtypes, shapes = zip(*(
        (tf.as_dtype(info.dtype).name, tf.TensorShape(info.tensor_shape))
        for info in (expected[key], tensor)), strict=True)
    if dtypes[0] != dtypes[1] or not shapes[0].is_compatible_with(shapes[1]):
      raise ValueError(f'input {key!r} is {dtypes[0]} {shapes[0]}. Received: '
                       f'{dtypes[1]} {shapes[1]}')


def _tensor_proto(value: np.typing.ArrayLike) -> tensor_pb2.TensorProto:
  """Returns a tensor, compressed if all of its elements are equal."""
  proto = tf.make_tensor_proto(value)
  array = tf.make_ndarray(proto)
  values = array.ravel()  # Of bytes, NumPy scalars lose the zeros at the end.
  if array.size < 2 or (values != values[:1]).any():
    return proto
  # Readers repeat the last value that is given until the shape is filled.
  return tf.make_tensor_proto(values[0], proto.dtype, array.shape)


def _prediction_log(
    name: str, tensors: Mapping[str, tensor_pb2.TensorProto]) -> bytes:
  """Returns a serialized `tensorflow.serving.PredictionLog`.

  tensorflow-serving-api, which has the class, is not needed for this.
  """
  model_spec = _field(3, name.encode())  # signature_name
  request = _field(1, model_spec) + b''.join(
      _field(2, _field(1, key.encode()) + _field(2, tensor.SerializeToString()))
      for key, tensor in tensors.items())
  return _field(6, _field(1, request))  # PredictionLog.predict_log.request


def _field(number: int, content: bytes) -> bytes:
  """Returns a protobuf field of bytes: its tag, length and content."""
  length, rest = b'', len(content)
  while rest > 0x7f:
    length += bytes([rest & 0x7f | 0x80])
    rest >>= 7
  return bytes([number << 3 | 2]) + length + bytes([rest]) + content
