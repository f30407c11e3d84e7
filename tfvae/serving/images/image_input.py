"""Conversion of image files to x, in operations of TensorFlow."""

from collections.abc import Sequence
import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import autograph
from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.models import LatentVariableModel
from tfvae.serving.images.decoding import decode_rgb
from tfvae.serving.images.resizing import gray
from tfvae.serving.images.resizing import RESIZE_METHODS
from tfvae.serving.images.resizing import resized


@dataclasses.dataclass(frozen=True)
class ImageInput:
  """Conversion of image files, as `tfvae.data` reads them for training.

  Attributes:
    resize: Change of images of another size than x: 'crop' covers the size and
      cuts the center, 'pad' fits and fills the rest, 'stretch' changes the
      ratio of the sides.
    background: Color below transparent pixels and around padded images: red,
      green and blue from 0 to 255.
  """

  resize: str = 'crop'
  background: tuple[int, int, int] = (255, 255, 255)

  def __post_init__(self):
    """Validates the values."""
    if self.resize not in RESIZE_METHODS:
      raise ValueError(
          f'`resize` must be one of {", ".join(RESIZE_METHODS)}. '
          f'Received: resize={self.resize!r}')
    if len(self.background) != 3 or not all(
        0 <= level <= 255 for level in self.background):
      raise ValueError(
          '`background` must be red, green and blue from 0 to 255. '
          f'Received: background={self.background}')

  def x(self, contents: tf.Tensor, model: LatentVariableModel,
        shape: Sequence[int]) -> tf.Tensor:
    """Returns image files as the model takes them.

    Pixels are divided by 255. For a likelihood of counts they are the levels
    from 0 to 255; for one of bits, 1 from level 128.

    Args:
      contents: Contents of PNG, JPEG, GIF or BMP files, string `[b]`.
      model: Model with x of this shape.
      shape: (height, width, channels), with 1 or 3 channels.

    Returns:
      Tensor `[b, height, width, channels]`, float32.
    """
    pixels = _pixels_of_files(self, tuple(shape))(contents)
    layer = model.likelihood_layer()
    kind = layer.kind_of_data() if isinstance(layer, Likelihood) else None
    levels = tf.cast(pixels, tf.float32)
    if kind is not None and kind.is_count:
      return levels
    if kind is not None and kind.is_binary:
      return tf.cast(pixels >= 128, tf.float32)
    return levels / 255.

  def example(self, shape: Sequence[int]) -> bytes:
    """Returns a PNG file of black pixels, for images of this shape."""
    return tf.io.encode_png(np.zeros(shape, np.uint8)).numpy()

  def pixels(self, content: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Returns the pixels of one file, uint8 `[height, width, channels]`."""
    height, width, channels = shape
    image = decode_rgb(content, self.background)
    background = tf.constant(self.background, tf.int32)
    if channels == 1:
      image, background = gray(image), gray(background)
    return resized(image, (height, width), self.resize, background)


@functools.lru_cache(maxsize=8)
def _pixels_of_files(image_input: ImageInput, shape: tuple[int, ...]) -> Any:
  """Returns a function from files to pixels, which any export may call.

  It has no variables, and takes a second to trace.
  """
  return autograph.function(lambda contents: tf.map_fn(
      lambda content: image_input.pixels(content, shape), contents,
      fn_output_signature=tf.TensorSpec(shape, tf.uint8))
  ).get_concrete_function(tf.TensorSpec([None], tf.string))


def check_shape(shape: Sequence[int]):
  """Raises a ValueError unless x is a gray or an RGB image."""
  if len(shape) != 3 or shape[-1] not in (1, 3):
    raise ValueError(
        'Image files become x of shape (height, width, channels) with 1 or 3 '
        'channels; leave `image_input` out for other models. '
        f'Received: x of shape {tuple(shape)}')
