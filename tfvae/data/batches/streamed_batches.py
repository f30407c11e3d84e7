"""Training batches from TFDS's own files: shuffled, sharded, nothing kept.

An epoch is a function of the seed and the epoch, as in pipeline.py, with keys
that extend those there:

  order of the files in epoch e          (seed, e 2^32)
  binary pixels of epoch e, step s       (seed, e 2^32 + 1 + s w + i)
  seed of the shuffle buffer, epoch e    (seed, e 2^32 + 2^32 - 1)

for worker i of w, so a run that was killed goes on bit for bit from any step.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tfvae.data.binarization import bernoulli_draw
from tfvae.data.binarization import check_binarization
from tfvae.data.binarization import unit_interval
from tfvae.data.storage.streamed_images import StreamedImages
from tfvae.data.tfds.records import Files

# With AUTOTUNE, they could take half of the memory.
_BATCHES_AHEAD = 2


@dataclasses.dataclass(frozen=True)
class Part:
  """What one of several workers takes of an epoch.

  With n images, a global batch of B and w workers there are S = ceil(n / B)
  steps. Worker i takes b_i images in each of the first S - 1, and in the last
  its part of the R = n - (S - 1) B that are left:

    b_i = B // w + (i < B mod w),   r_i = R // w + (i < R mod w),

  so all take S steps, and each image is in one batch of one worker. The part
  of a worker is n_i = (S - 1) b_i + r_i successive images, so that it reads its
  own files and no others, but for those at the ends of its part.

  Attributes:
    start: its first image, n_0 + ... + n_(i-1).
    size: n_i.
    batch_size: b_i.
    last: r_i, which is 0 where fewer than w images are left for the last step.
  """

  start: int
  size: int
  batch_size: int
  last: int

  @classmethod
  def of(cls, num_images: int, batch_size: int,
         shard: tuple[int, int]) -> 'Part':
    """Returns the part of worker `shard[0]` of `shard[1]`."""
    index, count = shard
    if not 0 <= index < count or batch_size < count:
      raise ValueError(
          'A batch holds at least one image of each worker, which are counted '
          f'from 0; raise --batch_size. Received: batch_size={batch_size}, '
          f'worker {index} of {count}')
    full = -(-num_images // batch_size) - 1
    left = num_images - full * batch_size

    def share(images, i):
      return images // count + (i < images % count)

    sizes = [full * share(batch_size, i) + share(left, i)
             for i in range(index + 1)]
    return cls(sum(sizes[:-1]), sizes[-1], share(batch_size, index),
               share(left, index))


def streamed_batches(images: StreamedImages, batch_size: int, seed: int,
                     binarization: str, start_epoch: int = 0,
                     start_step: int = 0, labels: np.ndarray | None = None,
                     as_counts: bool = False, shard: tuple[int, int] = (0, 1),
                     shuffle_buffer: int = 10_000,
                     deterministic: bool = True) -> tf.data.Dataset:
  """Returns the training images in batches, shuffled anew in every epoch.

  In each epoch the files are shuffled, sixteen are read in turn, and a buffer
  of encoded images shuffles what they give. That is less than the permutation
  of all images that a data set in memory or in a cache gets: an image comes at
  most a buffer before its place in the files, so where these are few, let the
  buffer be a good part of the data set.

  The data set never ends: an epoch is `steps_per_epoch(len(images),
  batch_size)` batches on every worker, in which every image appears once on one
  of them; see `Part`. Starting at a step costs reading, and not decoding, what
  the epoch has before it.

  Args:
    images: those of the training set.
    batch_size: images a batch, of all workers together.
    seed: an integer that fixes the order and the binarisation.
    binarization: 'dynamic' draws binary pixels anew in every epoch, 'none'
      keeps grey values in [0, 1].
    start_epoch: the epoch to begin with, counted from 0.
    start_step: the step of that epoch to begin with, counted from 0.
    labels: one-hot `[n, classes]`, or None.
    as_counts: with 'none', keep the numbers as they are, as counts.
    shard: (index, count), this worker of how many.
    shuffle_buffer: images in the buffer, which costs as much memory as they
      take in the files.
    deterministic: whether the order is fixed; else whatever is ready comes
      first, which is faster where files are slow, and a run that was killed
      goes on with some images twice in that epoch and some not at all.

  Returns:
    A data set of this worker's part of each batch, float32 `[b, height, width,
    channels]`; with labels, of dictionaries of such 'x' and float32 'y'.

  Raises:
    ValueError: if an argument is not as described.
  """
  _check(binarization, as_counts)
  part = Part.of(len(images), batch_size, shard)
  _check_start(start_epoch, start_step, -(-len(images) // batch_size))
  rows = slice(part.start, part.start + part.size)
  # Whether they are bits is asked of all images, not of a worker's.
  images = (images if as_counts else images.full_range()).rows(
      np.arange(rows.start, rows.stop))
  with tf.device('CPU'):
    files = Files(*map(tf.constant, images.files()))
    one_hot = None if labels is None else tf.constant(labels[rows], tf.float32)

  def batch(key, step, numbers, records):
    x = images.decode(records)
    if binarization == 'dynamic':
      bits_key = key + 1 + step * shard[1] + shard[0]
      x = bernoulli_draw(x, tf.stack([seed, bits_key]))
    else:
      x = tf.cast(x, tf.float32) if as_counts else unit_interval(x)
    return x if labels is None else {'x': x, 'y': tf.gather(one_hot, numbers)}

  def epoch_batches(epoch):
    first_step = tf.where(epoch == start_epoch,
                          tf.constant(start_step, tf.int64), 0)
    records = _shuffled(images, files, seed, epoch, shuffle_buffer)
    batches = records.skip(first_step * part.batch_size).batch(part.batch_size)
    if not part.last:  # Others have images left for a last step.
      batches = batches.concatenate(_empty_batch())
    return batches.enumerate(first_step).map(
        lambda step, found: batch(epoch * 2**32, step, *found),
        num_parallel_calls=tf.data.AUTOTUNE)

  epochs = tf.data.Dataset.counter(start_epoch)
  options = tf.data.Options()
  options.deterministic = deterministic
  # Says what flat_map cannot know, so that Keras asks for steps_per_epoch.
  return epochs.flat_map(epoch_batches).apply(
      tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
  ).prefetch(_BATCHES_AHEAD).with_options(options)


def _shuffled(images: StreamedImages, files: Files, seed: int,
              epoch: tf.Tensor, shuffle_buffer: int) -> tf.data.Dataset:
  """Returns numbers and serialized examples in the order of an epoch."""
  key = epoch * 2**32
  order = tf.random.experimental.stateless_shuffle(
      tf.range(tf.size(files.take)), seed=tf.stack([seed, key]), alg='philox')
  buffer_seed = tf.random.stateless_uniform(
      [], tf.stack([seed, key + 2**32 - 1]), minval=0, maxval=2**31 - 1,
      dtype=tf.int64, alg='philox')
  # In a graph this seeds the graph alone. Without it the program's global seed,
  # whatever it happens to be, would have a part in the buffer's.
  tf.random.set_seed(1)
  # Room is made for the whole buffer at once, however few the images are.
  size = max(1, min(shuffle_buffer, len(images)))
  return images.records(
      Files(*(tf.gather(column, order) for column in files)), in_order=False
  ).shuffle(size, buffer_seed, reshuffle_each_iteration=False)


def _empty_batch() -> tf.data.Dataset:
  """Returns a batch of no numbers and no serialized examples."""
  return tf.data.Dataset.from_tensors(
      (tf.zeros([0], tf.int64), tf.zeros([0], tf.string)))


def _check(binarization: str, as_counts: bool) -> None:
  check_binarization(binarization)
  if binarization == 'static':
    raise ValueError(
        'The bits that --binarization=static draws once are kept, and '
        '--cache=none keeps nothing; use --cache=disk, or '
        "--binarization=dynamic. Received: binarization='static'")
  if as_counts and binarization != 'none':
    raise ValueError('Counts are not binarized; use binarization=none. '
                     f'Received: binarization={binarization!r}')


def _check_start(start_epoch: int, start_step: int, steps: int) -> None:
  if start_epoch < 0 or not 0 <= start_step < steps:
    raise ValueError(
        f'Epochs count from 0, and their steps from 0 to {steps - 1}. Received:'
        f' start_epoch={start_epoch}, start_step={start_step}')
