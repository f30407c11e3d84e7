"""Training batches of images in memory or in a cache."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.data.batches.checks import check_batch_size
from tfvae.data.batches.checks import check_images
from tfvae.data.batches.checks import gray_scale
from tfvae.data.batches.structure import batch_of
from tfvae.data.batches.training_steps import steps_per_epoch
from tfvae.data.batches.training_steps import training_steps
from tfvae.data.binarization.draws import bernoulli_draw
from tfvae.data.binarization.fixed import static_binarization
from tfvae.data.binarization.hiding import check_hide_fraction
from tfvae.data.binarization.hiding import hidden
from tfvae.data.storage.memory import as_tensor
from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import stored


class BatchReader:
  """Reads the images of a training step, binarized again in every epoch.

  Call it in a map of `tf.data` or inside the compiled training step. The images
  stay on the device, and a step receives the numbers of its rows.
  """

  def __init__(self, images: Images, binarization: str, seed: int,
               labels: np.ndarray | None = None, as_counts: bool = False,
               device: str = 'CPU', weights: np.ndarray | None = None,
               hide_fraction: float = 0.0):
    """Initializes the reader.

    Args:
      images: Images, uint8, or floating in [0, 1], `[n, height, width,
        channels]`.
      binarization: 'dynamic' draws binary pixels in every step, 'static' draws
        them once, 'none' keeps gray values in [0, 1].
      seed: Integer that fixes the binarization.
      labels: One-hot labels `[n, classes]`, or None.
      as_counts: Whether pixels are counts, which are not scaled; only with
        'none'.
      device: Device that holds the images; `tf.data` runs on the CPU.
      weights: Sample weights `[n]`, or None.
      hide_fraction: Fraction of the values, of images of the pixels, that each
        step turns into NaN at random.

    Raises:
      ValueError: If an argument is not as described.
    """
    check_images(images, binarization)
    check_hide_fraction(hide_fraction)
    self._hide_fraction = hide_fraction
    self._scale = gray_scale(binarization, as_counts)
    self._is_drawn, self._seed = binarization == 'dynamic', seed
    if binarization == 'static':
      images = static_binarization(images, seed)
    images = stored(images)
    self._gather = (
        images if as_counts else images.full_range()).gather(device)
    self._others = {
        name: as_tensor(np.asarray(values, np.float32), device)
        for name, values in (('y', labels), ('weights', weights))
        if values is not None}

  def __call__(self, rows: tf.Tensor, key: tf.Tensor,
               start: tf.Tensor | int = 0) -> Any:
    """Returns rows of a step as inputs of the model.

    Args:
      rows: Row numbers of the images, int32 `[b]`.
      key: Key of the step, int64.
      start: Place of the first row in the step.

    Returns:
      Float32 `[b, height, width, channels]`; with labels, a dictionary of these
      as 'x' and float32 `[b, classes]` as 'y'; with weights, a tuple of one of
      them, x and float32 `[b]`.
    """
    gray = self._gather(rows)
    x = (bernoulli_draw(gray, tf.stack([self._seed, key]), start)
         if self._is_drawn else self._scale(gray))
    x = hidden(x, self._hide_fraction, self._seed, key, start)
    return batch_of(x, **{name: tf.gather(values, rows)
                          for name, values in self._others.items()})


def training_batches(images: Images, batch_size: int, seed: int,
                     binarization: str, start_epoch: int = 0,
                     labels: np.ndarray | None = None,
                     as_counts: bool = False,
                     weights: np.ndarray | None = None,
                     hide_fraction: float = 0.0) -> tf.data.Dataset:
  """Returns the training images in batches, shuffled again in every epoch.

  The data set is infinite; it has the steps of `training_steps`, which a
  `BatchReader` reads. Starting at epoch e gives bit for bit the batches that a
  run from epoch 0 gives from e on.

  Args:
    images: Images, uint8, or floating in [0, 1], `[n, height, width,
      channels]`.
    batch_size: Images per batch; the last batch of an epoch has the rest.
    seed: Integer that fixes the order and the binarization.
    binarization: 'dynamic', 'static' or 'none', as for `BatchReader`.
    start_epoch: First epoch, counted from 0.
    labels: One-hot labels `[n, classes]`, or None.
    as_counts: Whether pixels are counts, which are not scaled; only with
      'none'.
    weights: Sample weights `[n]`, or None.
    hide_fraction: Fraction of the values that is hidden, as for `BatchReader`.

  Returns:
    Data set of float32 `[b, height, width, channels]`, `b <= batch_size`; with
    labels, of dictionaries of these as 'x' and float32 `[b, classes]` as 'y';
    with weights, of tuples of one of them, x and float32 `[b]`.

  Raises:
    ValueError: If an argument is not as described.
  """
  check_batch_size(batch_size)
  read = BatchReader(
      images, binarization, seed, labels, as_counts, weights=weights,
      hide_fraction=hide_fraction)
  if start_epoch < 0:
    raise ValueError(
        f'Epochs count from 0. Received: start_epoch={start_epoch}')
  steps = training_steps(
      len(images), batch_size, seed,
      start_epoch * steps_per_epoch(len(images), batch_size))
  # A map over whole batches: a map over single images stops at 20,000 images a
  # second. This one, with MNIST on two cores, binarizes 400,000 a second in
  # batches of 100 and 450,000 in batches of 1000, for 3.0 and 1.9 microseconds
  # of CPU time an image.
  options = tf.data.Options()
  options.deterministic = True
  return steps.map(
      lambda step: read(step['rows'], step['key']),
      num_parallel_calls=tf.data.AUTOTUNE,
  ).prefetch(tf.data.AUTOTUNE).with_options(options)
