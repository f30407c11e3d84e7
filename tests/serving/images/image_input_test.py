"""Image files decoded by TensorFlow, compared with the data of training."""

import io
import itertools
import os

from absl.testing import parameterized
import numpy as np
from PIL import Image
from sklearn import datasets
import tensorflow as tf

from tests.serving.cpp_loader import CppLoader
from tfvae import models
from tfvae import serving
from tfvae.data import ImageFormat
from tfvae.data import RESIZE_METHODS
from tfvae.data.sources.images.decoding import decode_image
from tfvae.data.sources.images.decoding import decode_images
from tfvae.graph import GraphicalModel
from tfvae.serving.images import resizing
from tfvae.serving.images.decoding import decode_rgb
from tfvae.serving.images.image_input import ImageInput

_RNG = np.random.default_rng(0)
_GRAY = _RNG.integers(0, 256, [9, 13], np.uint8)
_COLOR = _RNG.integers(0, 256, [9, 13, 3], np.uint8)
_RGBA = _RNG.integers(0, 256, [9, 13, 4], np.uint8)
_DEEP = _RNG.integers(0, 2**16, [9, 13, 1], np.uint16)
_PHOTO = os.path.join(
    os.path.dirname(datasets.__file__), 'images', 'china.jpg')
_BACKGROUND = '#204060'


def _encoded(image, kind='png', **kwargs):
  stream = io.BytesIO()
  image = image if isinstance(image, Image.Image) else Image.fromarray(image)
  image.save(stream, kind, **kwargs)
  return stream.getvalue()


def _deep(pixels):
  return tf.io.encode_png(np.uint16(pixels)).numpy()


def _palette(**kwargs):
  image = Image.fromarray(_COLOR).quantize(20)
  return _encoded(image, **kwargs)


def _exif(orientation, order='<'):
  exif = Image.Exif()
  exif[0x010f] = 'a camera'
  exif[0x0112] = orientation
  if order == '<':
    return exif.tobytes()
  # Big endian, which Pillow does not write.
  return (b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01'
          + bytes([0, orientation, 0, 0, 0, 0, 0, 0]))


def _smooth(height, width):
  """A picture whose filtered values do not depend on single pixels."""
  rows, columns = np.mgrid[:height, :width]
  return np.stack([np.uint8(127 + 120 * np.sin(rows / a + columns / b))
                   for a, b in ((9, 5), (4, 13), (7, 3))], axis=-1)


_FILES = {
    'png': _encoded(_COLOR), 'png of gray': _encoded(_GRAY),
    'png of 1 bit': _encoded(_GRAY > 127),
    'png of 4 colors': _encoded(Image.fromarray(_COLOR).quantize(4), bits=2),
    'png of 4 colors, one transparent': _encoded(
        Image.fromarray(_COLOR).quantize(4), bits=2, transparency=1),
    'png of 1 bit, one transparent': _encoded(_GRAY > 127, transparency=1),
    'png with opacity': _encoded(_RGBA),
    'png of gray with opacity': _encoded(_RGBA[..., :2]),
    'png with a palette': _palette(),
    'png with a transparent color': _palette(transparency=3),
    'png with opacities of colors': _palette(
        transparency=bytes(range(0, 200, 10))),
    'png of gray with a transparent level': _encoded(
        np.uint8(_GRAY // 64), transparency=2),
    'png of 16 bits of gray': _deep(_DEEP),
    'png of 16 bits of color': _deep(np.repeat(_DEEP, 3, -1) // [1, 2, 3]),
    'png of 16 bits with opacity': _deep(np.repeat(_DEEP, 4, -1) // [
        1, 2, 3, 1]),
    'png, interlaced': _encoded(_COLOR, 'png', interlace=1),
    'jpeg': _encoded(_COLOR, 'jpeg', quality=90),
    'jpeg of gray': _encoded(_GRAY, 'jpeg'),
    'jpeg of cmyk': _encoded(Image.fromarray(_COLOR).convert('CMYK'), 'jpeg'),
    'jpeg, progressive': _encoded(_COLOR, 'jpeg', progressive=True),
    'gif': _palette(kind='gif'),
    'gif, animated': _encoded(
        Image.fromarray(_GRAY), 'gif', save_all=True,
        append_images=[Image.fromarray(255 - _GRAY)]),
    'bmp': _encoded(_COLOR, 'bmp'), 'bmp of gray': _encoded(_GRAY, 'bmp'),
    'bmp of 32 bits': _encoded(_RGBA, 'bmp'),
}
_REFUSED = {
    'webp': (_encoded(_COLOR, 'webp'), 'PNG, JPEG, GIF or BMP.*WebP'),
    'tiff': (_encoded(_COLOR, 'tiff'), 'TIFF'),
    'text': (b'no image', 'unknown'), 'nothing': (b'', 'unknown'),
    'transparent gif': (_palette(kind='gif', transparency=3), 'transparent'),
    'bmp with a palette': (_palette(kind='bmp'), 'BMP.*bits per pixel'),
    'bmp of 1 bit': (_encoded(_GRAY > 127, 'bmp'), 'BMP.*bits per pixel'),
    'short png': (_FILES['png'][:-60], 'PNG'),
    'short jpeg': (_FILES['jpeg'][:-60], 'JPEG'),
}


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def _decode(content):
  return decode_rgb(content, (0x20, 0x40, 0x60))


class DecodingTest(tf.test.TestCase):

  # Each in one test, because the next one would optimize the graph again.
  def test_formats_equal_pillow(self):
    for name, content in _FILES.items():
      with self.subTest(name):
        self.assertAllEqual(_decode(content), decode_image(
            content, ImageFormat(background=_BACKGROUND)))

  def test_photo_equals_pillow(self):
    with open(_PHOTO, 'rb') as file:
      content = file.read()
    self.assertAllEqual(
        _decode(content), decode_image(content, ImageFormat()))

  def test_orientations_equal_pillow(self):
    for case in itertools.product(('jpeg', 'png'), range(10), '<>'):
      kind, orientation, order = case
      content = _encoded(_COLOR, kind, exif=_exif(orientation, order))
      with self.subTest(case):
        self.assertAllEqual(
            _decode(content), decode_image(content, ImageFormat()))

  def test_files_that_are_refused(self):
    for name, (content, message) in _REFUSED.items():
      with (self.subTest(name), self.assertRaisesRegex(
          tf.errors.InvalidArgumentError, message)):
        _decode(content)


class ResizingTest(parameterized.TestCase, tf.test.TestCase):

  def test_methods_are_those_of_the_data(self):
    self.assertEqual(resizing.RESIZE_METHODS, RESIZE_METHODS)

  @parameterized.product(
      resize=RESIZE_METHODS, size=((24, 24), (17, 31), (80, 51)),
      image=((40, 60), (61, 37)))
  def test_equals_pillow_within_a_level(self, resize, size, image):
    color = (200, 10, 90)
    pixels = _smooth(*image)
    found = resizing.resized(
        tf.constant(pixels), size, resize, tf.constant(color))
    expected = decode_image(_encoded(pixels), ImageFormat(
        size, resize, background='#c80a5a'))
    # Pillow scales the height of some tall images first.
    self.check(found, expected, 0.01 if image[1] > image[0] else 0.25)

  def check(self, found, expected, share=0.01):
    difference = np.abs(np.int32(found) - expected)
    self.assertLessEqual(difference.max(), 1)
    self.assertLess(np.mean(difference > 0), share)

  @parameterized.parameters(((64, 64),), ((300, 200),))
  def test_photo(self, size):
    with open(_PHOTO, 'rb') as file:
      content = file.read()
    found = resizing.resized(
        _decode(content), size, 'crop', tf.zeros([3], tf.int32))
    self.check(found, decode_image(content, ImageFormat(size)))


def _model(likelihood='bernoulli', shape=(6, 8, 1)):
  return models.image_vae(
      'z:2', shape, 'mlp', (3,), likelihood=likelihood)


class SignaturesTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ('bernoulli', 1, lambda x: x >= 128), ('poisson', 3, lambda x: x),
      ('continuous_bernoulli', 1, lambda x: np.float32(x) / np.float32(255)))
  def test_x_is_that_of_training(self, likelihood, channels, convert):
    shape = (6, 8, channels)
    functions = serving.signatures(
        _model(likelihood, shape), ('parse_image',),
        image_input=ImageInput('pad', (0x20, 0x40, 0x60)))
    contents = [_encoded(_smooth(30, 50)), _FILES['png of 16 bits of gray'],
                _encoded(_smooth(20, 31), 'bmp')]
    form = ImageFormat((6, 8), 'pad', channels, _BACKGROUND)
    found = functions['parse_image'](image=tf.constant(contents))['x']
    expected = convert(decode_images(contents, form))
    self.assertEqual(found.dtype, tf.float32)
    self.assertAllClose(found, np.float32(expected), rtol=2e-7, atol=0)
    self.assertEqual(functions['parse_image'](
        image=tf.constant([], tf.string))['x'].shape, (0, *shape))

  def test_exported_functions_in_the_server(self):
    model = _model()
    path = serving.export_saved_model(
        model, self.create_tempdir().full_path, image_input=ImageInput())
    contents = np.array([_FILES[name] for name in (
        'png with opacity', 'jpeg', 'gif', 'bmp', 'png of gray')], object)
    x = np.float32(decode_images(contents, ImageFormat(
        (6, 8), channels=1)) >= 128)
    with CppLoader() as loader:
      parsed = loader.run(path, 'parse_image', {'image': contents})['x']
      self.assertAllEqual(parsed, x)
      moments, expected = (
          loader.run(path, name, inputs) for name, inputs in (
              ('encode_image', {'image': contents}), ('encode', {'x': x})))
      self.assertEqual(set(moments), {'loc', 'scale_diag'})
      for name, value in moments.items():
        self.assertAllClose(value, expected[name])
      for content, message in _REFUSED.values():
        with self.assertRaisesRegex(RuntimeError, 'INVALID_ARGUMENT.*' + (
            message)):
          loader.run(path, 'parse_image', {
              'image': np.array([contents[0], content], object)})

  def test_label_of_a_conditional_model(self):
    model = models.image_vae(
        GraphicalModel.parse('z:2', 'z|x,y', 'z; x|z,y'), (6, 8, 1), 'mlp',
        (3,), num_classes=2)
    functions = serving.signatures(
        model, ('encode', 'encode_image'), image_input=ImageInput())
    y = tf.constant([[0., 1.]])
    x = np.float32(decode_images([_FILES['png']], ImageFormat(
        (6, 8), channels=1)) >= 128)
    self.assertAllClose(
        functions['encode_image'](image=tf.constant([_FILES['png']]), y=y),
        functions['encode'](x=x, y=y))

  @parameterized.parameters(
      (lambda: ImageInput('zoom'), 'crop, pad, stretch.*zoom'),
      (lambda: ImageInput(background=(0, 0, 256)), '256'),
      (lambda: serving.signatures(
          _model('normal', (7,)), image_input=ImageInput()), r'shape \(7,\)'),
      (lambda: serving.signatures(
          _model(shape=(4, 4, 2)), image_input=ImageInput()), r'4, 2\)'))
  def test_values_that_are_refused(self, make, message):
    with self.assertRaisesRegex(ValueError, message):
      make()


if __name__ == '__main__':
  tf.test.main()
