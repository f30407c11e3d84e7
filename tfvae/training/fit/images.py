"""Images of a run, checked against its model."""

from collections.abc import Iterator, Sequence
import dataclasses

import numpy as np

from tfvae import data
from tfvae.layers import LIKELIHOODS
from tfvae.layers.columns import BLOCKS
from tfvae.layers.likelihoods.support import check_support
from tfvae.tables import Column
from tfvae.training.config import Config


def load_images(config: Config) -> data.ImageData:
  """Returns the data of a run, checked against its model."""
  images = read_data(config)
  _check_support(config, images)
  if config.model.graph().is_conditional:
    check_labels(config, images)
  return images if config.data.num_labels is None else (
      _with_few_labels(config, images))


def read_data(config: Config) -> data.ImageData:
  """Returns the data of a run."""
  source = config.data
  return data.load(
      source.dataset, data_dir=source.data_dir,
      train_split=source.train_split,
      validation_split=source.validation_split, test_split=source.test_split,
      validation_fraction=source.validation_fraction,
      image_key=source.image_key, label_key=source.label_key,
      seed=config.evaluation.eval_seed, cache=source.cache,
      cache_dir=source.cache_dir, test_fraction=source.test_fraction,
      image_size=source.image_size, resize=source.resize,
      channels=source.channels, background=source.background,
      skip_corrupt=source.skip_corrupt, schema=source.schema,
      missing=source.missing, weight_key=source.weight_key,
      mask_key=source.mask_key,
      missing_labels=config.model.graph().infers_label)


def _with_few_labels(config: Config, images: data.ImageData) -> data.ImageData:
  """Returns the data with `num_labels` of the training labels."""
  source, seed = config.data, config.data.label_seed
  labels = data.kept_labels(
      images.train.labels, images.num_classes, source.num_labels,
      config.evaluation.eval_seed if seed is None else seed)
  return dataclasses.replace(
      images, train=dataclasses.replace(images.train, labels=labels))


def labeled_fraction(images: data.ImageData) -> float:
  """Returns the fraction of the training examples that have a label.

  It is 1 if there are no labels: no example then has their part of an
  objective.
  """
  labels = images.train.labels
  return 1.0 if labels is None else float(np.mean(labels >= 0)) or 1.0


def has_image_files(config: Config, shape: Sequence[int]) -> bool:
  """Returns whether x is the gray or RGB image of a folder or of TFDS.

  Args:
    config: Settings of the run.
    shape: Shape of one x.
  """
  return (len(shape) == 3 and shape[-1] in (1, 3)
          and not data.names_array(config.data.dataset))


def training_moments(config: Config, images: data.ImageData
                     ) -> tuple[np.ndarray, np.ndarray] | None:
  """Returns mean and standard deviation of each element of the training x.

  They are those of the observed values of x as the model sees it. None for
  images, and for data without a unit, which are from 0 to 1.
  """
  kind = LIKELIHOODS[config.model.likelihood].kind_of_data()
  if len(images.image_shape) == 3 or not kind.has_unit:
    return None
  stored = data.stored(images.train.images)
  chunks = (stored if kind.is_count else stored.full_range()).chunks()
  return data.moments(
      chunk if kind.is_count or chunk.dtype != np.uint8 else chunk / 255
      for chunk in chunks)


def elements_with_holes(config: Config,
                        images: data.ImageData) -> np.ndarray | None:
  """Returns whether a training example may miss each element of x.

  Args:
    config: Settings of the run.
    images: Data of the run.

  Returns:
    Booleans of the shape of x: true where an element is missing in a training
    example, and everywhere if values are hidden at random. None if the settings
    allow no missing values.
  """
  if not config.data.takes_missing:
    return None
  shape = images.image_shape
  if config.data.hide_fraction > 0:
    return np.ones(shape, bool)
  holes = np.zeros(shape, bool)
  # What was found when the data were opened spares a pass over complete data.
  if images.findings.missing:
    for chunk in data.chunks(images.train.images):
      holes |= np.isnan(chunk).any(axis=0)
  return holes


def training_columns(images: data.ImageData) -> tuple[Column, ...]:
  """Returns the columns of a table in the unit of its training rows.

  The unit is that of the observed values. They are empty for other data.
  """
  if images.schema is None:
    return ()
  columns = images.schema.modeled
  counts = [np.zeros(column.num_codes, np.int64) for column in columns]

  def transformed() -> Iterator[np.ndarray]:
    for chunk in data.stored(images.train.images).chunks():
      chunk = np.float64(chunk)
      for column, count, codes in zip(columns, counts, chunk.T, strict=True):
        if column.categories:
          observed = codes[~np.isnan(codes)].astype(int)
          count += np.bincount(observed, minlength=len(count))
      yield np.stack([
          BLOCKS[column.kind].transformed(codes, np)
          for column, codes in zip(columns, chunk.T, strict=True)], axis=1)

  loc, scale = data.moments(transformed())
  return tuple(BLOCKS[column.kind].fitted(column, *unit) for column, *unit in
               zip(columns, loc, scale, counts, strict=True))


def check_labels(config: Config, images: data.ImageData):
  """Raises a ValueError unless every image has a class, if it must."""
  if not images.num_classes:
    raise ValueError(
        "The graphical model has the label 'y', and the data set has no "
        'classes; remove it, or name their feature by `label_key`. Received: '
        f'dataset={config.data.dataset!r}, label_key={config.data.label_key!r}')
  for part in ('test', 'validation', 'train'):
    is_carved = part == 'validation' and config.data.validation_split is None
    name = 'train_split' if is_carved else f'{part}_split'
    getattr(images, part).check_labels(
        images.num_classes,
        f'the {part} images (`{name}={getattr(config.data, name)!r}`)',
        config.model.graph().infers_label)


def _check_support(config: Config, images: data.ImageData):
  """Raises a ValueError if an image is outside the likelihood's support."""
  likelihood = LIKELIHOODS[config.model.likelihood]
  kind = likelihood.kind_of_data()
  for split in (images.train, images.validation, images.test):
    if kind.is_binary:
      data.check_support(split.images, config.data_binarization())
    # k/255 has every support but that of counts.
    elif kind.is_count or split.images.dtype != np.uint8:
      first = 0
      for chunk in data.chunks(split.images):
        check_support(chunk, likelihood.support, config.model.likelihood, first,
                      allow_missing=config.data.missing == 'allow')
        first += len(chunk)
