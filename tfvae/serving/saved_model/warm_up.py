"""Warm-up requests, which TF Serving answers while it loads a model.

TensorFlow optimizes a graph at its first request, which takes a thousand times
as long as the next one. A server therefore answers the requests in
`assets.extra/tf_serving_warmup_requests` before a version is AVAILABLE. A
request that fails keeps the version from loading, so each request is checked
and answered before it is written. One row is not enough: with the first larger
request, TensorFlow allocates memory and selects kernels while a client waits.
"""

from collections.abc import Iterable, Mapping
from concurrent import futures
import os
import types
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tfvae.serving.saved_model import meta_graph as meta_graph_lib
from tfvae.serving.saved_model.meta_graph import Signature
from tfvae.serving.saved_model.prediction_log import prediction_log
from tfvae.serving.saved_model.prediction_log import tensor_proto

# Name of a signature, and array-likes by input.
Request = tuple[str, Mapping[str, np.typing.ArrayLike]]

# Rows of the largest batch of a server with `serving/batching.config`.
MAX_EXECUTION_BATCH_SIZE = 256

# Elements of an input in the larger default request: 16 MiB as float32.
_MAX_ELEMENTS = 2**22

# Signatures with many draws of each row, whose larger request would take long;
# they compute a row, or a block of draws, at a time, which one row warms up.
_OF_MANY_DRAWS = ('impute', 'log_likelihood', 'refine')

_FILE = os.path.join('assets.extra', 'tf_serving_warmup_requests')
_DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
_MAX_REQUESTS = 1000  # Limit of the server.


def default_requests(
    path: str, batch_sizes: Iterable[int] | None = None,
    values: Mapping[str, Any] = types.MappingProxyType({})) -> list[Request]:
  """Returns a request of zeros for each signature and batch size.

  Strings are serialized `tf.Example`s of zeros for the inputs of
  `serving_default`.

  Args:
    path: Directory of a SavedModel.
    batch_sizes: Numbers of rows. By default 1 and `MAX_EXECUTION_BATCH_SIZE`,
      or fewer for large images, at most 2**22 elements, because a server needs
      the memory of such a batch to load the model. A server with batching
      enabled does not load a model with a request larger than its
      `max_batch_size`: for a limit below 256, choose smaller numbers.
    values: Values `[1]` of scalar inputs by name, in place of zeros.

  Raises:
    ValueError: If an input has unknown dimensions besides the rows, or a batch
      is empty.
  """
  signatures = meta_graph_lib.signatures_of(
      meta_graph_lib.read_meta_graph(path))
  batch_sizes = (_default_batch_sizes(signatures) if batch_sizes is None
                 else list(batch_sizes))
  if min(batch_sizes, default=1) < 1:
    raise ValueError('`batch_sizes` must be at least 1. Received: '
                     f'batch_sizes={batch_sizes}')
  example = _serialized_example(signatures, values)

  def rows_of(name, key, info, rows):
    if key in values:
      return np.repeat(values[key], rows)
    return [example] * rows if _is(info, tf.string) else (
        _zeros(name, key, info, rows))

  return [
      (name, {key: rows_of(name, key, info, rows)
              for key, info in signature.inputs.items()})
      for rows in batch_sizes for name, signature in signatures.items()
      if rows == min(batch_sizes) or name not in _OF_MANY_DRAWS]


def _default_batch_sizes(signatures: Mapping[str, Signature]) -> list[int]:
  """Returns 1 and the number of rows of the larger request, if it differs."""
  elements = max((
      _zeros(name, key, info, rows=1).size
      for name, signature in signatures.items()
      for key, info in signature.inputs.items()), default=1)
  return sorted({1, min(MAX_EXECUTION_BATCH_SIZE,
                        max(1, _MAX_ELEMENTS // max(1, elements)))})


def write_warm_up_requests(path: str, requests: Iterable[Request]):
  """Adds warm-up requests to a SavedModel, which must answer each of them.

  A tensor whose elements are all equal is stored as one element.

  Args:
    path: Directory of the SavedModel, before it is published.
    requests: Name of the signature and inputs by name, for each request.

  Raises:
    ValueError: If a request does not match its signature or cannot be answered,
      or there are more requests than a server accepts.
  """
  requests = list(requests)
  if len(requests) > _MAX_REQUESTS:
    raise ValueError(f'A server accepts at most {_MAX_REQUESTS} warm-up '
                     f'requests. Received: {len(requests)}')
  signatures = meta_graph_lib.signatures_of(
      meta_graph_lib.read_meta_graph(path))
  functions = tf.saved_model.load(path).signatures

  def checked(position: int, request: Request) -> bytes:
    name, inputs = request
    try:
      tensors = {key: tensor_proto(inputs[key]) for key in sorted(inputs)}
      _check_request(signatures, name, tensors)
      functions[name](**{key: tf.constant(tf.make_ndarray(tensor))
                         for key, tensor in tensors.items()})
    except (TypeError, ValueError, tf.errors.OpError) as error:
      raise ValueError(f'Warm-up request {position} of signature {name!r} '
                       f'would keep the model from loading: {error}') from error
    return prediction_log(name, tensors)

  # TensorFlow optimizes each graph at its first request, on one core.
  with futures.ThreadPoolExecutor() as threads:
    records = list(threads.map(checked, range(len(requests)), requests))
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
    raise ValueError(f'Input {key!r} of signature {name!r} has unknown '
                     'dimensions; write warm-up requests that define them. '
                     f'Received: shape={shape}')
  return np.zeros([rows, *shape[1:]], tf.as_dtype(info.dtype).as_numpy_dtype)


def _serialized_example(signatures: Mapping[str, Signature],
                        values: Mapping[str, Any]) -> bytes:
  """Returns a `tf.Example` of zeros, or values, for the default signature."""
  default = signatures.get(_DEFAULT, Signature())
  features = {
      key: _feature(values[key] if key in values else _zeros(
          _DEFAULT, key, info, rows=1))
      for key, info in default.inputs.items()
      if key in values or _is(info, tf.float32)}
  return tf.train.Example(
      features=tf.train.Features(feature=features)).SerializeToString()


def _feature(values: np.ndarray) -> tf.train.Feature:
  """Returns a feature of floats, booleans or bytes."""
  values = values.ravel()
  if values.dtype == object:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
  if values.dtype == bool:
    return tf.train.Feature(int64_list=tf.train.Int64List(
        value=values.astype(int)))
  return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def _check_request(signatures: Mapping[str, Signature], name: str,
                   tensors: Mapping[str, tensor_pb2.TensorProto]):
  """Raises a ValueError unless a signature accepts these inputs."""
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
