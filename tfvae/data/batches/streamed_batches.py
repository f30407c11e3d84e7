"""Training batches of streamed images: shuffled, sharded, nothing kept.

An epoch is a function of the seed and the epoch, as in training_steps.py, with
keys that extend those:

  order of the files in epoch e          (seed, e 2^32)
  binary pixels of epoch e, step s       (seed, e 2^32 + 1 + s w + i)
  seed of the shuffle buffer, epoch e    (seed, e 2^32 + 2^32 - 1)

for worker i of w, and hidden values as in hiding.py, so a run that was killed
resumes bit for bit at any step.
"""

import numpy as np
import tensorflow as tf

from tfvae.data.batches.checks import gray_scale
from tfvae.data.batches.structure import batch_of
from tfvae.data.batches.worker_part import WorkerPart
from tfvae.data.binarization.draws import bernoulli_draw
from tfvae.data.binarization.hiding import check_hide_fraction
from tfvae.data.binarization.hiding import hidden
from tfvae.data.binarization.support import check_binarization
from tfvae.data.sources.source import Files
from tfvae.data.storage.streamed_images import StreamedImages
from tfvae.streaming import untuned

_BATCHES_AHEAD = 2


def streamed_batches(images: StreamedImages, batch_size: int, seed: int,
                     binarization: str, start_epoch: int = 0,
                     start_step: int = 0, labels: np.ndarray | None = None,
                     as_counts: bool = False, shard: tuple[int, int] = (0, 1),
                     shuffle_buffer: int = 10_000,
                     deterministic: bool = True,
                     weights: np.ndarray | None = None,
                     hide_fraction: float = 0.0) -> tf.data.Dataset:
  """Returns the training images in batches, shuffled again in every epoch.

  In each epoch the files are shuffled, sixteen are read in turn, and a buffer
  of encoded images shuffles the result. This mixes less than the permutation of
  all images in memory or in a cache: an image moves forward by at most the size
  of the buffer. With few files, choose a buffer that holds a large part of the
  data set.

  The data set is infinite. An epoch is `steps_per_epoch(len(images),
  batch_size)` batches on every worker, in which every image appears once on one
  of them; see `WorkerPart`. Starting at a step reads, without decoding, the
  images of the epoch before it.

  Args:
    images: Training images.
    batch_size: Images per batch of all workers together.
    seed: Integer that fixes the order and the binarization.
    binarization: 'dynamic' draws binary pixels in every epoch, 'none' keeps
      gray values in [0, 1].
    start_epoch: First epoch, counted from 0.
    start_step: First step of that epoch, counted from 0.
    labels: One-hot labels `[n, classes]`, or None.
    as_counts: Whether pixels are counts, which are not scaled; only with
      'none'.
    shard: Index of this worker and number of workers.
    shuffle_buffer: Images in the buffer, which takes as much memory as they
      take in the files.
    deterministic: Whether the order is fixed. Otherwise images are used when
      they are ready, which is faster if files are slow, but a run that resumes
      in the middle of an epoch takes some of its images twice and others not
      at all.
    weights: Sample weights `[n]`, or None.
    hide_fraction: Fraction of the values, of images of the pixels, that is
      turned into NaN at random in every epoch.

  Returns:
    Data set of this worker's part of each batch, float32 `[b, height, width,
    channels]`; with labels, of dictionaries of these as 'x' and float32 `[b,
    classes]` as 'y'; with weights, of tuples of one of them, x and float32
    `[b]`.

  Raises:
    ValueError: If an argument is not as described.
  """
  _check(binarization)
  check_hide_fraction(hide_fraction)
  scale = gray_scale(binarization, as_counts)
  part = WorkerPart.of(len(images), batch_size, shard)
  _check_start(start_epoch, start_step, -(-len(images) // batch_size))
  rows = slice(part.start, part.start + part.size)
  # Whether they hold bits depends on all images, not on those of a worker.
  images = (images if as_counts else images.full_range()).rows(
      np.arange(rows.start, rows.stop))
  with tf.device('CPU'):
    files = Files(*map(tf.constant, images.files()))
    others = {name: tf.constant(values[rows], tf.float32)
              for name, values in (('y', labels), ('weights', weights))
              if values is not None}

  def batch(key, step, numbers, records):
    x = images.decode(records)
    bits_key = key + 1 + step * shard[1] + shard[0]
    if binarization == 'dynamic':
      x = bernoulli_draw(x, tf.stack([seed, bits_key]))
    else:
      x = scale(x)
    x = hidden(x, hide_fraction, seed, bits_key)
    return batch_of(x, **{name: tf.gather(values, numbers)
                          for name, values in others.items()})

  def epoch_batches(epoch):
    first_step = tf.where(epoch == start_epoch,
                          tf.constant(start_step, tf.int64), 0)
    records = _shuffled(images, files, seed, epoch, shuffle_buffer)
    batches = records.skip(first_step * part.batch_size).batch(part.batch_size)
    if not part.last:  # Other workers have images for a last step.
      batches = batches.concatenate(_empty_batch())
    return batches.enumerate(first_step).map(
        lambda step, found: batch(epoch * 2**32, step, *found),
        num_parallel_calls=tf.data.AUTOTUNE)

  epochs = tf.data.Dataset.counter(start_epoch)
  options = tf.data.Options()
  options.deterministic = deterministic
  # flat_map does not know the cardinality; with it, Keras asks for
  # steps_per_epoch.
  return epochs.flat_map(epoch_batches).apply(
      tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
  ).prefetch(_BATCHES_AHEAD).with_options(options).apply(untuned)


def _shuffled(images: StreamedImages, files: Files, seed: int,
              epoch: tf.Tensor, shuffle_buffer: int) -> tf.data.Dataset:
  """Returns row numbers and encoded records in the order of an epoch."""
  key = epoch * 2**32
  order = tf.random.experimental.stateless_shuffle(
      tf.range(tf.size(files.take)), seed=tf.stack([seed, key]), alg='philox')
  buffer_seed = tf.random.stateless_uniform(
      [], tf.stack([seed, key + 2**32 - 1]), minval=0, maxval=2**31 - 1,
      dtype=tf.int64, alg='philox')
  # In a graph this sets the seed of the graph alone. Without it, the buffer's
  # seed would depend on the global seed of the program.
  tf.random.set_seed(1)
  # The whole buffer is allocated at once, however few the images are.
  size = max(1, min(shuffle_buffer, len(images)))
  return images.records(
      Files(*(tf.gather(column, order) for column in files)), in_order=False
  ).shuffle(size, buffer_seed, reshuffle_each_iteration=False)


def _empty_batch() -> tf.data.Dataset:
  """Returns one batch without row numbers and records."""
  return tf.data.Dataset.from_tensors(
      (tf.zeros([0], tf.int64), tf.zeros([0], tf.string)))


def _check(binarization: str) -> None:
  check_binarization(binarization)
  if binarization == 'static':
    raise ValueError(
        "`binarization='static'` draws bits once and keeps them, and "
        "`cache='none'` keeps nothing; set `cache='disk'`, or "
        "`binarization='dynamic'`. Received: binarization='static'")


def _check_start(start_epoch: int, start_step: int, steps: int) -> None:
  if start_epoch < 0 or not 0 <= start_step < steps:
    raise ValueError(
        f'Epochs count from 0, and their steps from 0 to {steps - 1}. Received:'
        f' start_epoch={start_epoch}, start_step={start_step}')
