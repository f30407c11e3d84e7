"""Scalars and examples of each epoch for TensorBoard."""

from collections.abc import Iterator, Sequence
import math
import os
import time
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.files import replacing
from tfvae.inference import observed
from tfvae.lazy import LazyModule
from tfvae.tables import Column
from tfvae.training.callbacks.averaging import averaged
from tfvae.training.callbacks.summaries import PictureSummaries
from tfvae.training.callbacks.summaries import RowSummaries

summary_v2 = LazyModule('tensorboard.plugins.scalar.summary_v2')

DIRECTORY = 'tensorboard'


class TensorBoard(tf_keras.callbacks.Callback):
  """Writes scalars after each epoch, and reconstructions and samples.

  Training and validation are two runs with the same tags, so that TensorBoard
  draws both in one chart. The reconstructed examples and the noise of the
  samples are the same each time. They are written after the first epoch, the
  last one, and others that end some seconds after the last time. Images are
  shown as pictures and rows of a table as text, with log p(x|z) by column as
  scalars; of other data there are the scalars of the model alone.
  """

  def __init__(self, workdir: str, inputs: Any, epochs_done: int = 0,
               seed: int = 0, columns: Sequence[Column] = (),
               min_seconds: float = 0.0):
    """Initializes the callback, and removes events of later epochs.

    Args:
      workdir: Directory that receives `tensorboard/`.
      inputs: Examples to reconstruct, x of shape `[n, ...]`; for a
        conditional model a dictionary of 'x' and the one-hot 'y' of shape
        `[n, classes]`, of which the first 50 classes get a column of samples.
      epochs_done: Number of complete epochs.
      seed: Seed of the samples.
      columns: Columns of x, if it is the row of a table.
      min_seconds: Seconds between two times that examples are written.
    """
    super().__init__()
    self._summaries, self._min_seconds = None, min_seconds
    self._written = -math.inf
    if columns:
      self._summaries = RowSummaries(inputs, columns, seed)
    elif np.ndim(observed(inputs)['x']) == 4:
      self._summaries = PictureSummaries(inputs, seed)
    self._writers = {}
    for split in ('train', 'validation'):
      directory = os.path.join(workdir, DIRECTORY, split)
      os.makedirs(directory, exist_ok=True)
      _drop_steps_after(epochs_done, directory)
      self._writers[split] = tf.summary.create_file_writer(directory)

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Writes the means, the learning rate and the examples of the epoch."""
    logs = logs | {
        'learning_rate': float(self.model.optimizer.learning_rate.numpy())}
    summaries = dict.fromkeys(self._writers, b'')
    for name, value in logs.items():
      split = 'validation' if name.startswith('val_') else 'train'
      # Messages one after the other are one message with the values of all.
      summaries[split] += summary_v2.scalar_pb(
          name.removeprefix('val_'), value).SerializeToString()
    # One operation for all of them, as each takes half a millisecond.
    for split, writer in self._writers.items():
      with writer.as_default():
        tf.summary.experimental.write_raw_pb(summaries[split], step=epoch + 1)
    is_due = time.monotonic() - self._written >= self._min_seconds or (
        epoch + 1 == self.params['epochs'])
    if self._summaries is not None and is_due:
      with averaged(self.model):
        self._summaries.write(self.model, self._writers, epoch + 1)
      self._written = time.monotonic()

  def flush(self):
    """Writes to the files what is in memory."""
    for writer in self._writers.values():
      writer.flush()

  def close(self):
    """Closes the files after the last epoch."""
    for writer in self._writers.values():
      writer.close()


def _drop_steps_after(step: int, directory: str):
  """Rewrites the event files of a directory without later steps.

  A killed run may have left events of an epoch that is repeated, and the two
  readers of TensorBoard differ in which of two equal steps they show.
  """
  for file in os.listdir(directory):
    if 'tfevents' not in file:
      continue
    path = os.path.join(directory, file)
    # TensorBoard reads every file whose name has 'tfevents' in it.
    with (replacing(path, 'rewritten.tmp') as temporary,
          tf.io.TFRecordWriter(temporary) as writer):
      for record in _whole_records(path):
        if tf.compat.v1.Event.FromString(record).step <= step:
          writer.write(record)


def _whole_records(path: str) -> Iterator[bytes]:
  try:
    yield from tf.data.TFRecordDataset(path).as_numpy_iterator()
  except tf.errors.DataLossError:
    return  # A kill truncated the last record.
