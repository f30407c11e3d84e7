"""A progress bar over the batches of an evaluation."""

from collections.abc import Iterator
import sys
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.streaming import untuned


def batches(dataset: tf.data.Dataset, title: str,
            verbose: bool = False) -> Iterator[tuple[int, Any]]:
  """Yields each batch with its number, and shows the progress.

  Args:
    dataset: Data set of batches.
    title: Title printed before the bar.
    verbose: Whether to show the bar; if the output is not a terminal, a line at
      the end.
  """
  cardinality = int(dataset.cardinality())
  bar = tf_keras.utils.Progbar(
      cardinality if cardinality > 0 else None, unit_name='batch',
      verbose=(1 if sys.stdout.isatty() else 2) if verbose else 0)
  if verbose:
    print(title)
  for index, batch in enumerate(untuned(dataset)):
    yield index, batch
    bar.update(index + 1)
