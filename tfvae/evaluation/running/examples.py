"""Examples of an evaluation, in every form that `fit` takes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.running import progress
from tfvae.inference.batches import describe
from tfvae.inference.batches import num_observed
from tfvae.inference.batches import sample_weights
from tfvae.inference.batches import unpack_batch
from tfvae.models import LatentVariableModel
from tfvae.streaming import untuned

# Batch size for arrays.
_BATCH_SIZE = 200


def examples(model: LatentVariableModel, data: Any, title: str,
             verbose: bool = False,
             with_target: bool = False) -> Iterator[tuple[int, Any]]:
  """Yields each batch of a data set with its number, and checks the data.

  Args:
    model: Trained model.
    data: Data set, or arrays; see `as_dataset`.
    title: Title of the progress bar.
    verbose: Whether to show the bar.
    with_target: Whether to keep the target of a pair (x, target).

  Yields:
    The number and the batch: x, a dictionary of 'x' and 'y', or a tuple of one
    of them and a target, which `unpack_batch` splits.

  Raises:
    ValueError: If the data do not have the structure and shapes that the model
      takes, or the first batch is outside the support of the likelihood.
  """
  dataset = check(model, data)
  for index, batch in progress.batches(dataset, title, verbose):
    if not index:
      model.check_values(batch)
    is_pair = isinstance(batch, tuple)
    yield index, batch[0] if is_pair and not (
        with_target and len(batch) > 1) else batch


def check(model: LatentVariableModel, data: Any) -> tf.data.Dataset:
  """Returns the data as a data set, and checks their shapes.

  Args:
    model: Trained model.
    data: Data set, or arrays; see `as_dataset`.

  Raises:
    ValueError: If the data do not have the structure and shapes that the model
      takes.
  """
  dataset = as_dataset(data)
  model.check_batch(dataset.element_spec)
  return dataset


def weights_of(data: Any) -> np.ndarray | None:
  """Returns the sample weights of all examples, float64 `[n]`, or None.

  Args:
    data: Data set, or arrays; see `as_dataset`.
  """
  dataset = as_dataset(data)
  if sample_weights(dataset.element_spec) is None:
    return None
  return np.concatenate([
      np.float64(weights) for weights in dataset.map(
          lambda *batch: sample_weights(batch)).as_numpy_iterator()])


def observed_entries(data: Any) -> np.ndarray:
  """Returns how many elements of each example are not missing, `[n]`.

  They are those of the target, if there is one, else of x.

  Args:
    data: Data set, or arrays; see `as_dataset`.
  """
  return np.concatenate([
      num_observed(unpack_batch(batch)[1]).numpy()
      for batch in untuned(as_dataset(data))])


def as_dataset(data: Any) -> tf.data.Dataset:
  """Returns batches of examples in input order.

  Args:
    data: A `tf.data.Dataset` of batches; or arrays, which are batched: x, a
      dictionary of 'x' and 'y', or a tuple of one of them, a target and perhaps
      sample weights.

  Raises:
    ValueError: If the data are of another kind.
  """
  if isinstance(data, tf.data.Dataset):
    return data
  if not all(hasattr(part, '__array__') for part in tf.nest.flatten(data)):
    raise ValueError(
        'An evaluation takes a tf.data.Dataset of batches, or arrays: x, a '
        "dictionary of 'x' and 'y', or a pair of one of them and a target. "
        f'Received: {describe(data)} of type {type(data).__name__}')
  return tf.data.Dataset.from_tensor_slices(data).batch(_BATCH_SIZE)
