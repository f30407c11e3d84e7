"""One replica's part of a batch, and its place in the whole of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf


class GlobalBatch(NamedTuple):
  """What a replica is given of a batch that several of them share.

  With it the noise of a row is a function of the step and of the row's place in
  the whole batch, so that a step of several replicas is that of one.

  Attributes:
    inputs: this replica's rows, as `fit` takes them: x, or (x, target), or a
      dictionary of 'x' and 'y'.
    step: integer, numbers the batch, and so its noise.
    start: integer, the place of the first of the rows in the whole batch.
    size: integer, the rows of the whole batch; under XLA it has to follow from
      the shape of a tensor. None where the replica's noise is its own.
  """

  inputs: Any
  step: tf.Tensor
  start: tf.Tensor | int
  size: tf.Tensor | int | None


# From what a data set yields, and the number of the replica.
BatchFn = Callable[[Any, int], GlobalBatch]


def own_batch(data: Any, replica_id: int, step: tf.Tensor) -> GlobalBatch:
  """Returns the batch of a replica that shares none: its noise is its own.

  Args:
    data: its rows, as `fit` takes them.
    replica_id: its number.
    step: integer, the same for all replicas.
  """
  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  return GlobalBatch(
      data, tf.cast(step, tf.int32) * replicas + replica_id, 0, None)


def share(data: Any) -> tf.Tensor | float:
  """Returns this replica's part of all replicas' rows; each calls this."""
  context = tf.distribute.get_replica_context()
  if context.num_replicas_in_sync == 1:
    return 1.0
  count = num_rows(data)
  return count / context.all_reduce(tf.distribute.ReduceOp.SUM, count)


def num_rows(data: Any) -> tf.Tensor:
  """Returns the number of rows of nested tensors, float32."""
  return tf.cast(tf.shape(tf.nest.flatten(data)[0])[0], tf.float32)


def replica_id() -> int:
  """Returns the number of this replica, which its graph is made for."""
  return int(tf.get_static_value(
      tf.distribute.get_replica_context().replica_id_in_sync_group))
