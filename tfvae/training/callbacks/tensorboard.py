"""Scalars and pictures of each epoch for TensorBoard."""

from collections.abc import Iterator
import os
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.files import replacing
from tfvae.inference import observed
from tfvae.report import Display
from tfvae.report import image_grid
from tfvae.training.callbacks.averaging import averaged

DIRECTORY = 'tensorboard'
_ROWS, _COLUMNS = 6, 10  # Grid of samples.
_MAX_CLASSES = 50  # Columns of a conditional model, one per class.


class TensorBoard(tf_keras.callbacks.Callback):
  """Writes scalars, reconstructions and samples after each epoch.

  Training and validation are two runs with the same tags, so that TensorBoard
  draws both in one chart. The reconstructed images and the noise of the samples
  are the same in every epoch.
  """

  def __init__(self, workdir: str, inputs: Any, epochs_done: int = 0,
               seed: int = 0):
    """Initializes the callback, and removes events of later epochs.

    Args:
      workdir: Directory that receives `tensorboard/`.
      inputs: Examples to reconstruct, x of shape `[n, ...]`; for a
        conditional model a dictionary of 'x' and the one-hot 'y' of shape
        `[n, classes]`, of which the first 50 classes get a column of samples.
      epochs_done: Number of complete epochs.
      seed: Seed of the samples.
    """
    super().__init__()
    self._inputs, self._labels, self._columns = inputs, None, _COLUMNS
    labels = observed(inputs).get('y')
    if labels is not None:
      one_hot = np.eye(labels.shape[1], dtype=np.float32)[:_MAX_CLASSES]
      self._columns = len(one_hot)
      self._labels = {'y': np.tile(one_hot, [_ROWS, 1])}
    self._seed = seed
    self._display = Display(observed(inputs)['x'])
    # Compiled, because an autoregressive posterior is slow in eager mode.
    self._means = tf.function(self._means_of_x, autograph=False)
    self._writers = {}
    for split in ('train', 'validation'):
      directory = os.path.join(workdir, DIRECTORY, split)
      os.makedirs(directory, exist_ok=True)
      _drop_steps_after(epochs_done, directory)
      self._writers[split] = tf.summary.create_file_writer(directory)

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Writes the means, the learning rate and the pictures of the epoch."""
    logs = logs | {
        'learning_rate': float(self.model.optimizer.learning_rate.numpy())}
    for name, value in logs.items():
      split = 'validation' if name.startswith('val_') else 'train'
      with self._writers[split].as_default(step=epoch + 1):
        tf.summary.scalar(name.removeprefix('val_'), value)
    x = np.asarray(observed(self._inputs)['x'])
    with averaged(self.model):
      reconstructions, samples = self._means()
    with self._writers['train'].as_default(step=epoch + 1):
      _write_grid('samples', self._display(samples.numpy()), self._columns)
    with self._writers['validation'].as_default(step=epoch + 1):
      _write_grid('reconstructions',
                  self._display(np.concatenate([x, reconstructions])), len(x))
    for writer in self._writers.values():
      writer.flush()

  def close(self):
    """Closes the files after the last epoch."""
    for writer in self._writers.values():
      writer.close()

  def _means_of_x(self) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns E[x|z] at the posterior means, and at draws of the prior."""
    return (self.model(self._inputs, training=False).mean(),
            self.model.sample(_ROWS * self._columns, self._seed, mean=True,
                              inputs=self._labels))


def _write_grid(tag: str, images: np.ndarray, columns: int):
  tf.summary.image(tag, image_grid(images, columns)[np.newaxis])


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
