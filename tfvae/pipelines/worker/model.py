"""Calls of an exported SavedModel on batches of rows."""

from collections.abc import Iterable, Iterator, Sequence
import contextlib
import os
import re
import tempfile
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import ModelHandler
import numpy as np
import tensorflow as tf

from tfvae.pipelines.worker.tables import failure

# Parts of TensorFlow's messages that describe its graph.
_GRAPH = re.compile(
    r'^.*<stack traces unavailable>\s*|\s*(\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*?\])',
    re.DOTALL)


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
  """Yields the directory of a SavedModel on this machine.

  Args:
    path: Local directory, which is yielded as it is, or the URL of a directory
      in a file system of Beam.
  """
  if '://' not in path:
    yield path
    return
  with tempfile.TemporaryDirectory() as directory:
    copy_tree(path, directory)
    yield directory


def copy_tree(path: str, directory: str):
  """Copies the files below a path of a file system of Beam."""
  root = path.rstrip('/') + '/'
  found, = FileSystems.match([f'{root}**'])
  for metadata in found.metadata_list:
    target = os.path.join(directory, metadata.path.removeprefix(root))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with FileSystems.open(
        metadata.path,
        compression_type=beam.io.filesystem.CompressionTypes.UNCOMPRESSED
    ) as source, open(target, 'wb') as copy:
      while block := source.read(1 << 20):
        copy.write(block)


class SavedModelHandler(ModelHandler):
  """Runs signatures of a SavedModel, which each process loads once.

  A prediction is the outputs of a row in order, or the message of the error
  with which the row fails. A batch that fails is divided until the rows that
  fail are alone, so that the others are computed.
  """

  def __init__(self, path: str, signatures: Sequence[str],
               names: Sequence[str], outputs: Sequence[str], **kwargs):
    """Initializes the handler.

    Args:
      path: Directory of the SavedModel, which the workers can read.
      signatures: Names of the signatures.
      names: Names of the inputs, in the order of the values of a row. If one of
        them is 'image', the signature `parse_image` makes x of it.
      outputs: Names of the outputs in the order of a prediction.
      **kwargs: Arguments of `ModelHandler`, such as `max_batch_size`.
    """
    super().__init__(**kwargs)
    self._path, self._signatures = path, tuple(signatures)
    self._names, self._outputs = tuple(names), tuple(outputs)

  def load_model(self) -> Any:
    """Returns the SavedModel."""
    with local_copy(self._path) as path:
      return tf.saved_model.load(path)

  def run_inference(self, batch: Sequence[Sequence[Any]], model: Any,
                    inference_args: Any = None) -> Iterable[Any]:
    """Returns the prediction of each row of a batch."""
    del inference_args
    return self._predictions(list(batch), model)

  def get_num_bytes(self, batch: Sequence[Sequence[Any]]) -> int:
    """Returns the size of a batch, without the time to pickle it."""
    return sum(getattr(value, 'nbytes', None) or (
        len(value) if isinstance(value, str | bytes) else 4)
               for row in batch for value in row)

  def _predictions(self, rows: list[Sequence[Any]], model: Any) -> list[Any]:
    try:
      return self._call(rows, model)
    except tf.errors.InvalidArgumentError as error:
      if len(rows) == 1:
        return [_GRAPH.sub('', error.message).strip()]
      middle = len(rows) // 2
      return (self._predictions(rows[:middle], model)
              + self._predictions(rows[middle:], model))

  def _call(self, rows: list[Sequence[Any]], model: Any) -> list[Any]:
    values = dict(zip(self._names, zip(*rows, strict=True), strict=True))
    if 'image' in values:
      values['x'] = model.signatures['parse_image'](
          image=tf.constant(values.pop('image')))['x']
    found = {}
    for name in self._signatures:
      signature = model.signatures[name]
      _, inputs = signature.structured_input_signature
      found |= signature(**{
          key: _tensor(values[key], spec.dtype)
          for key, spec in inputs.items()})
    columns = [found[name].numpy() for name in self._outputs]
    return list(zip(*(column if column.ndim > 1 else column.tolist()
                      for column in columns), strict=True))


def _tensor(values: Any, dtype: tf.DType) -> tf.Tensor:
  if tf.is_tensor(values):
    return values
  if dtype == tf.string:
    return tf.constant(values, tf.string)
  return tf.constant(np.array(values, dtype.as_numpy_dtype))


class Results(beam.DoFn):
  """Divides predictions into rows of the output and failures."""

  def __init__(self, columns: Sequence[str]):
    """Initializes the step.

    Args:
      columns: Names of the columns, in the order of a prediction.
    """
    self._columns = tuple(columns)
    counter = beam.metrics.Metrics.counter
    self._rows = counter('tfvae', 'rows')
    self._failures = counter('tfvae', 'failed')

  def process(self, element: tuple[tuple[Any, str], Any]) -> Iterator[Any]:
    """Yields a row as a dictionary by column, or a failure."""
    (row_id, source), prediction = element
    if isinstance(prediction, str):
      self._failures.inc()
      yield failure(row_id, source, prediction)
      return
    self._rows.inc()
    yield {'id': row_id} | {
        name: value.ravel() if isinstance(value, np.ndarray) else value
        for name, value in zip(self._columns, prediction, strict=True)}
