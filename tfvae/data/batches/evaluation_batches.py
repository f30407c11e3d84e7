"""Evaluation batches, of images read in order."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfvae.data.batches.checks import check_batch_size
from tfvae.data.batches.checks import check_images
from tfvae.data.batches.checks import gray_scale
from tfvae.data.batches.structure import batch_of
from tfvae.data.binarization.fixed import evaluation_stream
from tfvae.data.binarization.fixed import fixed_binarization
from tfvae.data.binarization.fixed import fixed_chunk
from tfvae.data.binarization.fixed import fixed_draw
from tfvae.data.binarization.hiding import check_hide_fraction
from tfvae.data.binarization.hiding import fixed_hidden
from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import is_in_memory
from tfvae.data.storage.stored_images import sliced
from tfvae.data.storage.stored_images import stored
from tfvae.data.storage.stored_images import StoredImages
from tfvae.streaming import untuned

# Bits of more pixels are drawn in each pass of an evaluation: at one byte each,
# they take as much memory as the images.
_KEPT_BITS = 2**27


def evaluation_batches(images: Images, batch_size: int, seed: int,
                       binarization: str,
                       labels: np.ndarray | None = None,
                       as_counts: bool = False, split: str = 'test',
                       weights: np.ndarray | None = None,
                       hide_fraction: float = 0.0) -> tf.data.Dataset:
  """Returns the images once, in order, the same in every pass.

  With 'dynamic' and with 'static' the pixels are those of
  `fixed_binarization(images, seed, split)`, for any batch size. If they were
  drawn again, scores of two passes or of two models would differ by the draw.
  The same holds for values that are hidden.

  Args:
    images: Images, uint8, or floating in [0, 1], `[n, height, width,
      channels]`.
    batch_size: Images per batch; the last batch has the rest.
    seed: Integer that fixes the binarization, with `split`.
    binarization: 'dynamic', 'static', or 'none' for gray values in [0, 1].
    labels: One-hot labels `[n, classes]`, or None.
    as_counts: Whether pixels are counts, which are not scaled; only with
      'none'.
    split: Name of the split, as for `fixed_binarization`.
    weights: Sample weights `[n]`, or None.
    hide_fraction: Fraction of the values, of images of the pixels, that is
      turned into NaN at random.

  Returns:
    Data set of float32 `[b, height, width, channels]`, `b <= batch_size`; with
    labels, of dictionaries of these as 'x' and float32 `[b, classes]` as 'y';
    with weights, of tuples of one of them, x and float32 `[b]`.

  Raises:
    ValueError: If an argument is not as described.
  """
  check_batch_size(batch_size)
  check_images(images, binarization)
  check_hide_fraction(hide_fraction)
  scale = gray_scale(binarization, as_counts)
  if binarization != 'none' and is_in_memory(images) and (
      images.size <= _KEPT_BITS):
    images, binarization = fixed_binarization(images, seed, split), 'none'
  images = stored(images) if as_counts else stored(images).full_range()
  batches = (
      _drawn(images, batch_size, seed, split, binarization, scale,
             hide_fraction)
      if binarization != 'none' or hide_fraction
      else images.dataset(batch_size).map(
          scale, num_parallel_calls=tf.data.AUTOTUNE))
  others = {name: sliced(np.asarray(values, np.float32), batch_size)
            for name, values in (('y', labels), ('weights', weights))
            if values is not None}
  if others:
    batches = tf.data.Dataset.zip(batches, others).map(
        lambda x, found: batch_of(x, **found))
  steps = -(-len(images) // batch_size)
  options = tf.data.Options()
  options.deterministic = True
  # They copy everything that a map captures, such as the array.
  options.experimental_optimization.apply_default_optimizations = False
  return untuned(batches.apply(
      tf.data.experimental.assert_cardinality(steps)).prefetch(
          1).with_options(options))


def _drawn(images: StoredImages, batch_size: int, seed: int, split: str,
           binarization: str, scale: Callable[[tf.Tensor], tf.Tensor],
           hide_fraction: float) -> tf.data.Dataset:
  """Returns batches of fixed draws, which are drawn in each pass.

  Bits and hidden values are drawn in the chunks of `fixed_binarization`, so
  that they are the same, and are then cut into batches.
  """
  stream = evaluation_stream(split)

  def drawn(chunk, x):
    x = (scale(x) if binarization == 'none'
         else fixed_draw(x, seed, stream, chunk))
    return fixed_hidden(x, hide_fraction, seed, stream, chunk)

  return images.dataset(fixed_chunk(images)).enumerate().map(
      drawn, num_parallel_calls=tf.data.AUTOTUNE).rebatch(batch_size)
