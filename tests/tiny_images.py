"""A small TFDS data set, with variants that some evaluations cannot take.

Importing the module registers the builder, so that runs in the same process
find the data set by its name.
"""

import numpy as np
import tensorflow_datasets as tfds

IMAGE_SHAPE = (4, 4, 1)

# Numbers of training and test images by variant.
_SIZES = {'labeled': (40, 20), 'one_class': (40, 20), 'unlabeled': (40, 20),
          'few': (8, 1), 'rare_factor': (40, 20)}


class TfvaeTestTiny(tfds.core.GeneratorBasedBuilder):
  """Bright left or right halves; the label says which half.

  'rare_factor' has two factors, the second with a value that occurs once in
  each split.
  """

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in _SIZES]

  def _info(self):
    features = {'image': tfds.features.Image(shape=IMAGE_SHAPE),
                'label': tfds.features.ClassLabel(num_classes=2)}
    if self.builder_config.name == 'rare_factor':
      features |= {'label_side': tfds.features.ClassLabel(num_classes=2),
                   'label_rare': tfds.features.ClassLabel(num_classes=3)}
    return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict(features))

  def _split_generators(self, dl_manager):
    train, test = _SIZES[self.builder_config.name]
    return {'train': self._generate_examples(0, train),
            'test': self._generate_examples(1000, 1000 + test)}

  def _generate_examples(self, start, stop):
    name = self.builder_config.name
    for number in range(start, stop):
      side = number % 2
      pixels = np.random.default_rng(number).integers(
          0, 128, IMAGE_SHAPE, np.uint8)
      pixels[:, 2 * side:2 * side + 2] += 127
      label = {'one_class': 0, 'unlabeled': -1}.get(name, side)
      example = {'image': pixels, 'label': label}
      if name == 'rare_factor':
        example |= {'label_side': side,
                    'label_rare': 2 if number == start else number // 2 % 2}
      yield number, example


def prepare(data_dir, variant='labeled'):
  """Prepares a variant; returns its TFDS name."""
  name = f'tfvae_test_tiny/{variant}'
  tfds.builder(name, data_dir=data_dir).download_and_prepare()
  return name
