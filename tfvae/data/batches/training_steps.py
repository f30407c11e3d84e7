"""Training steps: the rows of each step, shuffled without a state.

Each random number is a function of the seed, the epoch and the step, by a
counter-based generator (Philox) with these keys:

  order of epoch e                       (seed, e 2^32)
  binary pixels of epoch e, step s       (seed, e 2^32 + 1 + s)
  static binarization, chunk k           (seed, -1 - k)
  evaluation of split n, chunk k         (evaluation seed, -1 - c(n) 2^32 - k)

with c(n) = 1 + (CRC-32 of the split's name mod 2^30). A run that was killed
therefore resumes bit for bit at any step, without an iterator to save, and a
split has the same bits in every evaluation. Keys that differ in either word
give independent numbers.
"""

import numpy as np
import tensorflow as tf

from tfvae.data.batches.checks import check_batch_size

_STEPS_AHEAD = 64  # A few hundred bytes each.


def steps_per_epoch(num_images: int, batch_size: int) -> int:
  """Returns ceil(num_images / batch_size): the last batch may be smaller."""
  return -(-num_images // batch_size)


def training_steps(num_images: int, batch_size: int, seed: int,
                   start_step: int = 0) -> tf.data.Dataset:
  """Returns the rows and the random key of each training step.

  The data set is infinite. An epoch is `steps_per_epoch(num_images,
  batch_size)` steps, in which every image appears once, in an order that
  changes with the epoch. Starting at step s gives bit for bit the steps that a
  run from step 0 takes from s on.

  Args:
    num_images: Number of training images.
    batch_size: Images per step; the last step of an epoch has the rest.
    seed: Integer that fixes the orders.
    start_step: First step, counted from 0 through all epochs.

  Returns:
    Data set of dictionaries of 'rows', int32 `[b]` with `b <= batch_size`;
    'key', int64, the second word of the seed that binarizes the step; and
    'step', int64.

  Raises:
    ValueError: If `batch_size` or `start_step` is out of range.
  """
  check_batch_size(batch_size)
  if start_step < 0:
    raise ValueError(
        f'Steps count from 0. Received: start_step={start_step}')
  steps = steps_per_epoch(num_images, batch_size)
  start_epoch, done = divmod(start_step, steps)

  def epoch_steps(epoch):
    key = epoch * 2**32
    order = tf.random.experimental.stateless_shuffle(
        tf.range(num_images), seed=tf.stack([seed, key]), alg='philox')
    first = tf.where(epoch == start_epoch, np.int64(done), 0)
    # Sliced in C++: a map that calls a function for each step takes twice as
    # long.
    whole = num_images // batch_size
    rows = tf.data.Dataset.from_tensor_slices(
        tf.reshape(order[:whole * batch_size], [whole, batch_size]))
    if whole < steps:
      rows = rows.concatenate(
          tf.data.Dataset.from_tensors(order[whole * batch_size:]))
    numbers = tf.data.Dataset.range
    return tf.data.Dataset.zip({
        'rows': rows.skip(first),
        'key': numbers(key + 1 + first, key + 1 + steps),
        'step': numbers(epoch * steps + first, (epoch + 1) * steps)})

  options = tf.data.Options()
  # There is nothing to tune. While autotune runs, a step that XLA has compiled
  # gets one of two cores in most epochs, at batch size 1000.
  options.autotune.enabled = False
  # They copy everything that a map captures, which may be the images.
  options.experimental_optimization.apply_default_optimizations = False
  # flat_map does not know the cardinality; with it, Keras asks for
  # steps_per_epoch.
  return tf.data.Dataset.counter(start_epoch).flat_map(epoch_steps).apply(
      tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
  ).prefetch(_STEPS_AHEAD).with_options(options)
