"""A TFDS data set in several files, with distinguishable images."""

import numpy as np
import tensorflow_datasets as tfds

NUM_TRAIN, NUM_TEST, NUM_FILES = 103, 20, 5


def image(number):
  """Returns the image of a number: the number, then random pixels."""
  pixels = np.random.default_rng(number).integers(0, 256, [4, 3, 1], np.uint8)
  pixels[0, 0] = number
  return pixels


def numbers(images):
  """Returns the numbers of images, either uint8 or floats in [0, 1]."""
  scale = 1 if images.dtype == np.uint8 else 255
  return np.round(images[:, 0, 0, 0] * scale).astype(int).tolist()


class TfvaeTestNumbered(tfds.core.GeneratorBasedBuilder):
  """Images 0, 1, … of train, then of test, labeled by their last digit.

  The config 'bits' has zeros and ones only, 'float' has numbers from 0 to 1,
  and 'bright' is 'float' with a last image outside that range. 'unlabeled' has
  -1 for the label 9 in train, and for all labels of the split 'unlabeled'.
  """

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name)
                     for name in ('gray', 'bits', 'float', 'bright',
                                  'unlabeled')]

  def _info(self):
    feature = (
        tfds.features.Image(shape=(4, 3, 1))
        if self.builder_config.name in ('gray', 'bits', 'unlabeled')
        else tfds.features.Tensor(shape=(4, 3, 1), dtype=np.float32))
    return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict({
            'image': feature,
            'label': tfds.features.ClassLabel(num_classes=10)}))

  def _split_generators(self, dl_manager):
    test = self._generate_examples(NUM_TRAIN, NUM_TRAIN + NUM_TEST)
    if self.builder_config.name == 'unlabeled':
      return {'train': self._generate_examples(0, NUM_TRAIN, num_labels=9),
              'unlabeled': self._generate_examples(0, NUM_TEST, num_labels=0),
              'test': test}
    return {'train': self._generate_examples(0, NUM_TRAIN), 'test': test}

  def _generate_examples(self, start, stop, num_labels=10):
    convert = {'gray': lambda x: x, 'bits': lambda x: x // 128,
               'unlabeled': lambda x: x,
               'float': lambda x: np.float32(x / 255),
               'bright': lambda x: np.float32(x / 100)}
    for number in range(start, stop):
      pixels = convert[self.builder_config.name](image(number))
      label = number % 10 if number % 10 < num_labels else -1
      yield number, {'image': pixels, 'label': label}


def prepare(data_dir, config='gray'):
  """Prepares the data set in several files; returns its TFDS name."""
  name = f'tfvae_test_numbered/{config}'
  tfds.builder(name, data_dir=data_dir).download_and_prepare(
      download_config=tfds.download.DownloadConfig(num_shards=NUM_FILES))
  return name
