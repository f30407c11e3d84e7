"""Images of TFDS in other sizes and channels, compared with Pillow."""

import functools
import tempfile

from absl.testing import parameterized
import numpy as np
from PIL import Image
from PIL import ImageOps
import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae import data

_RNG = np.random.default_rng(0)
_LANCZOS = Image.Resampling.LANCZOS
_IMAGES = {
    'fixed': [_RNG.integers(0, 256, [9, 7, 3], np.uint8) for _ in range(8)],
    'flat': [_RNG.integers(0, 256, [9, 7], np.uint8) for _ in range(8)],
    'mixed': [_RNG.integers(0, 256, [5 + i, 12 - i, 3], np.uint8)
              for i in range(8)],
    'opacity': [_RNG.integers(0, 256, [9, 7, 4], np.uint8) for _ in range(8)],
    'bits': [_RNG.integers(0, 2, [9, 7, 1], np.uint8) for _ in range(8)],
}
_FEATURES = {
    'fixed': tfds.features.Image(shape=(9, 7, 3)),
    'flat': tfds.features.Tensor(shape=(9, 7), dtype=np.uint8),
    'mixed': tfds.features.Image(shape=(None, None, 3)),
    'opacity': tfds.features.Image(shape=(9, 7, 4)),
    'bits': tfds.features.Image(shape=(9, 7, 1)),
}


class TfvaeTestSizes(tfds.core.GeneratorBasedBuilder):
  """The images of `_IMAGES`, labeled by their number, for train and test."""

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in _IMAGES]

  def _info(self):
    return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict({
            'image': _FEATURES[self.builder_config.name],
            'label': tfds.features.ClassLabel(num_classes=8)}))

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples(),
            'test': self._generate_examples()}

  def _generate_examples(self):
    for i, image in enumerate(_IMAGES[self.builder_config.name]):
      yield i, {'image': image, 'label': i}


class SizesTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.data_dir = cls.enterClassContext(tempfile.TemporaryDirectory())

  def check(self, config, convert, **kwargs):
    """Compares the test split with a function of Pillow images."""
    found = data.load(
        f'tfvae_test_sizes/{config}', self.data_dir, **kwargs).test
    expected = [np.asarray(convert(Image.fromarray(np.squeeze(
        _IMAGES[config][label])))) for label in found.labels]
    self.assertAllEqual(
        np.asarray(found.images), np.reshape(expected, found.images.shape))

  @parameterized.product(
      config=('fixed', 'mixed'), cache=data.CACHES)
  def test_size(self, config, cache):
    fit = functools.partial(ImageOps.fit, size=(6, 4), method=_LANCZOS)
    self.check(config, fit, image_size='4x6', cache=cache)

  def test_resize_methods_have_caches_of_their_own(self):
    pad = functools.partial(
        ImageOps.pad, size=(5, 5), method=_LANCZOS, color='red')
    self.check('mixed', lambda x: x.resize((5, 5), _LANCZOS), image_size=5,
               resize='stretch', cache='disk')
    self.check('mixed', pad, image_size=5, resize='pad', background='red',
               cache='disk')

  @parameterized.parameters(('fixed', 1, 'L'), ('flat', 3, 'RGB'))
  def test_channels(self, config, channels, mode):
    self.check(config, lambda x: x.convert(mode), channels=channels)

  def test_gray_with_a_size_stays_gray(self):
    self.check('flat', lambda x: x.resize((3, 3), _LANCZOS), image_size=3,
               resize='stretch')

  def test_opacity_is_over_the_background(self):
    def convert(image):
      below = Image.new('RGBA', image.size, 'blue')
      return Image.alpha_composite(below, image).convert('RGB').resize(
          (4, 4), _LANCZOS)

    self.check('opacity', convert, image_size=4, resize='stretch',
               background='blue')

  def test_bits_become_gray(self):
    self.check('bits', lambda x: x.point(lambda v: 255 * v).resize(
        (3, 4), _LANCZOS), image_size='4x3', resize='stretch')

  def test_the_size_of_the_images_changes_nothing(self):
    self.check('bits', lambda x: x, image_size='9x7')


if __name__ == '__main__':
  tf.test.main()
