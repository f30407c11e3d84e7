"""A copy of each example for each class that its label may be."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.inference.batches import observed
from tfvae.models import LatentVariableModel


class ClassRows(NamedTuple):
  """Examples with complete labels, and which of them their labels admit.

  Attributes:
    batch: Rows as `fit` takes them: all examples with the first class, then
      with the second, …; or the given rows, if no label is missing.
    is_allowed: Whether y may be the class, bool `[classes, b]`; None if the
      rows are the given ones.
  """

  batch: Any
  is_allowed: np.ndarray | None

  def log_sum(self, log_values: np.ndarray) -> np.ndarray:
    """Returns log Σ_c exp(log_values_c) over the classes, `[b]`.

    Args:
      log_values: Value of each row.
    """
    if self.is_allowed is None:
      return log_values
    by_class = np.where(self.is_allowed, np.reshape(
        log_values, self.is_allowed.shape), -np.inf)
    return np.logaddexp.reduce(by_class, axis=0)


def class_rows(model: LatentVariableModel, batch: Any) -> ClassRows:
  """Returns the rows of a batch for each class that its labels may be.

  Args:
    model: Model whose graph may infer the label.
    batch: Batch as `fit` takes it, of tensors.
  """
  inputs = batch[0] if isinstance(batch, tuple) else batch
  if not model.graph.infers_label or not is_missing(model, inputs).any():
    return ClassRows(batch, None)
  y = _labels(model, inputs)
  classes, size = y.shape[1], len(y)
  rows = tf.nest.map_structure(
      lambda part: tf.concat([part] * classes, axis=0), batch)
  complete = {
      'x': tf.concat([observed(inputs)['x']] * classes, axis=0),
      'y': tf.repeat(tf.eye(classes), size, axis=0)}
  return ClassRows(
      (complete, *rows[1:]) if isinstance(batch, tuple) else complete,
      (y.T > 0) | ~y.any(axis=1))


def is_missing(model: LatentVariableModel, inputs: Any) -> np.ndarray:
  """Returns whether the label of each example is missing, bool `[b]`.

  Args:
    model: Model whose graph infers the label.
    inputs: Batch of x, or a dictionary of 'x' and perhaps 'y', of tensors.
  """
  return ~_labels(model, inputs).any(axis=1)


def _labels(model: LatentVariableModel, inputs: Any) -> np.ndarray:
  """Returns one-hot labels `[b, classes]`, zeros where they are missing."""
  values = observed(inputs)
  if 'y' not in values:
    return np.zeros([len(values['x']), model.num_classes])
  return np.nan_to_num(np.asarray(values['y'], np.float64))
