"""Images as text: tiled, encoded and put into the page itself."""

import base64
import html

import numpy as np
import tensorflow as tf


def tile(images: np.ndarray, group: int = 1) -> np.ndarray:
  """Tiles images with transparent gaps, which suit a light and a dark page.

  Args:
    images: `[rows, columns, h, w, c]` in [0, 1], clipped to it, with 1 or 3
      channels.
    group: Rows that stand together; between groups the gap is wider.

  Returns:
    A uint8 array `[height, width, c + 1]`, the last channel opacity.
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
  """Returns values in [0, 1] as uint8; what lies outside is clipped."""
  return np.uint8(np.rint(255 * np.clip(images, 0, 1)))


def data_uri(image: np.ndarray) -> str:
  """Returns a uint8 image `[h, w, 1 to 4]` as the URI of a PNG, lossless."""
  png = tf.io.encode_png(image, compression=6).numpy()
  return 'data:image/png;base64,' + base64.b64encode(png).decode()


def img(image: np.ndarray, alt: str, css: str = '') -> str:
  """Returns an `<img>` of a uint8 image `[h, w, 1 to 4]`.

  Args:
    image: Pixels.
    alt: what the image shows, for those who cannot see it.
    css: Names of classes.
  """
  height, width = image.shape[:2]
  return (f'<img src="{data_uri(image)}" alt="{html.escape(alt)}" '
          f'width="{width}" height="{height}" class="{css}">')
