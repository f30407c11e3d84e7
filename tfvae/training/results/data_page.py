"""The data of a run as a page, a file and text, before or after training."""

import dataclasses
import os
from typing import Any

import numpy as np

from tfvae import data
from tfvae import report
from tfvae.training.config import Config
from tfvae.training.fit.batches import as_counts
from tfvae.training.fit.batches import first_batch
from tfvae.training.fit.images import read_data
from tfvae.training.flag_names import as_flags
from tfvae.training.results.json_files import write_json

PAGE_FILE = 'data.html'
# Not data.json, which has the digests that a run resumes with.
FACTS_FILE = 'description.json'

_BATCH = 64  # Examples of the first batch that are shown.
# Examples of each split that the report of a run examines; of data that are
# decoded in each pass, fewer, which takes a fraction of an epoch.
_MOST, _MOST_STREAMED = 100_000, 10_000


def write_data_page(config: Config, workdir: str) -> dict[str, Any]:
  """Writes what was read as a page, and prints it, without a model.

  All examples are examined. The files of a run in the directory stay. Rows with
  missing values are counted, also where a run would refuse them.

  Args:
    config: Settings of the data; those of the training and of the likelihood
      fix the first batch.
    workdir: Directory that receives `data.html` and `description.json`.

  Returns:
    An empty dictionary: there are no metrics.

  Raises:
    ValueError: If the data cannot be read, or the files cannot be written.
  """
  images = read_data(_with_missing_values(config))
  description = data.describe(images)
  facts = description.to_dict()
  path = os.path.join(workdir, PAGE_FILE)
  try:
    os.makedirs(workdir, exist_ok=True)
    write_json(os.path.join(workdir, FACTS_FILE), facts)
    report.write_data_page(
        path, facts, *_batch(config, images, description))
  except OSError as error:
    raise ValueError(
        f'Cannot write the page: {error.strerror}; choose another `workdir`. '
        f'Received: workdir={workdir}') from error
  print(data.summary(description))
  if description.dropped and config.data.missing == 'refuse':
    print(as_flags('Training refuses rows with missing values; `missing=drop` '
                   'leaves them out, `missing=allow` learns from them.'))
  print(f'The page is {path}.')
  return {}


def _with_missing_values(config: Config) -> Config:
  """Returns settings that leave out rows that have holes."""
  source = config.data.dataset
  if config.data.missing != 'refuse' or not (
      data.names_table(source) or data.names_array(source)):
    return config
  return dataclasses.replace(
      config, data=dataclasses.replace(config.data, missing='drop'))


def data_facts(config: Config, images: data.ImageData) -> dict[str, Any]:
  """Returns the arguments of `report.write_report` on the data of a run.

  Args:
    config: Settings of the run.
    images: Data of the run; of each split, the first examples are examined.
  """
  is_streamed = isinstance(images.train.images, data.StreamedImages)
  description = data.describe(
      images, _MOST_STREAMED if is_streamed else _MOST)
  batch, caption = _batch(config, images, description)
  return {'data': description.to_dict(), 'first_batch': batch,
          'batch_caption': caption}


def _batch(config: Config, images: data.ImageData,
           description: data.Description) -> tuple[list[np.ndarray], str]:
  """Returns forms of x of the first training batch, and a sentence on them.

  Numbers outside [0, 1] are not binarized; training on them with a likelihood
  of bits raises an error. The rows of a table are in its description.
  """
  numbers = description.splits['train'].numbers
  if numbers is None or numbers.minimum is None:
    return [], ''
  binarization = config.data_binarization()
  is_pixels = description.dtype == 'uint8'
  if not is_pixels and not 0 <= numbers.minimum <= numbers.maximum <= 1:
    binarization = 'none'
  seen = first_batch(images, config, _BATCH, binarization)
  hidden = ''
  if config.data.hide_fraction:
    hidden = (f' {config.data.hide_fraction:.4g} of the values are hidden, '
              'others in every epoch.')
  if np.isnan(seen).any():
    hidden += (' Missing pixels are gray.' if seen.ndim == 4 else
               ' The columns of missing numbers are gray.')
  if binarization == 'none':
    scaled = ', divided by 255' if is_pixels and not as_counts(config) else ''
    return [seen], f'Training examples as the model sees them{scaled}.{hidden}'
  gray = first_batch(images, config, _BATCH, 'none', hides=False)
  return [gray, seen], (
      'Training examples, each above what the model sees: bits that are drawn '
      'with the pixel as the probability of 1 '
      f'({binarization} binarization).{hidden}')
