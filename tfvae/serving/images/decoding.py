"""Decoding of image files in TensorFlow to the pixels that Pillow gives."""

from collections.abc import Sequence

import tensorflow as tf

from tfvae.serving.images.headers import find
from tfvae.serving.images.headers import little_endian
from tfvae.serving.images.headers import padded
from tfvae.serving.images.orientation import orientation
from tfvae.serving.images.orientation import upright

# Formats that are read, then some that are not; each with the place and the
# bytes by which it is known.
_READ = (('PNG', 0, b'\x89PNG'), ('JPEG', 0, b'\xff\xd8\xff'),
         ('GIF', 0, b'GIF8'), ('BMP', 0, b'BM'))
_REFUSED = (('WebP', 8, b'WEBP'), ('TIFF', 0, b'II*\0'), ('TIFF', 0, b'MM\0*'),
            ('HEIF or AVIF', 4, b'ftyp'))

_HEADER = 64  # Bytes that contain the header of each format.
_EXIF_OF_JPEG = (0xff, 0xe1, None, None, *b'Exif\0\0')


def decode_rgb(content: tf.Tensor, background: Sequence[int]) -> tf.Tensor:
  """Returns the pixels of an image file, upright, in RGB.

  Args:
    content: Content of a PNG, JPEG, GIF or BMP file, a string. An animation
      gives its first frame.
    background: Color below transparent pixels.

  Returns:
    An image `[height, width, 3]`, uint8. A file of another format, or one that
    is cut off, fails with an InvalidArgumentError.
  """
  raw = tf.io.decode_raw(content, tf.uint8)
  header = padded(raw, _HEADER)
  formats = _READ + _REFUSED
  is_format = [
      tf.reduce_all(header[start:start + len(signature)] == list(signature))
      for _, start, signature in formats]
  index = tf.argmax(tf.stack([*is_format, True]), output_type=tf.int32)
  names = tf.constant([*(name for name, *_ in formats), 'unknown'])
  with tf.control_dependencies([tf.debugging.Assert(index < len(_READ), [
      'Images must be PNG, JPEG, GIF or BMP files; convert this one, for '
      'example to PNG. Received the format:', names[index]])]):
    content = tf.identity(content)
  # The EXIF data of the other formats are not read, as in Pillow.
  image, exif = tf.switch_case(index, [
      lambda: (_png(content, raw, header, background), _after(raw, b'eXIf')),
      lambda: (_jpeg(content), _after(raw, _EXIF_OF_JPEG)),
      lambda: (_gif(content, raw, header), raw[:0]),
      lambda: (_bmp(content, raw, header), raw[:0])])
  return upright(tf.ensure_shape(image, [None, None, 3]), orientation(exif))


def _after(raw: tf.Tensor, pattern: Sequence[int | None]) -> tf.Tensor:
  """Returns the bytes after the first match of a pattern."""
  return raw[find(raw, pattern) + len(pattern):]


def _png(content: tf.Tensor, raw: tf.Tensor, header: tf.Tensor,
         background: Sequence[int]) -> tf.Tensor:
  """Returns a PNG image over a background.

  Levels of 16 bits become 8 bits as in `tfvae.data`: those of gray images are
  divided by 257, and the low byte of others is dropped.
  """
  deep = tf.cast(tf.io.decode_png(content, 4, tf.uint16), tf.int32)
  depth, color_type = header[24], header[25]  # 4 and 6 have opacity, 0 is gray.
  has_alpha = (color_type == 4) | (color_type == 6) | (
      find(raw, b'tRNS') < find(raw, b'IDAT'))
  is_deep_gray = (depth == 16) & (color_type == 0)
  levels, alpha = tf.split(tf.where(
      is_deep_gray, (deep + 128) // 257, deep // 256), [3, 1], axis=-1)
  # Pillow ignores that of deep gray, and TensorFlow fills in 3 for 2 bits.
  alpha = tf.where(has_alpha & ~is_deep_gray, alpha, 255)
  # (α c + (255 − α) b) / 255, rounded in integers as Pillow does.
  scaled = 128 * (alpha * levels + (255 - alpha) * tf.constant(
      background, tf.int32) + 128)
  return tf.cast((scaled // 256 + scaled) // 2**15, tf.uint8)


def _jpeg(content: tf.Tensor) -> tf.Tensor:
  # The transform of Pillow; that of TensorFlow's default differs by up to 18.
  return tf.io.decode_jpeg(content, 3, dct_method='INTEGER_ACCURATE')


def _gif(content: tf.Tensor, raw: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
  """Returns the first frame of a GIF image without transparent pixels."""
  # The palette of the file lies between the header and the blocks.
  flags = tf.cast(header[10], tf.int32)
  palette = tf.where(flags >= 128, 3 * 2**(flags % 8 + 1), 0)
  blocks = raw[13 + palette:]
  first = padded(blocks, 1)[0]
  control = padded(blocks[find(blocks, (0x21, 0xf9, 0x04)):], 4)
  # A block 0x2c is a frame; one without a control block before is opaque.
  is_opaque = (first == 0x2c) | (control[3] % 2 == 0)
  with tf.control_dependencies([tf.debugging.Assert(is_opaque, [
      'A GIF image with transparent pixels is not read; convert it to PNG.'])]):
    content = tf.identity(content)
  return tf.io.decode_image(content, 3, expand_animations=False)


def _bmp(content: tf.Tensor, raw: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
  """Returns a BMP image of gray or RGB pixels without compression."""
  size, compression = (
      little_endian(header[start:start + 4]) for start in (14, 30))
  bits = little_endian(header[28:30])
  palette = padded(raw[14 + size:], 4 * 256)
  is_gray = tf.reduce_all(
      tf.reshape(palette, [256, 4])[:, :3]
      == tf.cast(tf.range(256), tf.uint8)[:, tf.newaxis])
  is_read = (size >= 40) & (compression == 0) & (
      (bits == 24) | (bits == 32) | (bits == 8) & is_gray)
  with tf.control_dependencies([tf.debugging.Assert(is_read, [
      'A BMP image must have 24 or 32 bits per pixel, or 8 bits of gray, '
      'without compression; convert it to PNG. Received bits per pixel:',
      bits])]):
    pixels = tf.io.decode_bmp(tf.identity(content))
  shape = tf.shape(pixels)
  return tf.broadcast_to(pixels[..., :3], [shape[0], shape[1], 3])
