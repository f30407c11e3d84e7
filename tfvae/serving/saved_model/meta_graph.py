"""Signatures and functions of a SavedModel, read from its files."""

from collections.abc import Iterable, Mapping
import os

from google.protobuf import message
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

Signature = meta_graph_pb2.SignatureDef
_INITIALIZER = '__saved_model_init_op'  # Internal to TensorFlow.


def read_meta_graph(path: str) -> meta_graph_pb2.MetaGraphDef:
  """Returns the graph of a SavedModel that a server loads.

  Args:
    path: Directory of the SavedModel.

  Raises:
    ValueError: If there is no SavedModel with the tag 'serve'.
  """
  saved_model = saved_model_pb2.SavedModel()
  try:
    with open(os.path.join(path, 'saved_model.pb'), 'rb') as file:
      saved_model.ParseFromString(file.read())
  except (OSError, message.DecodeError) as error:
    raise ValueError(f'The SavedModel cannot be read: {error}. Received: '
                     f'path={path}') from error
  for meta_graph in saved_model.meta_graphs:
    if set(meta_graph.meta_info_def.tags) == {tf.saved_model.SERVING}:
      return meta_graph
  raise ValueError("The SavedModel has no graph with the tag 'serve'; write it "
                   f'with tf.saved_model.save. Received: path={path}')


def signatures_of(
    meta_graph: meta_graph_pb2.MetaGraphDef) -> Mapping[str, Signature]:
  """Returns the signatures that a client can call, by name."""
  return {name: signature
          for name, signature in sorted(meta_graph.signature_def.items())
          if name != _INITIALIZER}


class FunctionGraph:
  """The functions of a graph and their calls.

  Args:
    graph: Graph with its library of functions.
  """

  def __init__(self, graph: graph_pb2.GraphDef):
    self._main = {node.name: node for node in graph.node}
    self._functions = {function.signature.name: function
                       for function in graph.library.function}

  def bodies(self) -> dict[str, Iterable[node_def_pb2.NodeDef]]:
    """Returns the nodes of each function by name, and of the graph by ''."""
    return {'': self._main.values()} | {
        name: function.node_def for name, function in self._functions.items()}

  def marked(self, attribute: str) -> set[str]:
    """Returns the functions that have an attribute or are called with it."""
    marked = {name for name, function in self._functions.items()
              if attribute in function.attr and function.attr[attribute].b}
    return marked.union(*(
        self._called(node) for nodes in self.bodies().values() for node in nodes
        if attribute in node.attr and node.attr[attribute].b))

  def reached(self, signature: Signature) -> set[str]:
    """Returns the names of the functions that a signature runs."""
    nodes = self._ancestors(info.name for info in signature.outputs.values())
    reached, new = set(), set().union(*map(self._called, nodes))
    while new:
      reached |= new
      new = set().union(*(
          self._called(node) for name in new
          for node in self._functions[name].node_def)) - reached
    return reached

  def _ancestors(self, outputs: Iterable[str]) -> list[node_def_pb2.NodeDef]:
    """Returns the nodes of the main graph that the outputs depend on."""
    found, waiting = {}, list(outputs)
    while waiting:
      # 'node:1' is an output of a node, '^node' a control dependency.
      name = waiting.pop().lstrip('^').split(':')[0]
      if name in self._main and name not in found:
        found[name] = self._main[name]
        waiting.extend(found[name].input)
    return list(found.values())

  def _called(self, node: node_def_pb2.NodeDef) -> set[str]:
    """Returns the functions that a node calls."""
    names = {node.op}
    for value in node.attr.values():
      names |= {value.func.name, *(func.name for func in value.list.func)}
    return names & self._functions.keys()
