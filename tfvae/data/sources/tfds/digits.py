"""The bundled data set: scikit-learn's handwritten digits, built by TFDS.

It needs no network, so that a first run works anywhere, and is loaded in the
same way as every other data set.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

_NUM_IMAGES = 1797
_NUM_TRAIN = 1437  # Four fifths; the other 360 are the test split.
# The published order is by writer, so the split is random. It belongs to
# version 1.0.0 and does not depend on the seed of a run.
_SPLIT_SEED = 0


class Digits(tfds.core.GeneratorBasedBuilder):
  """1,797 handwritten digits of 8x8 pixels, the TFDS data set `digits`.

  Importing `tfvae.data` registers it, so that `tfds.load('digits')` works.
  A pixel is the count, 0 to 16, of ink in a 4x4 block of the scanned bitmap;
  it is stored as uint8 `round(count * 255 / 16)`.

  Reference: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
  Digits, UCI Machine Learning Repository, 1998.
  """

  VERSION = tfds.core.Version('1.0.0')
  RELEASE_NOTES = {'1.0.0': 'The 1,797 digits that scikit-learn carries.'}

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
        builder=self,
        description=(
            'Handwritten digits, 8x8 pixels in 17 levels of gray scaled to '
            '0..255: the test set of the UCI collection, which scikit-learn '
            'carries, in a random split of 1,437 to train and 360 to test.'),
        features=tfds.features.FeaturesDict({
            'image': tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8),
            'label': tfds.features.ClassLabel(num_classes=10),
        }),
        supervised_keys=('image', 'label'),
        homepage='https://archive.ics.uci.edu/dataset/80',
        citation="""\
@misc{alpaydin1998optical,
  title={Optical Recognition of Handwritten Digits},
  author={Alpaydin, E. and Kaynak, C.},
  year={1998},
  howpublished={UCI Machine Learning Repository},
  doi={10.24432/C50P49}
}""")

  def _split_generators(self, dl_manager) -> dict[str, Iterator]:
    del dl_manager  # Nothing is downloaded.
    order = np.random.default_rng(_SPLIT_SEED).permutation(_NUM_IMAGES)
    return {
        'train': self._generate_examples(order[:_NUM_TRAIN]),
        'test': self._generate_examples(order[_NUM_TRAIN:]),
    }

  def _generate_examples(
      self, indices: np.ndarray) -> Iterator[tuple[int, dict[str, Any]]]:
    # Imported here, as other data sets do not need scikit-learn.
    from sklearn import datasets
    digits = datasets.load_digits()
    pixels = np.round(digits.images * 255 / 16).astype(np.uint8)
    for index in indices:
      yield int(index), {
          'image': pixels[index, :, :, np.newaxis],
          'label': int(digits.target[index]),
      }
