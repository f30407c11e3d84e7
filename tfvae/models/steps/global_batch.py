"""One replica's part of a batch, and its position in the global batch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf


class GlobalBatch(NamedTuple):
  """A replica's part of a batch that several replicas share.

  The noise of a row is a function of the step and of the row's position in the
  global batch, so that a step computes the same on several replicas as on one.

  Attributes:
    inputs: Rows of this replica, as `fit` takes them: x, or (x, target), or a
      dictionary of 'x' and 'y'.
    step: Number of the batch, and so of its noise, an integer.
    start: Position of the first row in the global batch, an integer.
    size: Number of rows of the global batch, an integer that under XLA must
      follow from the shape of a tensor. None if the replica's noise does not
      depend on the global batch.
  """

  inputs: Any
  step: tf.Tensor
  start: tf.Tensor | int
  size: tf.Tensor | int | None


# Function from an element of a data set and the number of the replica.
BatchFn = Callable[[Any, int], GlobalBatch]


def own_batch(data: Any, replica_id: int, step: tf.Tensor) -> GlobalBatch:
  """Returns the batch of a replica that shares none, with noise of its own.

  Args:
    data: Rows of the replica, as `fit` takes them.
    replica_id: Number of the replica.
    step: Number of the step, the same for all replicas.
  """
  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  return GlobalBatch(
      data, tf.cast(step, tf.int32) * replicas + replica_id, 0, None)


def is_on_one_device(strategy: tf.distribute.Strategy) -> bool:
  """Returns whether the steps of a strategy never synchronize replicas.

  A `MirroredStrategy` synchronizes even a single replica, which is not possible
  inside a function that XLA compiles.

  Args:
    strategy: Strategy of the training.
  """
  with strategy.scope():
    return not tf.distribute.has_strategy() or isinstance(
        strategy, tf.distribute.OneDeviceStrategy)


def share(data: Any) -> tf.Tensor | float:
  """Returns this replica's share of all rows; all replicas must call it."""
  context = tf.distribute.get_replica_context()
  if context.num_replicas_in_sync == 1:
    return 1.0
  count = num_rows(data)
  return count / context.all_reduce(tf.distribute.ReduceOp.SUM, count)


def num_rows(data: Any) -> tf.Tensor:
  """Returns the number of rows of nested tensors, float32."""
  return tf.cast(tf.shape(tf.nest.flatten(data)[0])[0], tf.float32)


def replica_id() -> int:
  """Returns the number of the replica that the present graph is for."""
  return int(tf.get_static_value(
      tf.distribute.get_replica_context().replica_id_in_sync_group))
