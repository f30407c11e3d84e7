"""Validation in one process, where workers train at their own pace."""

from concurrent import futures
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae.training.callbacks.averaging import averaged


class CoordinatorValidation(tf_keras.callbacks.Callback):
  """Validates at the end of an epoch as `fit` does, but here.

  The `val_` means are put among the epoch's logs, for the callbacks that
  follow.
  """

  def __init__(self, plain_model: tf_keras.Model, batches: tf.data.Dataset):
    """Initialises the callback.

    Args:
      plain_model: a compiled model of the same kind, whose variables are here.
      batches: of the validation split.
    """
    super().__init__()
    self._plain_model, self._batches = plain_model, batches

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Adds the means."""
    with averaged(self.model):
      self._plain_model.set_weights(self.model.get_weights())
    # In a thread of its own: `fit` is in the scope of its strategy, where
    # `evaluate` would have the workers do it.
    with futures.ThreadPoolExecutor(1) as thread:
      means = thread.submit(self._plain_model.evaluate, self._batches,
                            return_dict=True, verbose=0).result()
    logs.update({f'val_{name}': value for name, value in means.items()})
