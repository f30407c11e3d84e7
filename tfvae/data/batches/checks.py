"""Checks of the arguments that training and evaluation batches share."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfvae.data.binarization.draws import unit_interval
from tfvae.data.binarization.support import check_binarization
from tfvae.data.storage.stored_images import Images


def check_batch_size(batch_size: int) -> None:
  """Raises a ValueError unless a batch has at least one image."""
  if batch_size < 1:
    raise ValueError(
        'A batch has at least one image; set `batch_size`, for example to 100. '
        f'Received: batch_size={batch_size}')


def check_images(images: Images, binarization: str) -> None:
  """Raises a ValueError unless these are images that can be binarized."""
  check_binarization(binarization)
  if images.ndim < 2 or not len(images):
    raise ValueError(
        '`images` must be [n, height, width, channels], or [n, ...] for other '
        'data, with n > 0. '
        f'Received: images of shape {images.shape}')
  if images.dtype != np.uint8 and not tf.as_dtype(images.dtype).is_floating:
    raise ValueError(
        '`images` must be uint8, or floating in [0, 1]. '
        f'Received: images of dtype {images.dtype}')


def gray_scale(binarization: str,
               as_counts: bool) -> Callable[[tf.Tensor], tf.Tensor]:
  """Returns the conversion to float32 of pixels that are not binarized.

  Args:
    binarization: One of `BINARIZATIONS`.
    as_counts: Whether the pixels are counts, which are not scaled.

  Raises:
    ValueError: If counts are to be binarized.
  """
  if not as_counts:
    return unit_interval
  if binarization != 'none':
    raise ValueError("Counts are not binarized; set `binarization='none'`. "
                     f'Received: binarization={binarization!r}')
  return lambda images: tf.cast(images, tf.float32)
