"""Prediction of any number of rows: shards of Parquet in bounded memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
import itertools
import math
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from tfvae.prediction.outputs import Output
from tfvae.prediction.predictor import Predictor
from tfvae.prediction.progress import Progress
from tfvae.prediction.shards import Shards

# Rows of a batch, and values of x in it, at most: 16 MiB of float32.
_BATCH_ROWS, _BATCH_VALUES = 4096, 2**22
# Rows of a file, and values of x in it, at most: 64 MiB of float32.
_SHARD_ROWS, _SHARD_VALUES = 2**18, 2**24


class Rows(Protocol):
  """Rows in order; see `tfvae.data.OrderedRows`.

  Attributes:
    name: Name that identifies the content.
    shape: Shape of one x.
  """

  name: str
  shape: tuple[int, ...]

  def __len__(self) -> int:
    """Returns the number of rows."""

  def batches(self, start: int, stop: int,
              size: int) -> Iterator[Mapping[str, np.ndarray]]:
    """Yields 'ids', 'x' and perhaps 'labels' of the rows, `size` at a time."""


def predict(rows: Rows, predictors: Sequence[Predictor],
            outputs: Sequence[Output], output: str,
            settings: Mapping[str, Any],
            one_hot: Callable[[Mapping[str, np.ndarray]], Any] | None = None,
            seed: int = 0, shard_rows: int | None = None,
            batch_rows: int | None = None, keeps_labels: bool = False,
            verbose: bool = False) -> bool:
  """Writes the outputs of a model for each row, in order, as Parquet files.

  The folder `output` gets `part-00000-of-00012.parquet` and so on, with a
  column 'id' and those of the outputs; see `Shards`. One file at a time is in
  memory. A job that was killed continues with the first file that is not there,
  and the files are the same, byte for byte.

  Args:
    rows: Rows to read.
    predictors: The model on each device, which take batches in turn.
    outputs: Groups of columns.
    output: Path of the folder.
    settings: Other facts that the results depend on, as plain data.
    one_hot: Function from a batch to the one-hot labels y of a conditional
      model; by default there are none.
    seed: Seed of the draws.
    shard_rows: Rows of each file; by default at most 2¹⁸, with at most 2²⁴
      values of x.
    batch_rows: Rows of a batch; by default at most 4,096, with at most 2²²
      values of x.
    keeps_labels: Whether there is a column 'label', of the names of classes.
    verbose: Whether to show the progress.

  Returns:
    Whether something was written, and not all of it was there.

  Raises:
    ValueError: If the folder has other results, or a row cannot be read.
  """
  values = max(1, math.prod(rows.shape))
  batch_rows = batch_rows or _at_most(_BATCH_ROWS, _BATCH_VALUES, values)
  shard_rows = shard_rows or batch_rows * max(1, _at_most(
      _SHARD_ROWS, _SHARD_VALUES, values) // batch_rows)
  shards = Shards(output, len(rows), shard_rows, {
      'data': rows.name, 'seed': seed, 'rows_per_batch': batch_rows,
      **settings})
  if shards.prepare():
    return False
  progress = Progress(len(rows), shards.rows_done(), verbose)

  def columns(predictor, batch):
    y = None if one_hot is None else one_hot(batch)
    found = predictor.columns(outputs, batch['ids'], batch['x'], y, seed)
    if keeps_labels:
      found['label'] = batch['labels']
    return pa.table({'id': _array(batch['ids'])} | {
        name: _array(part) for name, part in found.items()})

  with futures.ThreadPoolExecutor(len(predictors)) as pool:

    def table_of(start, stop):
      batches = rows.batches(start, stop, batch_rows)
      found = []
      for table in _in_turn(pool, columns, predictors, batches):
        found.append(table)
        progress.add(len(table))
      return pa.concat_tables(found).combine_chunks()

    shards.write(table_of)
  progress.end()
  return True


def _in_turn(pool: futures.Executor, function: Callable[..., Any],
             predictors: Sequence[Predictor],
             batches: Iterator[Any]) -> Iterator[Any]:
  """Yields the results of batches in order, some of which are ahead."""
  waiting = []
  for predictor, batch in zip(itertools.cycle(predictors), batches):
    waiting.append(pool.submit(function, predictor, batch))
    if len(waiting) > len(predictors):
      yield waiting.pop(0).result()
  for future in waiting:
    yield future.result()


def _at_most(rows: int, values: int, per_row: int) -> int:
  return max(1, min(rows, values // per_row))


def _array(values: np.ndarray) -> pa.Array:
  """Returns a column: numbers, text, or lists of float32 of one length."""
  values = np.asarray(values)
  if values.ndim == 1:
    return pa.array(values)
  flat = np.ascontiguousarray(values.reshape(len(values), -1))
  return pa.FixedSizeListArray.from_arrays(
      pa.array(flat.ravel()), flat.shape[1])
