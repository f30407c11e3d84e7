"""The batches of a run's splits, as its settings have them."""

import numpy as np
import tensorflow as tf

from tfvae import data
from tfvae.models.choices import SUPPORT
from tfvae.training.config import Config


def training_batches(images: data.ImageData, config: Config,
                     epochs_done: int) -> tf.data.Dataset:
  """Returns the endless batches of the training split from an epoch on."""
  if isinstance(images.train.images, data.StreamedImages):
    return data.streamed_batches(
        images.train.images, config.batch_size, config.seed,
        config.data_binarization(), epochs_done,
        labels=labels_where_needed(images, 'train', config),
        as_counts=as_counts(config), shuffle_buffer=config.shuffle_buffer,
        deterministic=config.deterministic)
  return data.training_batches(
      images.train.images, config.batch_size, config.seed,
      config.data_binarization(), epochs_done,
      labels_where_needed(images, 'train', config), as_counts(config))


def evaluation_batches(images: data.ImageData, split: str,
                       config: Config) -> tf.data.Dataset:
  """Returns the batches of a split, always the same."""
  return data.evaluation_batches(
      getattr(images, split).images, config.eval_batch_size, config.seed,
      config.data_binarization(), labels_where_needed(images, split, config),
      as_counts(config))


def labels_where_needed(images: data.ImageData, split: str,
                        config: Config) -> np.ndarray | None:
  """Returns one-hot labels where the graphical model has y."""
  if not config.graph().is_conditional:
    return None
  return getattr(images, split).one_hot(images.num_classes)


def as_counts(config: Config) -> bool:
  """Returns whether the likelihood takes the stored numbers for counts."""
  return SUPPORT[config.likelihood] == 'counts'
