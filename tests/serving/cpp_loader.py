"""Runs SavedModels through TensorFlow's C++ loader, as TF Serving does.

`CppLoader` starts this file as a program that never imports the Python package
of TensorFlow. It calls the C API in the wheel's `libtensorflow_cc.so.2` by
ctypes, and disables XLA compilation as `tensorflow_model_server` does. Models
that need Python or XLA fail here as they fail there.

The two exchange pickles over the program's standard input and output: a request
is (model, signature, inputs, repeats), a reply is (outputs, seconds) or the
text of an error.
"""

import collections
import ctypes
import importlib.util
import pathlib
import pickle
import subprocess
import sys
import time

from google.protobuf import empty_pb2
from google.protobuf import unknown_fields
import numpy as np

# TF_DataType by NumPy's name of it; bytes are objects to NumPy.
_DTYPES = {'float32': 1, 'int32': 3, 'object': 7, 'bool': 10}
# TF_Code of what a client or a deployer gets wrong; a server replies 400 to 3.
_CODES = {3: 'INVALID_ARGUMENT', 5: 'NOT_FOUND'}
_POINTERS = (
    'TF_NewStatus', 'TF_NewSessionOptions', 'TF_NewGraph', 'TF_NewBuffer',
    'TF_LoadSessionFromSavedModel', 'TF_GraphOperationByName',
    'TF_AllocateTensor', 'TF_TensorData', 'TF_StringGetDataPointer')


class _Buffer(ctypes.Structure):
  _fields_ = [('data', ctypes.c_void_p), ('length', ctypes.c_size_t),
              ('deallocator', ctypes.c_void_p)]


class _Output(ctypes.Structure):
  _fields_ = [('operation', ctypes.c_void_p), ('index', ctypes.c_int)]


class _TString(ctypes.Structure):
  _fields_ = [('data', ctypes.c_char * 24)]


class CppLoader:
  """A process that runs SavedModels in C++; a context manager.

  Args:
    python: Interpreter of the environment whose TensorFlow runs the models.
  """

  def __init__(self, python: str = sys.executable):
    self._process = subprocess.Popen(
        [python, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

  def __enter__(self) -> 'CppLoader':
    return self

  def __exit__(self, *_):
    self._process.communicate()

  def run(self, model: str, signature: str,
          inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns a signature's outputs by name.

    Args:
      model: Directory of the SavedModel, which is loaded once.
      signature: Name of the signature.
      inputs: Arrays by name: float32, int32, bool, or bytes as objects.

    Raises:
      RuntimeError: If TensorFlow rejects the model or the inputs.
    """
    return self._ask(model, signature, inputs, 1)[0]

  def seconds(self, model: str, signature: str, inputs: dict[str, np.ndarray],
              repeats: int) -> list[float]:
    """Returns the time of each of `repeats` calls, arrays in, arrays out."""
    return self._ask(model, signature, inputs, repeats)[1]

  def _ask(self, *request):
    pickle.dump(request, self._process.stdin)
    self._process.stdin.flush()
    reply = pickle.load(self._process.stdout)
    if isinstance(reply, str):
      raise RuntimeError(reply)
    return reply


class _Library:
  """The C API; every method raises RuntimeError with TensorFlow's code and
  message."""

  def __init__(self):
    directory = pathlib.Path(
        importlib.util.find_spec('tensorflow').submodule_search_locations[0])
    sys.modules['tensorflow'] = None  # An import fails from here on.
    self._c = ctypes.CDLL(str(directory / 'libtensorflow_cc.so.2'))
    for name in _POINTERS:
      getattr(self._c, name).restype = ctypes.c_void_p
    self._c.TF_Message.restype = ctypes.c_char_p
    self._c.TF_Dim.restype = ctypes.c_int64
    # tensorflow::DisableXlaCompilation(), as in the main() of the server.
    self._c._ZN10tensorflow21DisableXlaCompilationEv()

  def call(self, name: str, *arguments):
    """Calls a function whose last argument is a status, and checks that."""
    status = ctypes.c_void_p(self._c.TF_NewStatus())
    try:
      result = getattr(self._c, name)(*arguments, status)
      if code := self._c.TF_GetCode(status):
        # A message may quote a client's bytes, which need not be UTF-8.
        message = self._c.TF_Message(status).decode(errors='replace')
        raise RuntimeError(f'{_CODES.get(code, code)}: {message}')
      return result
    finally:
      self._c.TF_DeleteStatus(status)

  def load(self, directory: str):
    """Returns session, graph and the MetaGraphDef's bytes."""
    graph = ctypes.c_void_p(self._c.TF_NewGraph())
    buffer = self._c.TF_NewBuffer()
    session = self.call(
        'TF_LoadSessionFromSavedModel',
        ctypes.c_void_p(self._c.TF_NewSessionOptions()), None,
        directory.encode(), (ctypes.c_char_p * 1)(b'serve'), 1, graph,
        ctypes.c_void_p(buffer))
    meta_graph = _Buffer.from_address(buffer)
    return ctypes.c_void_p(session), graph, ctypes.string_at(
        meta_graph.data, meta_graph.length)

  def output(self, graph: ctypes.c_void_p, name: str) -> _Output:
    """Returns the tensor of a name such as 'StatefulPartitionedCall:0'."""
    operation, _, index = name.partition(':')  # An operation has no index.
    return _Output(self._c.TF_GraphOperationByName(graph, operation.encode()),
                   int(index or 0))

  def tensor(self, array: np.ndarray) -> ctypes.c_void_p:
    """Returns a TF_Tensor; of bytes, it points into the array's elements."""
    array = np.asarray(array, order='C')  # A scalar stays one.
    is_bytes = array.dtype == object
    size = array.size * ctypes.sizeof(_TString) if is_bytes else array.nbytes
    tensor = ctypes.c_void_p(self._c.TF_AllocateTensor(
        _DTYPES[array.dtype.name], (ctypes.c_int64 * array.ndim)(*array.shape),
        array.ndim, ctypes.c_size_t(size)))
    data = self._c.TF_TensorData(tensor)
    if not is_bytes:
      ctypes.memmove(data, array.ctypes.data, size)
      return tensor
    for string, value in zip((_TString * array.size).from_address(data),
                             array.flat, strict=True):
      self._c.TF_StringInit(ctypes.byref(string))
      self._c.TF_StringAssignView(
          ctypes.byref(string), value, ctypes.c_size_t(len(value)))
    return tensor

  def array(self, tensor: ctypes.c_void_p) -> np.ndarray:
    """Returns a copy of a TF_Tensor."""
    names = {number: name for name, number in _DTYPES.items()}
    shape = [self._c.TF_Dim(tensor, axis)
             for axis in range(self._c.TF_NumDims(tensor))]
    array = np.empty(shape, names[self._c.TF_TensorType(tensor)])
    if array.dtype == object:
      strings = (_TString * array.size).from_address(
          self._c.TF_TensorData(tensor))
      array.flat = [ctypes.string_at(
          self._c.TF_StringGetDataPointer(ctypes.byref(string)),
          self._c.TF_StringGetSize(ctypes.byref(string)))
                    for string in strings]
      return array
    ctypes.memmove(
        array.ctypes.data, self._c.TF_TensorData(tensor), array.nbytes)
    return array

  def run(self, session, inputs: list[_Output], arrays: list[np.ndarray],
          outputs: list[_Output]) -> list[np.ndarray]:
    """Runs a session and returns the outputs' values."""
    given = (ctypes.c_void_p * len(inputs))(
        *[self.tensor(array).value for array in arrays])
    made = (ctypes.c_void_p * len(outputs))()
    try:
      self.call(
          'TF_SessionRun', session, None, (_Output * len(inputs))(*inputs),
          given, len(inputs), (_Output * len(outputs))(*outputs), made,
          len(outputs), None, 0, None)
      return [self.array(ctypes.c_void_p(tensor)) for tensor in made]
    finally:
      for tensor in [*given, *filter(None, made)]:
        self._c.TF_DeleteTensor(ctypes.c_void_p(tensor))


class _Model:
  """A loaded SavedModel."""

  def __init__(self, library: _Library, directory: str):
    self._library = library
    self._session, graph, meta_graph = library.load(directory)
    # signature_def is field 5 of MetaGraphDef; inputs are field 1 of a
    # SignatureDef and outputs field 2; a TensorInfo's name is field 1.
    self._signatures = {
        name: [{key: library.output(graph, _fields(info)[1][0].decode())
                for key, info in _map(signature, number).items()}
               for number in (1, 2)]
        for name, signature in _map(meta_graph, 5).items()}

  def __call__(self, signature, inputs):
    if signature not in self._signatures:
      raise RuntimeError(f'No such signature. Received: {signature}')
    takes, returns = self._signatures[signature]
    if set(inputs) != set(takes):
      raise RuntimeError(
          f'{signature} takes {sorted(takes)}. Received: {sorted(inputs)}')
    values = self._library.run(
        self._session, list(takes.values()), [inputs[key] for key in takes],
        list(returns.values()))
    return dict(zip(returns, values, strict=True))


def _map(message: bytes, number: int) -> dict[str, bytes]:
  """Returns a protobuf map from strings to messages."""
  entries = [_fields(entry) for entry in _fields(message)[number]]
  return {entry[1][0].decode(): entry[2][0] for entry in entries}


def _fields(message: bytes) -> dict[int, list]:
  """Returns a protobuf message's fields by number, messages as bytes."""
  fields = collections.defaultdict(list)
  for field in unknown_fields.UnknownFieldSet(
      empty_pb2.Empty.FromString(message)):
    fields[field.field_number].append(field.data)
  return fields


def main():
  """Answers requests until there are no more."""
  library, models = _Library(), {}
  while True:
    try:
      directory, signature, inputs, repeats = pickle.load(sys.stdin.buffer)
    except EOFError:
      return
    try:
      if directory not in models:
        models[directory] = _Model(library, directory)
      seconds = []
      for _ in range(repeats):
        start = time.perf_counter()
        outputs = models[directory](signature, inputs)
        seconds.append(time.perf_counter() - start)
      reply = outputs, seconds
    except Exception as error:  # The other process raises it.
      reply = f'{type(error).__name__}: {error}'
    pickle.dump(reply, sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == '__main__':
  main()
