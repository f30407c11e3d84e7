"""Latents of a trained model for TensorBoard's embedding projector."""

from collections.abc import Sequence
import math
import os
import shutil
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.inference import observed
from tfvae.lazy import LazyModule
from tfvae.models import LatentVariableModel
from tfvae.report.drawing.inline_images import to_bytes
from tfvae.report.latents.latent_walk import LatentWalk
from tfvae.tables import texts
from tfvae.training.callbacks.tensorboard import DIRECTORY

projector = LazyModule('tensorboard.plugins.projector')

_MAX_POINTS = 2000  # t-SNE and UMAP run in the browser.
_METADATA = 'metadata.tsv'
_DIGITS = 7  # Of a number in the metadata, about those of float32.
_MAX_SPRITE = 4096  # Pixels per side, which any GPU supports as a texture.


def write_projector(workdir: str, model: LatentVariableModel, inputs: Any,
                    labels: np.ndarray | None = None,
                    label_names: Sequence[str] | None = None):
  """Writes posterior means for the embedding projector of TensorBoard.

  Each latent z_j becomes a tensor of points E_q[z_j|x], colored by their labels
  or by a column of their table, and drawn as their pictures if they are images.
  They form a separate run, `projector`, which each call rewrites.

  Args:
    workdir: Directory that receives `tensorboard/projector/`.
    model: Trained model.
    inputs: Examples x of shape `[n, ...]`, or a dictionary of 'x' and 'y'; at
      most the first 2,000 are used.
    labels: Integers of shape `[n]`.
    label_names: Names by label; a label without a name is shown as a number.

  Raises:
    ValueError: If the numbers of labels and images differ.
  """
  size = len(tf.nest.flatten(inputs)[0])
  if labels is not None and len(labels) != size:
    raise ValueError('`labels` must have one label for each image. Received: '
                     f'{len(labels)} labels, {size} images')
  walk = LatentWalk(model, tf.nest.map_structure(
      lambda rows: rows[:_MAX_POINTS], inputs))
  directory = os.path.join(workdir, DIRECTORY, 'projector')
  shutil.rmtree(directory, ignore_errors=True)
  os.makedirs(directory)
  metadata = _metadata(walk, None if labels is None else labels[:_MAX_POINTS],
                       label_names)
  if metadata:
    _write_metadata(os.path.join(directory, _METADATA), metadata)
  sprite = None
  if walk.is_image:
    sprite = projector.SpriteMetadata(
        image_path='sprite.png', single_image_dim=_write_sprite(
            os.path.join(directory, 'sprite.png'), walk.x))
  config = projector.ProjectorConfig()
  for name, means in walk.means.items():
    # The projector needs at least three dimensions.
    points = np.pad(means, [(0, 0), (0, max(0, 3 - means.shape[1]))])
    config.embeddings.add(
        tensor_name=name, tensor_shape=points.shape,
        tensor_path=_write_points(directory, name, points), sprite=sprite,
        metadata_path=_METADATA if metadata else '')
  projector.visualize_embeddings(directory, config)
  # TensorBoard looks for configurations when a directory with events appears;
  # this empty file, written last, makes a running TensorBoard show the points.
  tf.summary.create_file_writer(directory).close()


def _write_points(directory: str, name: str, points: np.ndarray) -> str:
  """Writes `[n, size]` as text, and returns the name of the file.

  Nine digits restore every float32. TensorBoard also reads binary numbers, but
  mistakes them for text if their bytes are valid text.
  """
  file = f'means_{name}.tsv'
  np.savetxt(os.path.join(directory, file), points, '%.9g', delimiter='\t')
  return file


def _metadata(walk: LatentWalk, labels: np.ndarray | None,
              names: Sequence[str] | None) -> list[list[str]]:
  """Returns the label and the columns of the points, each below its title."""
  found = []
  if labels is not None:
    by_label = dict(enumerate(names or ()))
    found.append(['label', *(
        by_label.get(int(label), str(label)) for label in labels)])
  x = np.asarray(observed(walk.inputs)['x'])
  return found + [
      [column.name, *texts(column, codes, _DIGITS)] for column, codes in zip(
          walk.columns, x.T if walk.columns else (), strict=True)]


def _write_metadata(path: str, metadata: Sequence[Sequence[str]]):
  """Writes a line for each point, with its index, below a line of titles.

  The index makes them at least two columns; with one, TensorBoard would take
  the titles for a point.
  """
  index = ['index', *map(str, range(len(metadata[0]) - 1))]
  with open(path, 'w', encoding='utf-8') as file:
    for line in zip(*metadata, index, strict=True):
      # Without tabs and line breaks, which end a field.
      file.write('\t'.join(' '.join(text.split()) for text in line) + '\n')


def _write_sprite(path: str, images: np.ndarray) -> tuple[int, int]:
  """Writes images `[n, h, w, c]` as one PNG; returns width and height of each.

  It has as many rows as columns, as the projector assumes when it looks up the
  image under the pointer.
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
