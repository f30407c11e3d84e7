"""Validation at the end of an epoch."""

from collections.abc import Sequence
from concurrent import futures
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.models.steps.passes import evaluate_steps
from tfvae.training.callbacks.averaging import averaged
from tfvae.training.callbacks.averaging import put_back
from tfvae.training.callbacks.averaging import swap_in


class Validation(tf_keras.callbacks.Callback):
  """Validates, with the averaged weights if the optimizer averages them.

  The `val_` means are added to the logs of the epoch, for the callbacks that
  follow. `fit` with `validation_data` would make iterators in each epoch.

  `fit` ends by replacing the weights with their averages, from which a further
  `fit` would start; the callback restores the weights there.
  """

  _own: Sequence[tf.Tensor] = ()

  def __init__(self, batches: Any, steps: int):
    """Initializes the callback.

    Args:
      batches: Endless data set of the validation split, distributed as the
        model is.
      steps: Steps of a pass.
    """
    super().__init__()
    self._batches, self._steps, self._iterator = batches, steps, None

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Adds the means to the logs."""
    if self._iterator is None:
      self._iterator = iter(self._batches)
    self._own = swap_in(self.model)
    means = evaluate_steps(self.model, self._iterator, self._steps)
    put_back(self.model, self._own)
    logs.update({f'val_{name}': value for name, value in means.items()})

  def on_train_end(self, logs: dict[str, Any] | None = None):
    """Restores the weights of the model."""
    put_back(self.model, self._own)


class CoordinatorValidation(tf_keras.callbacks.Callback):
  """Validates in the process of the coordinator of a parameter server.

  The `val_` means are added to the logs of the epoch, for the callbacks that
  follow.
  """

  def __init__(self, plain_model: tf_keras.Model, batches: tf.data.Dataset):
    """Initializes the callback.

    Args:
      plain_model: Compiled model of the same architecture, whose variables are
        in this process.
      batches: Batches of the validation split.
    """
    super().__init__()
    self._plain_model, self._batches = plain_model, batches

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Adds the means to the logs."""
    with averaged(self.model):
      self._plain_model.set_weights(self.model.get_weights())
    # In a separate thread: inside the strategy scope of `fit`, `evaluate` would
    # run on the workers.
    with futures.ThreadPoolExecutor(1) as thread:
      means = thread.submit(self._plain_model.evaluate, self._batches,
                            return_dict=True, verbose=0).result()
    logs.update({f'val_{name}': value for name, value in means.items()})
