"""Serialization of warm-up requests, without tensorflow-serving-api.

That package has the class `tensorflow.serving.PredictionLog`; the few fields
that a request needs are written here.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2


def tensor_proto(value: np.typing.ArrayLike) -> tensor_pb2.TensorProto:
  """Returns a tensor, compressed if all of its elements are equal."""
  proto = tf.make_tensor_proto(value)
  array = tf.make_ndarray(proto)
  values = array.ravel()  # NumPy scalars of bytes lose trailing zeros.
  if array.size < 2 or (values != values[:1]).any():
    return proto
  # Readers repeat the last given value until the shape is filled.
  return tf.make_tensor_proto(values[0], proto.dtype, array.shape)


def prediction_log(
    name: str, tensors: Mapping[str, tensor_pb2.TensorProto]) -> bytes:
  """Returns a serialized `tensorflow.serving.PredictionLog`.

  Args:
    name: Name of the signature.
    tensors: Inputs by name.
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
