"""Samples of a trained model, in the format of its data."""

import logging
import os
import shutil
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from tfvae import data
from tfvae.layers import IndependentColumns
from tfvae.models import LatentVariableModel
from tfvae.tables import Schema
from tfvae.training.config import Config
from tfvae.training.fit.images import has_image_files

_LOGGER = logging.getLogger(__name__)

_CHUNK = 1000  # Samples drawn at a time.
WRITERS = {
    '.csv': lambda frame, path: frame.to_csv(path, index=False),
    '.tsv': lambda frame, path: frame.to_csv(path, sep='\t', index=False),
    '.parquet': lambda frame, path: frame.to_parquet(path, index=False)}


def write_samples(model: LatentVariableModel, config: Config,
                  workdir: str) -> str:
  """Writes draws of x ~ p(x|z), z ~ p(z), and returns their path.

  Those of a table are a table of the same kind, `samples.csv`, `samples.tsv` or
  `samples.parquet`. Those of images, unless they came as an array, are a folder
  of PNG files, `samples/`, with E[x|z] in place of draws, as in the report.
  Those of arrays are `samples.npz`, with the array x. A conditional model gets
  each class in turn; the classes are y of the archive, or a column with their
  numbers.

  Args:
    model: Trained model.
    config: Settings of the run: `num_samples`, `eval_seed` and `dataset`.
    workdir: Directory of the run. Earlier samples are replaced.
  """
  head = model.likelihood_layer()
  is_table = isinstance(head, IndependentColumns)
  is_image = has_image_files(config, head.event_shape)
  x, y = _draw(model, config.serving.num_samples,
               config.evaluation.eval_seed, mean=is_image)
  if is_table:
    extension = data.table_extension(config.data.dataset)
    path = os.path.join(workdir, f'samples{extension}')
    columns = Schema(head.columns).decoded(x)
    if y is not None:
      columns['class'] = y
    WRITERS[extension](pd.DataFrame(columns), path)
  elif is_image:
    path = os.path.join(workdir, 'samples')
    _write_images(x, y, path, head.kind_of_data().is_count)
  else:
    path = os.path.join(workdir, 'samples.npz')
    np.savez(path, x=x, **({} if y is None else {'y': y}))
  _LOGGER.info('%d samples are in %s.', len(x), path)
  return path


def _draw(model: LatentVariableModel, count: int, seed: int,
          mean: bool) -> tuple[np.ndarray, np.ndarray | None]:
  """Returns samples and, of a conditional model, their classes."""
  classes = None
  if model.graph.is_conditional:
    classes = np.arange(count) % model.num_classes
  parts = []
  for index, start in enumerate(range(0, count, _CHUNK)):
    size = min(_CHUNK, count - start)
    inputs: Any = None
    if classes is not None:
      inputs = {'y': np.eye(model.num_classes, dtype=np.float32)[
          classes[start:start + size]]}
    # The seeds of the chunks follow each other, from that of the run.
    parts.append(model.sample(
        size, (seed + index) % 2**31, mean, inputs).numpy())
  return np.concatenate(parts), classes


def _write_images(x: np.ndarray, y: np.ndarray | None, path: str,
                  is_count: bool):
  shutil.rmtree(path, ignore_errors=True)
  pixels = np.uint8(np.clip(np.round(x if is_count else 255 * x), 0, 255))
  width = len(str(len(x) - 1))
  for i, image in enumerate(pixels):
    folder = path if y is None else os.path.join(path, str(y[i]))
    os.makedirs(folder, exist_ok=True)
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(
        os.path.join(folder, f'{i:0{width}d}.png'))
