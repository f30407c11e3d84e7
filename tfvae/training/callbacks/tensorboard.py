"""TensorBoard: scalars and pictures of each epoch, the latents at the end."""

from collections.abc import Iterator, Sequence
import math
import os
import shutil
from typing import Any

import numpy as np
from tensorboard.plugins import projector
import tensorflow as tf
import tf_keras

from tfvae.files import replacing
from tfvae.models import LatentVariableModel
from tfvae.report import image_grid
from tfvae.report.drawing.inline_images import to_bytes
from tfvae.report.latents.latent_walk import LatentWalk
from tfvae.training.callbacks.averaging import averaged

_DIRECTORY = 'tensorboard'
_ROWS, _COLUMNS, _MAX_CLASSES = 6, 10, 50  # Of samples; a class a column.
_MAX_POINTS = 2000  # Of the projector: t-SNE and UMAP run in the browser.
_MAX_SPRITE = 4096  # Pixels a side; the textures that any GPU takes.


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
      directory = os.path.join(workdir, _DIRECTORY, split)
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


def write_projector(workdir: str, model: LatentVariableModel, inputs: Any,
                    labels: np.ndarray | None = None,
                    label_names: Sequence[str] | None = None):
  """Writes posterior means for TensorBoard's embedding projector.

  Each latent z_j becomes a tensor of points E_q[z_j|x], drawn as their images
  and coloured by their labels. They are a run of their own, `projector`, made
  anew at each call.

  Args:
    workdir: the files go to `tensorboard/projector/` there.
    model: a trained model of images.
    inputs: x, `[n, h, w, c]`, or a dictionary of it and 'y'; the first 2,000.
    labels: integers, `[n]`.
    label_names: by label; a label without a name goes by its number.

  Raises:
    ValueError: if there is not a label for each image.
  """
  size = len(tf.nest.flatten(inputs)[0])
  if labels is not None and len(labels) != size:
    raise ValueError('labels must have one for each of the images. Received: '
                     f'{len(labels)} labels, {size} images')
  walk = LatentWalk(model, tf.nest.map_structure(
      lambda rows: rows[:_MAX_POINTS], inputs))
  directory = os.path.join(workdir, _DIRECTORY, 'projector')
  shutil.rmtree(directory, ignore_errors=True)
  os.makedirs(directory)
  if labels is not None:
    _write_labels(os.path.join(directory, 'metadata.tsv'),
                  labels[:_MAX_POINTS], label_names)
  sprite = projector.SpriteMetadata(
      image_path='sprite.png', single_image_dim=_write_sprite(
          os.path.join(directory, 'sprite.png'), walk.x))
  config = projector.ProjectorConfig()
  for name, means in walk.means.items():
    # The projector shows nothing of fewer than three dimensions.
    points = np.pad(means, [(0, 0), (0, max(0, 3 - means.shape[1]))])
    config.embeddings.add(
        tensor_name=name, tensor_shape=points.shape,
        tensor_path=_write_points(directory, name, points), sprite=sprite,
        metadata_path='' if labels is None else 'metadata.tsv')
  projector.visualize_embeddings(directory, config)
  # TensorBoard looks for configurations when a directory with events appears:
  # this file, empty and last, shows the points to one that is already open.
  tf.summary.create_file_writer(directory).close()


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


def _write_points(directory: str, name: str, points: np.ndarray) -> str:
  """Writes `[n, size]` as text; returns the file's name.

  Nine digits give every float32 back. TensorBoard takes raw numbers as well,
  but for text where their bytes happen to be some.
  """
  file = f'means_{name}.tsv'
  np.savetxt(os.path.join(directory, file), points, '%.9g', delimiter='\t')
  return file


def _write_labels(path: str, labels: np.ndarray, names: Sequence[str] | None):
  """Writes a label a line; with two columns the first line is their titles."""
  by_label = dict(enumerate(names or ()))
  with open(path, 'w', encoding='utf-8') as file:
    file.write('label\tindex\n')
    for index, label in enumerate(labels):
      # Tabs and line breaks would end the field.
      name = ' '.join(by_label.get(int(label), str(label)).split())
      file.write(f'{name}\t{index}\n')


def _write_sprite(path: str, images: np.ndarray) -> tuple[int, int]:
  """Writes images `[n, h, w, c]` as one PNG; returns width and height of each.

  It has as many rows as columns, which the projector takes for granted where
  it looks up the image under the pointer.
  """
  columns = math.ceil(math.sqrt(len(images)))
  side = _MAX_SPRITE // columns
  if max(images.shape[1:3]) > side:
    images = tf.image.resize(images, [side, side], 'area',
                             preserve_aspect_ratio=True).numpy()
  _, height, width, channels = images.shape
  places = np.zeros([columns**2, height, width, channels], np.uint8)
  places[:len(images)] = to_bytes(images)
  # [rows, columns, h, w, c] -> [rows, h, columns, w, c]
  atlas = places.reshape(columns, columns, height, width, channels).swapaxes(
      1, 2).reshape(columns * height, columns * width, channels)
  tf.io.write_file(path, tf.io.encode_png(atlas))
  return width, height
