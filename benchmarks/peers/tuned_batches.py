"""The `tf.data` pipeline of the TensorFlow peers that are tuned."""

from typing import Any

import tensorflow as tf

from benchmarks.peers import mnist


def tuned_batches(case: dict[str, Any]) -> tf.data.Dataset:
  """Returns binary batches from memory, drawn a batch at a time.

  That is the pipeline of someone who has looked: uint8 images in memory, and
  whole batches in the `map`.
  """
  images = mnist.training_images(case)
  return (tf.data.Dataset.from_tensor_slices(images)
          .shuffle(len(images))
          # A batch of unknown size is more than XLA can do with `tfp.layers`.
          .batch(case['batch_size'], drop_remainder=True)
          .map(_binary, num_parallel_calls=tf.data.AUTOTUNE)
          .prefetch(tf.data.AUTOTUNE))


def _binary(images):
  grey = tf.cast(images, tf.float32) / 255
  return tf.cast(tf.random.uniform(tf.shape(grey)) < grey, tf.float32)
