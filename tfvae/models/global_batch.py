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
