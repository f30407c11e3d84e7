"""Decoding and conversion of images, as a person sees them, with Pillow."""

from collections.abc import Iterator, Sequence
import contextlib
import dataclasses
import io

import numpy as np
from PIL import Image
from PIL import ImageColor
from PIL import ImageOps

RESIZE_METHODS = ('crop', 'pad', 'stretch')

# Modes of Pillow with one channel of gray, and with an alpha channel.
_GRAY_MODES = {'1', 'L', 'LA', 'La', 'I', 'F'}
_ALPHA_MODES = {'LA', 'La', 'PA', 'RGBA', 'RGBa'}

# EXIF orientations 5 to 8 exchange height and width.
_ORIENTATION, _TRANSPOSED = 0x0112, (5, 6, 7, 8)


class UnreadableImageError(ValueError):
  """Content of a file that is not a complete image."""


@dataclasses.dataclass(frozen=True)
class ImageFormat:
  """Form that every image of a data set gets.

  Attributes:
    size: (height, width), or None for the size of the file.
    resize: 'crop' scales an image until it covers the size and cuts its center;
      'pad' scales it until it fits and fills the rest with the background;
      'stretch' ignores the ratio of its sides.
    channels: 1 (gray) or 3 (RGB); None for 1 if all files are gray, else 3.
    background: Color below transparent pixels and around padded images: a CSS
      name or '#rrggbb'.
  """

  size: tuple[int, int] | None = None
  resize: str = 'crop'
  channels: int | None = None
  background: str = 'white'

  def __post_init__(self):
    """Validates the values."""
    if self.size is not None and not (
        len(self.size) == 2 and all(n > 0 for n in self.size)):
      raise ValueError('`image_size` must be a positive height and width, such '
                       f'as (64, 48). Received: image_size={self.size}')
    if self.resize not in RESIZE_METHODS:
      raise ValueError(
          f'`resize` must be one of {", ".join(RESIZE_METHODS)}. '
          f'Received: resize={self.resize!r}')
    if self.channels not in (None, 1, 3):
      raise ValueError('`channels` must be 1 (gray) or 3 (RGB). Received: '
                       f'channels={self.channels!r}')
    try:
      ImageColor.getrgb(self.background)
    except ValueError as error:
      raise ValueError(
          "`background` must be a color such as 'white' or '#8090a0'. "
          f'Received: background={self.background!r}') from error

  @property
  def background_color(self) -> tuple[int, int, int]:
    """Red, green and blue of the background, from 0 to 255."""
    return ImageColor.getrgb(self.background)[:3]

  def __str__(self) -> str:
    size = 'x'.join(map(str, self.size or ('any',)))
    return f'{size}x{self.channels}-{self.resize}-{self.background}'

  @classmethod
  def of(cls, image_size: str | int | Sequence[int] | None = None,
         resize: str = 'crop', channels: int | None = None,
         background: str = 'white') -> 'ImageFormat':
    """Returns the format of the arguments of `tfvae.data.load`.

    Raises:
      ValueError: If a value is not as described there.
    """
    return cls(_parsed_size(image_size), resize, channels, background)


@dataclasses.dataclass(frozen=True)
class Header:
  """Properties of an image file that its header states.

  Attributes:
    size: (height, width) after the EXIF orientation is applied.
    is_gray: Whether the file has one channel of gray.
  """

  size: tuple[int, int]
  is_gray: bool


def read_header(content: bytes) -> Header:
  """Returns the properties of an image file, without decoding its pixels.

  Args:
    content: Content of the file.

  Raises:
    UnreadableImageError: If it is not an image that Pillow reads.
  """
  with _opened(content) as image:
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in _TRANSPOSED:
      width, height = height, width
    return Header((height, width), _is_gray(image))


def decode_image(content: bytes, form: ImageFormat) -> np.ndarray:
  """Returns the pixels of an image file.

  The EXIF orientation is applied; palettes, CMYK and other color spaces become
  RGB; transparent pixels are composed with the background; 16-bit gray levels
  are divided by 257 and 1-bit pixels are 0 or 255. Animations give their first
  frame.

  Args:
    content: Content of the file.
    form: Size, channels and background; channels None stands for 3.

  Returns:
    An array `[height, width, channels]`, uint8.

  Raises:
    UnreadableImageError: If it is not a complete image that Pillow reads.
  """
  with _opened(content) as image:
    return _converted(ImageOps.exif_transpose(image), form)


def decode_images(contents: Sequence[bytes], form: ImageFormat) -> np.ndarray:
  """Returns the pixels of image files of one size, uint8 `[b, h, w, c]`.

  Args:
    contents: Contents of the files.
    form: Size, channels and background, none of them None.
  """
  pixels = np.empty((len(contents), *form.size, form.channels), np.uint8)
  for i, content in enumerate(contents):
    pixels[i] = decode_image(content, form)
  return pixels


def convert_pixels(pixels: np.ndarray, form: ImageFormat) -> np.ndarray:
  """Returns an image in a format, as `decode_image` of a file with its pixels.

  Args:
    pixels: Array `[height, width, channels]`, uint8: gray or RGB, or either
      with a last channel that is the opacity.
    form: Size, channels and background; channels None stands for 3.

  Returns:
    An array `[height, width, channels]`, uint8.
  """
  return _converted(Image.fromarray(
      pixels[..., 0] if pixels.shape[-1] == 1 else pixels), form)


def _parsed_size(size: str | int | Sequence[int] | None
                 ) -> tuple[int, int] | None:
  """Returns (height, width) of '64', '64x48', 64 or (64, 48); None of None."""
  if size is None:
    return None
  try:
    numbers = ([int(n) for n in size.lower().split('x')]
               if isinstance(size, str) else np.atleast_1d(size).tolist())
  except ValueError:
    numbers = []
  if len(numbers) == 1:
    numbers *= 2
  if len(numbers) != 2 or not all(
      isinstance(n, int) and 0 < n < 2**15 for n in numbers):
    raise ValueError("`image_size` must be a height and a width, such as '64' "
                     f"or '64x48'. Received: image_size={size!r}")
  return tuple(numbers)


@contextlib.contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
  """Yields a Pillow image, whose errors become `UnreadableImageError`."""
  try:
    with Image.open(io.BytesIO(content)) as image:
      yield image
  except UnreadableImageError:
    raise
  except Exception as error:  # Decoders raise anything on corrupt content.
    # Pillow shows the address of the stream.
    text = str(error).split(' <')[0] or type(error).__name__
    raise UnreadableImageError(text) from error


def _converted(image: Image.Image, form: ImageFormat) -> np.ndarray:
  """Returns the pixels of an image in a format."""
  if image.mode.startswith('I') or image.mode == 'F':
    image = _eight_bits(image)
  if image.mode in _ALPHA_MODES or 'transparency' in image.info:
    image = image.convert('RGBA')
    below = Image.new('RGBA', image.size, form.background)
    image = Image.alpha_composite(below, image).convert('RGB')
  # The luma of ITU-R BT.601, as TensorFlow computes gray.
  image = image.convert('L' if form.channels == 1 else 'RGB')
  if form.size is not None and image.size != form.size[::-1]:
    image = _resized(image, form)
  pixels = np.asarray(image)
  return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _is_gray(image: Image.Image) -> bool:
  if image.mode == 'P':
    palette = np.reshape(image.getpalette('RGB'), [-1, 3])
    return bool((palette == palette[:, :1]).all())
  return image.mode in _GRAY_MODES or image.mode.startswith('I;16')


def _eight_bits(image: Image.Image) -> Image.Image:
  """Returns an image of 16-bit, 32-bit or floating gray levels in 8 bits.

  Levels above 65535, and floating levels outside [0, 1], have no scale that the
  file states.
  """
  levels = np.asarray(image)
  low, high = levels.min(), levels.max()
  if image.mode == 'F':
    if not 0 <= low <= high <= 1:
      raise UnreadableImageError(
          f'floating gray levels from {low:g} to {high:g}, outside [0, 1]')
    return Image.fromarray(np.uint8(np.round(levels * 255)))
  if not 0 <= low <= high < 2**16:
    raise UnreadableImageError(
        f'gray levels from {low} to {high}, outside 16 bits')
  return Image.fromarray(np.uint8(np.round(levels / 257)))


def _resized(image: Image.Image, form: ImageFormat) -> Image.Image:
  """Returns an image of the size of the format."""
  height, width = form.size
  method = Image.Resampling.LANCZOS
  if form.resize == 'crop':
    return ImageOps.fit(image, (width, height), method)
  if form.resize == 'pad':
    color = ImageColor.getcolor(form.background, image.mode)
    return ImageOps.pad(image, (width, height), method, color=color)
  return image.resize((width, height), method)
