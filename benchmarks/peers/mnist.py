"""MNIST through TFDS for the peers, and the batches of those that are tuned."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

# The images that every peer trains on are the first of the training split.
TRAINING_IMAGES = 57_000


def training_images(case: dict[str, Any]) -> np.ndarray:
  """Returns uint8 `[n, 28, 28, 1]`, n being the `images` of the case."""
  return _images(f'train[:{case["images"]}]', case)


def binary_test_images(case: dict[str, Any]) -> np.ndarray:
  """Returns the test set, binarised once by NumPy: float32."""
  grey = _images('test', case)
  noise = np.random.default_rng(0).random(grey.shape, np.float32)
  return np.float32(noise < grey / np.float32(255))


def tuned_batches(case: dict[str, Any]) -> tf.data.Dataset:
  """Returns binary batches from memory, drawn a batch at a time.

  That is the pipeline of someone who has looked: uint8 images in memory, and
  whole batches in the `map`.
  """
  images = training_images(case)
  return (tf.data.Dataset.from_tensor_slices(images)
          .shuffle(len(images))
          # A batch of unknown size is more than XLA can do with `tfp.layers`.
          .batch(case['batch_size'], drop_remainder=True)
          .map(_binary, num_parallel_calls=tf.data.AUTOTUNE)
          .prefetch(tf.data.AUTOTUNE))


def _binary(images):
  grey = tf.cast(images, tf.float32) / 255
  return tf.cast(tf.random.uniform(tf.shape(grey)) < grey, tf.float32)


def _images(split: str, case: dict[str, Any]) -> np.ndarray:
  return tfds.as_numpy(tfds.load(
      'mnist', split=split, data_dir=case['data_dir'], batch_size=-1))['image']
