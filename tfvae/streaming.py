"""Settings of `tf.data` pipelines."""

import tensorflow as tf


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
  """Returns a data set whose parallelism is fixed, not tuned.

  `num_parallel_calls=tf.data.AUTOTUNE` then uses one call per core. In
  TensorFlow 2.21 the thread that tunes a pipeline may miss the signal to end.
  The deletion of the iterator then waits until the thread wakes up by itself,
  up to a minute later.

  Args:
    dataset: Data set whose iterators are deleted while others run, as in every
      epoch.
  """
  options = tf.data.Options()
  options.autotune.enabled = False
  return dataset.with_options(options)
