"""Images as text: tiled, encoded and embedded in the page."""

import base64
import html

import numpy as np
import tensorflow as tf


def tile(images: np.ndarray, group: int = 1) -> np.ndarray:
  """Tiles images with transparent gaps, for light and dark pages.

  Args:
    images: Images `[rows, columns, h, w, c]` with 1 or 3 channels, clipped to
      [0, 1].
    group: Number of rows of a group; gaps between groups are wider.

  Returns:
    A uint8 array `[height, width, c + 1]`, whose last channel is opacity.
  """
  rows, columns, height, width, channels = images.shape
  tops = np.arange(rows) * (height + 1)
  if group > 1:
    tops += np.arange(rows) // group * max(1, height // 6)
  grid = np.zeros([tops[-1] + height, columns * (width + 1) - 1, channels + 1],
                  np.uint8)
  for top, row in zip(tops, to_bytes(images), strict=True):
    for column, image in enumerate(row):
      left = column * (width + 1)
      grid[top:top + height, left:left + width, :-1] = image
      grid[top:top + height, left:left + width, -1] = 255
  return grid


def to_bytes(images: np.ndarray) -> np.ndarray:
  """Returns values, clipped to [0, 1], as uint8."""
  return np.uint8(np.rint(255 * np.clip(images, 0, 1)))


def data_uri(image: np.ndarray) -> str:
  """Returns a uint8 image `[h, w, 1 to 4]` as the data URI of a PNG."""
  png = tf.io.encode_png(image, compression=6).numpy()
  return 'data:image/png;base64,' + base64.b64encode(png).decode()


def img(image: np.ndarray, alt: str, css: str = '') -> str:
  """Returns an `<img>` of a uint8 image `[h, w, 1 to 4]`.

  Args:
    image: Pixels.
    alt: Alternative text.
    css: Names of classes.
  """
  height, width = image.shape[:2]
  return (f'<img src="{data_uri(image)}" alt="{html.escape(alt)}" '
          f'width="{width}" height="{height}" class="{css}">')
