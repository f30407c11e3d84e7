"""Scalars and pictures of each epoch for TensorBoard."""

from collections.abc import Iterator
import os
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.files import replacing
from tfvae.report import image_grid
from tfvae.training.callbacks.averaging import averaged

DIRECTORY = 'tensorboard'
_ROWS, _COLUMNS, _MAX_CLASSES = 6, 10, 50  # Of samples; a class a column.


class TensorBoard(tf_keras.callbacks.Callback):
  """Writes scalars, reconstructions and samples after each epoch.

  Training and validation are two runs with one tag for each scalar, so that
  TensorBoard draws both in one chart. The images that are reconstructed, and
  the noise of the samples, stay the same from epoch to epoch.
  """

  def __init__(self, workdir: str, inputs: Any, epochs_done: int = 0,
               seed: int = 0):
    """Initialises the callback; events of epochs not done are dropped.

    Args:
      workdir: `tensorboard/` goes there.
      inputs: the row of images to reconstruct, x, `[n, h, w, c]`; of a
        conditional model a dictionary of it and the one-hot 'y',
        `[n, classes]`: the first 50 classes get a column of samples each.
      epochs_done: after which training goes on.
      seed: of the samples.
    """
    super().__init__()
    self._inputs, self._labels, self._columns = inputs, None, _COLUMNS
    if isinstance(inputs, dict):
      one_hot = np.eye(inputs['y'].shape[1], dtype=np.float32)[:_MAX_CLASSES]
      self._columns = len(one_hot)
      self._labels = {'y': np.tile(one_hot, [_ROWS, 1])}
    self._seed = seed
    # Compiled: an autoregressive posterior takes its time one op after another.
    self._means = tf.function(self._means_of_x, autograph=False)
    self._writers = {}
    for split in ('train', 'validation'):
      directory = os.path.join(workdir, DIRECTORY, split)
      os.makedirs(directory, exist_ok=True)
      _drop_steps_after(epochs_done, directory)
      self._writers[split] = tf.summary.create_file_writer(directory)

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None):
    """Writes the epoch's means, its learning rate and its pictures."""
    logs = logs | {
        'learning_rate': float(self.model.optimizer.learning_rate.numpy())}
    for name, value in logs.items():
      split = 'validation' if name.startswith('val_') else 'train'
      with self._writers[split].as_default(step=epoch + 1):
        tf.summary.scalar(name.removeprefix('val_'), value)
    x = np.asarray(
        self._inputs['x'] if isinstance(self._inputs, dict) else self._inputs)
    with averaged(self.model):
      reconstructions, samples = self._means()
    scale = max(1, x.max())  # Counts are shown on the data's scale.
    with self._writers['train'].as_default(step=epoch + 1):
      _write_grid('samples', samples / scale, self._columns)
    with self._writers['validation'].as_default(step=epoch + 1):
      _write_grid('reconstructions',
                  np.concatenate([x, reconstructions]) / scale, len(x))
    for writer in self._writers.values():
      writer.flush()

  def close(self):
    """Closes the files, after the last epoch."""
    for writer in self._writers.values():
      writer.close()

  def _means_of_x(self) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns E[x|z] at the posterior means, and at draws of the prior."""
    return (self.model(self._inputs, training=False).mean(),
            self.model.sample(_ROWS * self._columns, self._seed, mean=True,
                              inputs=self._labels))


def _write_grid(tag: str, images: np.ndarray, columns: int):
  grid = image_grid(images, columns)
  # TensorBoard shows 1, 3 or 4 channels.
  grid = grid if grid.shape[-1] in (1, 3, 4) else grid[..., :1]
  tf.summary.image(tag, grid[np.newaxis])


def _drop_steps_after(step: int, directory: str):
  """Rewrites the event files of a directory without later steps.

  A killed run may have left those of an epoch that is done again, and
  TensorBoard's two readers do not agree on which of two equal steps to show.
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
    return  # The kill cut the last one short.
