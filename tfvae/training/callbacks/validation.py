"""Validation in the coordinator of a parameter server."""

from concurrent import futures
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.training.callbacks.averaging import averaged


class CoordinatorValidation(tf_keras.callbacks.Callback):
  """Validates in this process at the end of an epoch.

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
