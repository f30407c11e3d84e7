"""Standard normal noise, the same in one piece as in the parts of replicas."""

from collections.abc import Iterator
import contextlib
import threading
from typing import Any

import tensorflow as tf


class _Part(threading.local):
  """Per thread, as `MirroredStrategy` runs each replica in one of its own."""

  rows: tuple[Any, Any | None] = (0, None)


_PART = _Part()


@contextlib.contextmanager
def part_of_batch(start: Any, size: Any | None) -> Iterator[None]:
  """Makes the noise drawn inside the block that of some rows of a batch.

  Replicas that share one seed then draw, each for its own rows, what a single
  one would draw for all of them. Each pays for the noise of the whole batch,
  which next to what a network does to a row is little.

  Args:
    start: the first row in the whole batch, an integer or a tensor.
    size: the number of rows of the whole batch; None if these rows are it.

  Yields:
    Nothing.
  """
  outer, _PART.rows = _PART.rows, (start, size)
  try:
    yield
  finally:
    _PART.rows = outer


def standard_normal(shape: tf.Tensor, seed: tf.Tensor,
                    dtype: tf.DType) -> tf.Tensor:
  """Draws ε ~ N(0, I) by Philox.

  Under XLA on a CPU, the algorithm that TensorFlow chooses by itself takes some
  40 times as long.

  Args:
    shape: int tensor, `[*sample_shape, b, size]`.
    seed: int tensor `[2]`.
    dtype: of the noise.

  Returns:
    A tensor of that shape; within `part_of_batch` rows `start` to `start + b`
    of noise of the shape `[*sample_shape, whole batch, size]`.
  """
  start, size = _PART.rows
  if size is None:
    return tf.random.stateless_normal(shape, seed, dtype=dtype, alg='philox')
  whole = tf.concat([shape[:-2], [size], shape[-1:]], axis=0)
  noise = tf.random.stateless_normal(whole, seed, dtype=dtype, alg='philox')
  begin = tf.concat([tf.zeros_like(shape[:-2]), [start], [0]], axis=0)
  return tf.slice(noise, begin, shape)
