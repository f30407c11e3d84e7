"""Batches from arrays: shuffled and binarized statelessly, in any epoch.

Nothing here has a state. Each random number is a function of the seed, the
epoch and the step, by a counter-based generator (philox) with these keys:

  order of epoch e                       (seed, e 2^32)
  binary pixels of epoch e, step s       (seed, e 2^32 + 1 + s)
  static binarization, chunk k           (seed, -1 - k)
  evaluation of split n, chunk k         (evaluation seed, -1 - c(n) 2^32 - k)

with c(n) = 1 + (CRC-32 of the split's name mod 2^30), so a run that was killed
resumes from an epoch bit for bit as if it had not been, with no iterator to
save, and a split is the same in every evaluation. Keys that differ in either
word give independent numbers.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfvae.data.batches.ordered_batches import ordered_batches
from tfvae.data.binarization import bernoulli_draw
from tfvae.data.binarization import check_binarization
from tfvae.data.binarization import fixed_binarization
from tfvae.data.binarization import static_binarization
from tfvae.data.binarization import unit_interval
from tfvae.data.storage.memory import as_tensor
from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import is_in_memory
from tfvae.data.storage.stored_images import stored

_STEPS_AHEAD = 64  # A few hundred bytes each.

# Bits of more pixels are drawn in each pass of an evaluation: a byte each is as
# much memory as the images themselves.
_KEPT_BITS = 2**27


def steps_per_epoch(num_images: int, batch_size: int) -> int:
  """Returns ceil(num_images / batch_size): the last batch may be smaller."""
  return -(-num_images // batch_size)


def training_steps(num_images: int, batch_size: int, seed: int,
                   start_step: int = 0) -> tf.data.Dataset:
  """Returns which images each training step takes, and its key.

  The data set never ends: an epoch is `steps_per_epoch(num_images,
  batch_size)` steps, in which every image appears once, in an order of its own.
  Starting at step s gives bit for bit what a run from step 0 gives when it
  reaches s.

  Args:
    num_images: of the training set.
    batch_size: images a step; the last one of an epoch takes what is left.
    seed: an integer that fixes the orders.
    start_step: the step to begin with, counted from 0 through all epochs.

  Returns:
    A data set of dictionaries of 'rows', int32 `[b]`, `b <= batch_size`; 'key',
    int64, which with the seed is that of the step's binarisation; and 'step',
    int64.

  Raises:
    ValueError: if `batch_size` or `start_step` is out of range.
  """
  _check_batch_size(batch_size)
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
  # There is nothing to tune, and while it tunes, a step that XLA has compiled
  # gets one core of two on most epochs, at batch size 1000.
  options.autotune.enabled = False
  # They copy all that a map captures, which may be the images.
  options.experimental_optimization.apply_default_optimizations = False
  # Says what flat_map cannot know, so that Keras asks for steps_per_epoch.
  return tf.data.Dataset.counter(start_epoch).flat_map(epoch_steps).apply(
      tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
  ).prefetch(_STEPS_AHEAD).with_options(options)


class BatchReader:
  """Reads the images of a training step, binarised anew in every epoch.

  In a `tf.data` map, or inside the compiled step itself: the images stay where
  they are, on the device, and a step is fed with the numbers of its rows.
  """

  def __init__(self, images: Images, binarization: str, seed: int,
               labels: np.ndarray | None = None, as_counts: bool = False,
               device: str = 'CPU'):
    """Initialises the reader.

    Args:
      images: uint8, or floating in [0, 1], `[n, height, width, channels]`.
      binarization: 'dynamic' draws binary pixels anew in every step, 'static'
        once, 'none' keeps grey values in [0, 1].
      seed: an integer that fixes the binarisation.
      labels: one-hot `[n, classes]`, or None.
      as_counts: with 'none', keep the numbers as they are, as counts.
      device: to hold the images; the CPU is where `tf.data` runs.

    Raises:
      ValueError: if an argument is not as described.
    """
    _check(images, binarization)
    self._scale = _scale(binarization, as_counts)
    self._is_drawn, self._seed = binarization == 'dynamic', seed
    if binarization == 'static':
      images = static_binarization(images, seed)
    images = stored(images)
    self._gather = (
        images if as_counts else images.full_range()).gather(device)
    self._one_hot = None if labels is None else as_tensor(
        np.asarray(labels, np.float32), device)

  def __call__(self, rows: tf.Tensor, key: tf.Tensor,
               start: tf.Tensor | int = 0) -> tf.Tensor | dict[str, tf.Tensor]:
    """Returns some rows of a step as the model takes them.

    Args:
      rows: int32 `[b]`, numbers of images.
      key: int64, the step's.
      start: the place of the first of them in the step.

    Returns:
      Float32 `[b, height, width, channels]`; with labels, a dictionary of such
      'x' and float32 'y', `[b, classes]`.
    """
    grey = self._gather(rows)
    x = (bernoulli_draw(grey, tf.stack([self._seed, key]), start)
         if self._is_drawn else self._scale(grey))
    return x if self._one_hot is None else {
        'x': x, 'y': tf.gather(self._one_hot, rows)}


def training_batches(images: Images, batch_size: int, seed: int,
                     binarization: str, start_epoch: int = 0,
                     labels: np.ndarray | None = None,
                     as_counts: bool = False) -> tf.data.Dataset:
  """Returns the training images in batches, shuffled anew in every epoch.

  The data set never ends, see `training_steps`; what a `BatchReader` reads of
  each step. Starting at epoch e gives bit for bit what a run from epoch 0 gives
  when it reaches e.

  Args:
    images: uint8, or floating in [0, 1], `[n, height, width, channels]`.
    batch_size: images a batch; the last one of an epoch holds what is left.
    seed: an integer that fixes the order and the binarisation.
    binarization: as of `BatchReader`.
    start_epoch: the epoch to begin with, counted from 0.
    labels: one-hot `[n, classes]`, or None.
    as_counts: with 'none', keep the numbers as they are, as counts.

  Returns:
    A data set of float32 `[b, height, width, channels]`, `b <= batch_size`;
    with labels, of dictionaries of such 'x' and float32 'y'.

  Raises:
    ValueError: if an argument is not as described.
  """
  _check_batch_size(batch_size)
  read = BatchReader(images, binarization, seed, labels, as_counts)
  if start_epoch < 0:
    raise ValueError(
        f'Epochs count from 0. Received: start_epoch={start_epoch}')
  steps = training_steps(
      len(images), batch_size, seed,
      start_epoch * steps_per_epoch(len(images), batch_size))
  # Whole batches, never single images: such a map ends at 20,000 images a
  # second. This one, on MNIST and two cores, binarises 400,000 in batches of
  # 100 and 450,000 in batches of 1000, for 3.0 and 1.9 microseconds of CPU
  # time an image.
  return _prefetched(steps.map(
      lambda step: read(step['rows'], step['key']),
      num_parallel_calls=tf.data.AUTOTUNE))


def evaluation_batches(images: Images, batch_size: int, seed: int,
                       binarization: str,
                       labels: np.ndarray | None = None,
                       as_counts: bool = False,
                       split: str = 'test') -> tf.data.Dataset:
  """Returns the images once, in their order, the same on every pass.

  With 'dynamic' as with 'static' the pixels are those of
  `fixed_binarization(images, seed, split)`, whatever the batch size. If they
  were drawn again, scores of two passes or of two models would differ by the
  draw.

  Args:
    images: uint8, or floating in [0, 1], `[n, height, width, channels]`.
    batch_size: images a batch; the last one holds what is left.
    seed: Integer that fixes the binarization, with `split`.
    binarization: 'dynamic', 'static', or 'none' for grey values in [0, 1].
    labels: one-hot `[n, classes]`, or None.
    as_counts: with 'none', keep the numbers as they are, as counts.
    split: Name of the split, as for `fixed_binarization`.

  Returns:
    A data set of float32 `[b, height, width, channels]`, `b <= batch_size`;
    with labels, of dictionaries of such 'x' and float32 'y'.

  Raises:
    ValueError: if an argument is not as described.
  """
  _check_batch_size(batch_size)
  _check(images, binarization)
  _scale(binarization, as_counts)  # Refuses what does not go together.
  if binarization != 'none' and is_in_memory(images) and (
      images.size <= _KEPT_BITS):
    images, binarization = fixed_binarization(images, seed, split), 'none'
  return ordered_batches(stored(images), batch_size, seed, binarization, labels,
                         as_counts, split)


def _check_batch_size(batch_size: int) -> None:
  if batch_size < 1:
    raise ValueError(
        'A batch holds at least one image; pass --batch_size=100, say. '
        f'Received: batch_size={batch_size}')


def _check(images: np.ndarray, binarization: str) -> None:
  check_binarization(binarization)
  if images.ndim != 4 or not len(images):
    raise ValueError(
        'images must be [n, height, width, channels] with n > 0. '
        f'Received: images of shape {images.shape}')
  if images.dtype != np.uint8 and not tf.as_dtype(images.dtype).is_floating:
    raise ValueError(
        'images must be uint8, or floating in [0, 1]. '
        f'Received: images of dtype {images.dtype}')


def _scale(binarization: str,
           as_counts: bool) -> Callable[[tf.Tensor], tf.Tensor]:
  """Returns what is done to pixels that are not drawn in the batch."""
  if not as_counts:
    return unit_interval
  if binarization != 'none':
    raise ValueError('Counts are not binarized; use binarization=none. '
                     f'Received: binarization={binarization!r}')
  return lambda images: tf.cast(images, tf.float32)


def _prefetched(dataset: tf.data.Dataset) -> tf.data.Dataset:
  options = tf.data.Options()
  options.deterministic = True
  return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)
