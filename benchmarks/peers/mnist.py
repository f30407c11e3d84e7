"""Images for the peers: arrays from a file that NumPy reads.

  python -m benchmarks.peers.mnist DATA_DIR DIRECTORY

writes `mnist.npz`, from TFDS, and `digits.npz` to the directory, once for all
peers: the environment of a peer in another framework has no TensorFlow.
"""

import math
import os
import sys
from typing import Any

import numpy as np

# Every peer trains on the first images of the training split.
TRAINING_IMAGES = 57_000
# Training images of `configs/digits.flags`, without a tenth to validate.
DIGITS_IMAGES = 1_293
_DIGITS_TEST = 360


def write(data_dir: str | None, directory: str):
  """Writes an `.npz` of both splits of each data set, uint8 `[n, h, w, 1]`."""
  from sklearn import datasets
  import tensorflow_datasets as tfds
  splits = {'train': f'train[:{TRAINING_IMAGES}]', 'test': 'test'}
  np.savez(os.path.join(directory, 'mnist.npz'), **{
      name: tfds.as_numpy(tfds.load(
          'mnist', split=split, data_dir=data_dir, batch_size=-1))['image']
      for name, split in splits.items()})
  images = np.random.default_rng(0).permutation(datasets.load_digits().images)
  images = np.round(images * 255 / 16).astype(np.uint8)[..., np.newaxis]
  np.savez(os.path.join(directory, 'digits.npz'), test=images[:_DIGITS_TEST],
           train=images[_DIGITS_TEST:])


def image_shape(case: dict[str, Any]) -> tuple[int, int, int]:
  """Returns the height, width and channels of an image."""
  return (8, 8, 1) if case['model'] == 'digits' else (28, 28, 1)


def num_pixels(case: dict[str, Any]) -> int:
  """Returns the number of pixels of an image."""
  return math.prod(image_shape(case))


def latent_size(case: dict[str, Any]) -> int:
  """Returns the length of z, that of the flags of the model."""
  return 16 if case['model'] == 'digits' else 50


def training_images(case: dict[str, Any]) -> np.ndarray:
  """Returns uint8 `[n, h, w, 1]`, where n is `images` of the case."""
  return _images('train', case)[:case['images']]


def binary_test_images(case: dict[str, Any]) -> np.ndarray:
  """Returns the test set, binarized once with NumPy, float32."""
  gray = _images('test', case)
  noise = np.random.default_rng(0).random(gray.shape, np.float32)
  return np.float32(noise < gray / np.float32(255))


def _images(split: str, case: dict[str, Any]) -> np.ndarray:
  name = 'digits' if case['model'] == 'digits' else 'mnist'
  with np.load(os.path.join(case['mnist'], f'{name}.npz')) as arrays:
    return arrays[split]


if __name__ == '__main__':
  write(sys.argv[1] or None, sys.argv[2])
