"""Checks that TF Serving can serve a SavedModel.

A server loads most faulty models as AVAILABLE and fails at the first request.
"""

from collections.abc import Iterator, Mapping

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tfvae.serving.saved_model import meta_graph as meta_graph_lib
from tfvae.serving.saved_model.meta_graph import FunctionGraph
from tfvae.serving.saved_model.meta_graph import Signature

_DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY

# Types that the REST interface of TF Serving reads and writes.
_DTYPES = frozenset({
    'float32', 'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint32',
    'uint64', 'bool', 'string'})
_PYTHON_OPS = frozenset({'EagerPyFunc', 'PyFunc', 'PyFuncStateless'})
# Operations that draw from a state of the server, not from a seed of the
# request.
_RANDOM_OPS = frozenset({
    'Multinomial', 'NonDeterministicInts', 'ParameterizedTruncatedNormal',
    'RandomCrop', 'RandomGamma', 'RandomPoisson', 'RandomPoissonV2',
    'RandomShuffle', 'RandomStandardNormal', 'RandomUniform',
    'RandomUniformInt', 'RngReadAndSkip', 'RngSkip',
    'SampleDistortedBoundingBox', 'SampleDistortedBoundingBoxV2',
    'StatefulRandomBinomial', 'StatefulStandardNormal',
    'StatefulStandardNormalV2', 'StatefulTruncatedNormal', 'StatefulUniform',
    'StatefulUniformFullInt', 'StatefulUniformInt', 'TruncatedNormal'})


def check_saved_model(path: str):
  """Raises a ValueError that lists the problems of `lint_saved_model`, if any.

  Args:
    path: Directory of a SavedModel.
  """
  if problems := lint_saved_model(path):
    raise ValueError('TF Serving cannot serve this model:\n'
                     + '\n'.join(f'  {problem}' for problem in problems)
                     + f'\nReceived: path={path}')


def lint_saved_model(path: str) -> list[str]:
  """Returns the problems that TF Serving would have, each with its remedy.

  The problems are operations in Python, functions that must be compiled by XLA,
  which the server disables, random operations without a seed, and inputs and
  outputs without rows or of a type that cannot be sent.

  Args:
    path: Directory of a SavedModel.

  Returns:
    Descriptions of the problems; empty if there are none.

  Raises:
    ValueError: If there is no SavedModel with the tag 'serve'.
  """
  meta_graph = meta_graph_lib.read_meta_graph(path)
  signatures = meta_graph_lib.signatures_of(meta_graph)
  return [*_naming_problems(signatures),
          *(problem for name, signature in signatures.items()
            for problem in _tensor_problems(name, signature)),
          *_operation_problems(FunctionGraph(meta_graph.graph_def), signatures)]


def _naming_problems(signatures: Mapping[str, Signature]) -> Iterator[str]:
  if not signatures:
    yield 'there are no signatures; set `signatures` of tf.saved_model.save'
  elif _DEFAULT not in signatures:
    yield (f'no signature has the name {_DEFAULT!r}, which serves requests '
           'without a signature name; add one, for example the function of '
           f'{next(iter(signatures))!r}')


def _tensor_problems(name: str, signature: Signature) -> Iterator[str]:
  for kind, tensors in (('input', signature.inputs),
                        ('output', signature.outputs)):
    for key, info in sorted(tensors.items()):
      for problem in _info_problems(info):
        yield f'signature {name!r}: {kind} {key!r} {problem}'


def _info_problems(info: meta_graph_pb2.TensorInfo) -> Iterator[str]:
  """Yields the problems of an input or an output."""
  if (encoding := info.WhichOneof('encoding')) != 'name':
    kind = info.composite_tensor.type_spec.type_spec_class_name or encoding
    yield (f'is a {kind} instead of a tensor and cannot be fed or fetched; use '
           'dense tensors, such as the mean or a sample of a distribution')
    return
  if (dtype := tf.as_dtype(info.dtype).name) not in _DTYPES:
    yield f'is {dtype}, which cannot be sent; cast it, for example to float32'
  shape = tf.TensorShape(info.tensor_shape)
  if shape.rank is None:
    yield 'has no known rank; set it with tf.ensure_shape'
  elif shape.rank == 0:
    yield 'is a scalar; add rows, a leading dimension None'
  elif shape[0] is not None:
    yield (f'has the shape {shape.as_list()}, a fixed number of rows; make its '
           'leading dimension None')


def _operation_problems(graph: FunctionGraph,
                        signatures: Mapping[str, Signature]) -> Iterator[str]:
  users = {}
  for name, signature in signatures.items():
    for function in graph.reached(signature):
      users.setdefault(function, []).append(name)
  must_compile = graph.marked('_XlaMustCompile')
  for function, nodes in graph.bodies().items():
    where = f'function {function!r}' if function else 'the graph'
    if function in users:
      where += f' (of {", ".join(users[function])})'
    if function in must_compile:
      yield (f'{where} must be compiled by XLA, which a server disables; '
             'trace it without jit_compile=True')
    for node in nodes:
      if node.op in _PYTHON_OPS:
        yield (f'{where} has {node.op} {node.name!r}, which runs Python, and a '
               'server has no Python; use operations of TensorFlow')
      elif node.op in _RANDOM_OPS and function in users:
        yield (f'{where} has {node.op} {node.name!r}, whose draws a client '
               'cannot repeat; use tf.random.stateless_* with a seed per row')
