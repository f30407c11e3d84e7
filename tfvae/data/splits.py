"""One split of a TFDS image data set, read into memory once."""

from collections.abc import Sequence
import dataclasses
import logging

import numpy as np
import tensorflow_datasets as tfds

from tfvae.data.storage.memory import aligned_empty
from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import is_in_memory
from tfvae.data.tfds.features import ImageSpec
from tfvae.data.tfds.features import LabelSpec
from tfvae.data.tfds.records import read_pieces

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images and, where the data set has them, their labels and factors.

  Attributes:
    images: `[n, height, width, channels]`, uint8, or float32 in [0, 1]; an
      array, read-only as tensors share its memory, or `StoredImages` where they
      are not held in memory.
    labels: int64 `[n]`, or None.
    factors: int64 `[n, f]`, a column for each generative factor, or None.
  """

  images: Images
  labels: np.ndarray | None = None
  factors: np.ndarray | None = None

  def one_hot(self, num_classes: int) -> np.ndarray:
    """Returns the labels as float32 `[n, num_classes]`.

    Raises:
      ValueError: If there are no labels, or one is not among the classes.
    """
    self.check_labels(num_classes)
    return np.eye(num_classes, dtype=np.float32)[self.labels]

  def check_labels(self, num_classes: int, name: str = 'the images') -> None:
    """Raises a ValueError unless every image has one of the classes.

    Args:
      num_classes: Number of classes, the labels 0, ..., num_classes - 1.
      name: Name of the images in the message.
    """
    if self.labels is None:
      raise ValueError(
          'A conditional model needs labels. Name their feature by '
          f'--label_key, or choose a model without y. Received: {name} without '
          'labels')
    wrong = (self.labels < 0) | (self.labels >= num_classes)
    if not wrong.any():
      return
    count, fault = np.count_nonzero(wrong), 'outside the classes'
    if (self.labels[wrong] == -1).all():  # TFDS's mark.
      fault = '-1, which means unlabeled'
    raise ValueError(
        f'A conditional model needs one of the classes 0 to {num_classes - 1} '
        f'for each image. Labels that are {fault}: {count:,} of {len(wrong):,} '
        f'of {name}. Choose a split without them, another --label_key, or a '
        f'model without y. Received: num_classes={num_classes}, labels from '
        f'{self.labels.min()} to {self.labels.max()}')

  def rows(self, chosen: np.ndarray) -> 'Split':
    """Returns the rows that bool `[n]` or indices choose.

    Those of an array are copied; of stored images they are only named.
    """
    return Split(self.images[chosen] if is_in_memory(self.images)
                 else self.images.rows(chosen),
                 None if self.labels is None else self.labels[chosen],
                 None if self.factors is None else self.factors[chosen])

  def in_memory(self) -> 'Split':
    """Returns the split with its images read into an array."""
    images = self.images[:]
    images.setflags(write=False)
    return dataclasses.replace(self, images=images)


def read_split(builder: tfds.core.DatasetBuilder, split: str, image: ImageSpec,
               label: LabelSpec | None = None,
               factor_keys: Sequence[str] = ()) -> Split:
  """Reads a split in TFDS's order, which is the same on every machine.

  Args:
    builder: that of a data set which is prepared.
    split: a TFDS split expression, such as 'train[:90%]'.
    image: the feature that is the image.
    label: the feature that is the label, or None.
    factor_keys: the features that are the factors, in the columns' order.

  Returns:
    The images with their labels and factors, if there are any.

  Raises:
    ValueError: if a floating pixel lies outside [0, 1] or is not finite.
  """
  carved = np.zeros(builder.info.splits[split].num_examples, bool)
  return read_carved(builder, split, carved, image, label, factor_keys)[0]


def read_carved(builder: tfds.core.DatasetBuilder, split: str,
                carved: np.ndarray, image: ImageSpec,
                label: LabelSpec | None = None,
                factor_keys: Sequence[str] = ()) -> tuple[Split, Split]:
  """Reads a split in two parts; taken from one array, they would be copies.

  Args:
    builder: as of `read_split`, with what follows.
    split: a TFDS split expression.
    carved: bool `[n]`, which images are those of the second part.
    image: the feature that is the image.
    label: the feature that is the label, or None.
    factor_keys: the features that are the factors, in the columns' order.

  Returns:
    The parts, each in the order of the split.

  Raises:
    ValueError: as `read_split` does.
  """
  keys = integer_keys(label, factor_keys)
  chosen = (~carved, carved)
  images = [aligned_empty((np.count_nonzero(rows), *image.shape), image.dtype)
            for rows in chosen]
  integers = np.empty((len(carved), len(keys)), np.int64)
  start, done = 0, [0, 0]
  for piece in read_pieces(builder, split, image, keys):
    check_pixels(piece['images'], image.key, split)
    stop = start + len(piece['images'])
    for part, rows in enumerate(chosen):
      found = np.flatnonzero(rows[start:stop])
      # Without a mode NumPy would put a copy between.
      piece['images'].take(
          found, axis=0, mode='clip',
          out=images[part][done[part]:done[part] + len(found)])
      done[part] += len(found)
    if keys:
      integers[start:stop] = piece['integers']
    start = stop
    _LOGGER.info('%s, %s: %d of %d images read.', builder.name, split, start,
                 len(carved))
  for array in images:
    array.setflags(write=False)
  return tuple(labelled(array, integers[rows], label, factor_keys)
               for array, rows in zip(images, chosen, strict=True))


def integer_keys(label: LabelSpec | None,
                 factor_keys: Sequence[str]) -> list[str]:
  """Returns the features to read beside the image, each once."""
  return list(dict.fromkeys([*([label.key] if label else []), *factor_keys]))


def labelled(images: Images, integers: np.ndarray, label: LabelSpec | None,
             factor_keys: Sequence[str]) -> Split:
  """Returns a split of images and int64 `[n, k]` in order of `integer_keys`."""
  keys = integer_keys(label, factor_keys)
  factors = integers[:, [keys.index(key) for key in factor_keys]]
  return Split(images, integers[:, 0].copy() if label else None,
               factors if factor_keys else None)


def check_pixels(images: np.ndarray, image_key: str, split: str) -> None:
  """Raises a ValueError unless floating pixels lie in [0, 1]."""
  if images.dtype == np.uint8:
    return
  received = f'Received: image_key={image_key!r} in split {split!r}, with'
  if not np.isfinite(images).all():
    raise ValueError(
        'Images must be finite. Repair them in the builder, or leave them out '
        f"by a split such as 'train[:90%]'. {received} a NaN or an infinity")
  if images.min() < 0 or images.max() > 1:
    raise ValueError(
        'Floating images must lie in [0, 1]. Scale them in the builder, or '
        f'have it give uint8. {received} pixels from {images.min():g} to '
        f'{images.max():g}')
