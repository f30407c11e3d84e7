"""Checks of binarization, and of images for a Bernoulli likelihood."""

import numpy as np

from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import stored

BINARIZATIONS = ('dynamic', 'static', 'none')


def check_binarization(binarization: str) -> None:
  """Raises a ValueError unless `binarization` is one of `BINARIZATIONS`."""
  if binarization not in BINARIZATIONS:
    raise ValueError(
        f'`binarization` must be one of {", ".join(BINARIZATIONS)}. '
        f'Received: binarization={binarization!r}')


def check_support(images: Images, binarization: str) -> None:
  """Raises unless a Bernoulli likelihood is defined on the binarized images.

  It is defined on 0 and 1 alone. 'dynamic' and 'static' produce these from
  uint8 images, and from floating numbers in [0, 1]. With 'none', the pixels
  must be 0 or 1 already: 0 or 255 in uint8 images (or 0 or 1, if no pixel is
  above 1), 0.0 or 1.0 in floating images. Missing values, NaN, are ignored.

  Args:
    images: Array of any shape, uint8 or floating, or stored images.
    binarization: One of `BINARIZATIONS`.

  Raises:
    ValueError: If a pixel is neither 0 nor 1 with 'none', or a floating number
      lies outside [0, 1] otherwise.
  """
  check_binarization(binarization)
  if binarization != 'none':
    _check_probabilities(images, binarization)
    return
  images = stored(images).full_range()
  one = 255 if images.dtype == np.uint8 else 1.
  num_gray, first = 0, None
  for chunk in images.chunks():
    gray = (chunk != 0) & (chunk != one) & (chunk == chunk)
    num_gray += np.count_nonzero(gray)
    if first is None and gray.any():
      first = chunk[gray][0]
  if num_gray:
    raise ValueError(
        'A Bernoulli likelihood needs pixels that are 0 or 1, and '
        f'{num_gray / np.prod(images.shape):.1%} of these are gray. Set '
        "`binarization='dynamic'` or `binarization='static'`, or choose a "
        'likelihood of gray pixels. Received: '
        f'binarization={binarization!r}, images with a pixel of {first} on a '
        f'scale of 0 to {one}')


def _check_probabilities(images: Images, binarization: str) -> None:
  """Raises a ValueError unless floating numbers are probabilities of a one."""
  if images.dtype == np.uint8:
    return
  for chunk in stored(images).chunks():
    outside = chunk[(chunk < 0) | (chunk > 1)]
    if outside.size:
      raise ValueError(
          'A Bernoulli likelihood needs numbers from 0 to 1, the probabilities '
          'of a one. Scale the data, or choose another `likelihood`, such as '
          f"'normal'. Received: binarization={binarization!r}, data with the "
          f'number {outside[0]:g}')
