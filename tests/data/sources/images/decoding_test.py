"""Image files of many modes and formats, decoded to known pixels."""

import io

from absl.testing import parameterized
import numpy as np
from PIL import Image
import tensorflow as tf

from tfvae.data.sources.images import decoding
from tfvae.data.sources.images.decoding import ImageFormat

_RNG = np.random.default_rng(0)
_GRAY = _RNG.integers(0, 256, [5, 7], np.uint8)
_COLOR = _RNG.integers(0, 256, [5, 7, 3], np.uint8)


def _encoded(image, kind='png', **kwargs):
  stream = io.BytesIO()
  image.save(stream, kind, **kwargs)
  return stream.getvalue()


def _decoded(content, **form):
  return decoding.decode_image(content, ImageFormat(**form))


class DecodeImageTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters('png', 'bmp', 'tiff', 'webp')
  def test_lossless_formats(self, kind):
    lossless = {'lossless': True} if kind == 'webp' else {}
    content = _encoded(Image.fromarray(_COLOR), kind, **lossless)
    self.assertAllEqual(_decoded(content), _COLOR)
    self.assertEqual(decoding.read_header(content),
                     decoding.Header((5, 7), False))

  def test_jpeg_and_gif_equal_tensorflow(self):
    content = _encoded(Image.fromarray(_COLOR), 'jpeg', quality=90)
    self.assertAllEqual(
        _decoded(content),
        tf.io.decode_jpeg(content, dct_method='INTEGER_ACCURATE'))
    frames = [Image.fromarray(_GRAY), Image.fromarray(255 - _GRAY)]
    content = _encoded(frames[0], 'gif', save_all=True,
                       append_images=frames[1:])
    self.assertAllEqual(_decoded(content), tf.io.decode_gif(content)[0])

  @parameterized.parameters(
      (np.uint16, lambda x: x.astype(np.uint16) * 257),
      (np.int32, lambda x: x.astype(np.int32) * 257),
      (np.float32, lambda x: x.astype(np.float32) / 255))
  def test_deep_gray_levels(self, dtype, convert):
    content = _encoded(Image.fromarray(convert(_GRAY)), 'tiff')
    self.assertAllEqual(_decoded(content, channels=1)[..., 0], _GRAY, dtype)
    self.assertTrue(decoding.read_header(content).is_gray)

  def test_one_bit(self):
    content = _encoded(Image.fromarray(_GRAY > 127))
    self.assertAllEqual(
        _decoded(content, channels=1)[..., 0], 255 * (_GRAY > 127))

  def test_palette(self):
    image = Image.fromarray(_COLOR).quantize(35)
    self.assertAllEqual(_decoded(_encoded(image)), image.convert('RGB'))
    self.assertFalse(decoding.read_header(_encoded(image)).is_gray)
    gray = Image.fromarray(_GRAY).quantize(35)
    self.assertTrue(decoding.read_header(_encoded(gray)).is_gray)

  @parameterized.parameters(('white', 255), ('black', 0), ('#404040', 64))
  def test_transparent_pixels_show_the_background(self, background, level):
    alpha = np.array([[0, 51, 255]], np.uint8)
    pixels = np.stack([np.full_like(alpha, 100)] * 3 + [alpha], axis=-1)
    found = _decoded(_encoded(Image.fromarray(pixels)), background=background)
    # α c + (1 − α) b
    expected = alpha / 255 * 100 + (1 - alpha / 255) * level
    self.assertAllClose(found[..., 1], expected, atol=1)

  def test_transparent_color_of_a_palette(self):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), 'P')
    image.putpalette([10, 20, 30, 40, 50, 60])
    content = _encoded(image, transparency=0)
    self.assertAllEqual(_decoded(content), [[[255] * 3, [40, 50, 60]]])

  def test_cmyk(self):
    content = _encoded(Image.fromarray(_COLOR).convert('CMYK'), 'tiff')
    self.assertAllEqual(_decoded(content), _COLOR)

  @parameterized.parameters(
      (1, lambda x: x), (2, np.fliplr), (3, lambda x: x[::-1, ::-1]),
      (4, np.flipud), (5, lambda x: np.swapaxes(x, 0, 1)),
      (6, lambda x: np.rot90(x, -1)), (7, lambda x: np.rot90(
          np.swapaxes(x, 0, 1), 2)), (8, np.rot90))
  def test_orientation(self, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = _encoded(Image.fromarray(_COLOR), 'png', exif=exif)
    expected = turned(_COLOR)
    self.assertAllEqual(_decoded(content), expected)
    self.assertEqual(decoding.read_header(content).size, expected.shape[:2])

  def test_gray_of_color_equals_tensorflow(self):
    found = _decoded(_encoded(Image.fromarray(_COLOR)), channels=1)
    self.assertAllClose(
        np.float32(found), tf.image.rgb_to_grayscale(np.float32(_COLOR)),
        atol=1)

  @parameterized.parameters(
      *(lambda x: (x, x[:-3], x[:len(x) // 2]))(
          _encoded(Image.fromarray(_COLOR), 'jpeg'))[1:],
      b'', b'no image', _encoded(Image.fromarray(_COLOR))[:60],
      _encoded(Image.fromarray(2 * np.float32(_GRAY)), 'tiff'),
      _encoded(Image.fromarray(np.int32(_GRAY) - 1000), 'tiff'))
  def test_incomplete_content(self, content):
    with self.assertRaises(decoding.UnreadableImageError):
      _decoded(content)


class ResizeTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    # Smooth, so that filters differ little.
    rows, columns = np.mgrid[:60, :90]
    self.image = np.uint8(127 + 60 * np.sin(rows / 9) + 60 * np.cos(
        columns / 11))
    self.content = _encoded(Image.fromarray(self.image))

  def resized(self, size, resize):
    return np.float32(_decoded(
        self.content, size=size, resize=resize, channels=1))

  def expected(self, image, size):
    return tf.image.resize(
        np.float32(image)[..., np.newaxis], size, 'lanczos3', antialias=True)

  @parameterized.parameters(((20, 30),), ((30, 30),), ((90, 120),))
  def test_stretch_equals_tensorflow(self, size):
    self.assertAllClose(self.resized(size, 'stretch'),
                        self.expected(self.image, size), atol=1.5)

  def test_crop_keeps_the_center(self):
    self.assertAllClose(self.resized((20, 20), 'crop'),
                        self.expected(self.image[:, 15:75], (20, 20)), atol=1.5)

  def test_pad_keeps_everything(self):
    found = self.resized((30, 30), 'pad')
    self.assertAllEqual(found[:5], np.full([5, 30, 1], 255))
    self.assertAllEqual(found[25:], np.full([5, 30, 1], 255))
    self.assertAllClose(
        found[5:25], self.expected(self.image, (20, 30)), atol=1.5)


class ImageFormatTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ({'size': (0, 4)}, r'image_size=\(0, 4\)'),
      ({'resize': 'zoom'}, "resize='zoom'"), ({'channels': 2}, 'channels=2'),
      ({'background': 'withe'}, "background='withe'"))
  def test_bad_values(self, values, message):
    with self.assertRaisesRegex(ValueError, message):
      ImageFormat(**values)


if __name__ == '__main__':
  tf.test.main()
