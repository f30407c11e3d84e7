"""MNIST for the peers: arrays from a file that NumPy reads.

  python -m benchmarks.peers.mnist DATA_DIR FILE

writes the file from TFDS, once for all peers: the environment of a peer in
another framework has no TensorFlow.
"""

import sys
from typing import Any

import numpy as np

# Every peer trains on the first images of the training split.
TRAINING_IMAGES = 57_000


def write(data_dir: str | None, path: str):
  """Writes an `.npz` of both splits, uint8 `[n, 28, 28, 1]`."""
  import tensorflow_datasets as tfds
  splits = {'train': f'train[:{TRAINING_IMAGES}]', 'test': 'test'}
  np.savez(path, **{name: tfds.as_numpy(tfds.load(
      'mnist', split=split, data_dir=data_dir, batch_size=-1))['image']
                    for name, split in splits.items()})


def training_images(case: dict[str, Any]) -> np.ndarray:
  """Returns uint8 `[n, 28, 28, 1]`, where n is `images` of the case."""
  return _images('train', case)[:case['images']]


def binary_test_images(case: dict[str, Any]) -> np.ndarray:
  """Returns the test set, binarized once with NumPy, float32."""
  gray = _images('test', case)
  noise = np.random.default_rng(0).random(gray.shape, np.float32)
  return np.float32(noise < gray / np.float32(255))


def _images(split: str, case: dict[str, Any]) -> np.ndarray:
  with np.load(case['mnist']) as arrays:
    return arrays[split]


if __name__ == '__main__':
  write(sys.argv[1] or None, sys.argv[2])
