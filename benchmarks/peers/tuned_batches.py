"""Tuned `tf.data` pipeline of the TensorFlow peers."""

from typing import Any

import tensorflow as tf

from benchmarks.peers import mnist


def tuned_batches(case: dict[str, Any]) -> tf.data.Dataset:
  """Returns binary batches from uint8 images in memory, mapped in batches."""
  images = mnist.training_images(case)
  return (tf.data.Dataset.from_tensor_slices(images)
          .shuffle(len(images))
          # XLA cannot compile `tfp.layers` for batches of unknown size.
          .batch(case['batch_size'], drop_remainder=True)
          .map(_binary, num_parallel_calls=tf.data.AUTOTUNE)
          .prefetch(tf.data.AUTOTUNE))


def _binary(images):
  gray = tf.cast(images, tf.float32) / 255
  return tf.cast(tf.random.uniform(tf.shape(gray)) < gray, tf.float32)
