"""Evaluation batches, of images read in their order."""

import numpy as np
import tensorflow as tf

from tfvae.data.binarization import evaluation_stream
from tfvae.data.binarization import fixed_chunk
from tfvae.data.binarization import fixed_draw
from tfvae.data.binarization import unit_interval
from tfvae.data.storage.stored_images import sliced
from tfvae.data.storage.stored_images import StoredImages


def ordered_batches(images: StoredImages, batch_size: int, seed: int,
                    binarization: str, labels: np.ndarray | None = None,
                    as_counts: bool = False,
                    split: str = 'test') -> tf.data.Dataset:
  """Returns the images once, in their order, as `evaluation_batches` does.

  They are read and binarized by the chunks of `fixed_binarization`, so that the
  bits are the same as those of an array, and cut into batches after that.

  Args:
    images: `[n, height, width, channels]`.
    batch_size: images a batch; the last one holds what is left.
    seed: Integer that fixes the binarization, with `split`.
    binarization: 'dynamic', 'static', or 'none' for grey values in [0, 1].
    labels: one-hot `[n, classes]`, or None.
    as_counts: with 'none', keep the numbers as they are, as counts.
    split: Name of the split.

  Returns:
    A data set of float32 `[b, height, width, channels]`, `b <= batch_size`;
    with labels, of dictionaries of such 'x' and float32 'y'.
  """
  images = images if as_counts else images.full_range()
  if binarization == 'none':
    batches = images.dataset(batch_size).map(
        lambda x: tf.cast(x, tf.float32) if as_counts else unit_interval(x),
        num_parallel_calls=tf.data.AUTOTUNE)
  else:
    stream = evaluation_stream(split)
    batches = images.dataset(fixed_chunk(images)).enumerate().map(
        lambda chunk, x: fixed_draw(x, seed, stream, chunk),
        num_parallel_calls=tf.data.AUTOTUNE).rebatch(batch_size)
  if labels is not None:
    one_hot = sliced(np.asarray(labels, np.float32), batch_size)
    batches = tf.data.Dataset.zip(batches, one_hot).map(
        lambda x, y: {'x': x, 'y': y})
  steps = -(-len(images) // batch_size)
  options = tf.data.Options()
  options.deterministic = True
  # They copy all that a map captures, such as the array.
  options.experimental_optimization.apply_default_optimizations = False
  # One batch ahead: AUTOTUNE would let them take half of the memory.
  return batches.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(
      1).with_options(options)
