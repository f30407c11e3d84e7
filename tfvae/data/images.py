"""Any TFDS image data set, read into memory once."""

import dataclasses
import logging

import numpy as np
import tensorflow_datasets as tfds

from tfvae.data import sources
from tfvae.data.features import image_spec
from tfvae.data.features import ImageSpec
from tfvae.data.features import label_spec
from tfvae.data.features import LabelSpec

_LOGGER = logging.getLogger(__name__)

# Read at a time: a second or so of decoding, after which progress is logged.
_BATCH_BYTES = 2**26


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images and, where the data set has them, their labels.

  Attributes:
    images: `[n, height, width, channels]`, uint8, or float32 in [0, 1].
    labels: int64 `[n]`, or None.
  """

  images: np.ndarray
  labels: np.ndarray | None = None

  def one_hot(self, num_classes: int) -> np.ndarray:
    """Returns the labels as float32 `[n, num_classes]`."""
    return np.eye(num_classes, dtype=np.float32)[self.labels]


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
  """A data set in three parts.

  Attributes:
    name: its TFDS name.
    train: what a model is fitted to.
    validation: what settings are chosen by.
    test: what is reported.
    num_classes: the number of labels, or None.
  """

  name: str
  train: Split
  validation: Split
  test: Split
  num_classes: int | None = None

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """(height, width, channels)."""
    return self.train.images.shape[1:]


def load_images(name: str, data_dir: str | None = None,
                train_split: str = 'train',
                validation_split: str | None = None, test_split: str = 'test',
                validation_fraction: float = 0.1, image_key: str = 'image',
                label_key: str | None = 'label', seed: int = 0) -> ImageData:
  """Loads an image data set through TFDS, downloading it if need be.

  Without a validation split, `round(validation_fraction * n)` images, at least
  one, are taken from the training split by a permutation fixed by `seed`; the
  two parts share no image, and the test split is never touched. Images are in
  TFDS's order, which is the same on every machine.

  Args:
    name: a TFDS name, such as 'mnist' or 'imagenet_resized/32x32'.
    data_dir: where TFDS keeps its data; None is `~/tensorflow_datasets`.
    train_split: a TFDS split expression, such as 'train' or 'train[:90%]'.
    validation_split: the same, or None to carve one from training.
    test_split: a TFDS split expression.
    validation_fraction: the part carved, between 0 and 1.
    image_key: the feature that is the image.
    label_key: the feature that is the label. Labels are left out if it is
      None, or if it is 'label' and there is none.
    seed: fixes which images are carved.

  Returns:
    The images, uint8 or float32, and int64 labels.

  Raises:
    ValueError: if the data set cannot be had, an argument is not as described,
      or the images do not fit in memory, as early as that can be known.
  """
  if not 0 < validation_fraction < 1:
    raise ValueError(
        'validation_fraction must lie between 0 and 1, exclusive. '
        f'Received: validation_fraction={validation_fraction}')
  features = sources.open_builder(name, data_dir).info.features
  image = image_spec(features, image_key)
  label = label_spec(features, label_key)
  builder = sources.prepared_builder(name, data_dir)
  splits = {'train_split': train_split, 'test_split': test_split}
  if validation_split is not None:
    splits['validation_split'] = validation_split
  sizes = sources.split_sizes(builder.info.splits, splits)
  sources.check_memory(sum(sizes.values()), image)
  if validation_split is None:
    carved = _carved(sizes['train_split'], validation_fraction, seed)
    whole = _read(builder, train_split, image, label)
    train, validation = _rows(whole, ~carved), _rows(whole, carved)
  else:
    train = _read(builder, train_split, image, label)
    validation = _read(builder, validation_split, image, label)
  test = _read(builder, test_split, image, label)
  return ImageData(name, train, validation, test,
                   label.num_classes if label else None)


def _read(builder: tfds.core.DatasetBuilder, split: str, image: ImageSpec,
          label: LabelSpec | None) -> Split:
  """Reads the images of one split, and their labels if there are any."""
  keys = [image.key, label.key] if label else [image.key]
  dataset = builder.as_dataset(
      split=split, shuffle_files=False,
      decoders=tfds.decode.PartialDecoding(dict.fromkeys(keys, True)),
      # One file after the other, and no cache for what is read once.
      read_config=tfds.ReadConfig(interleave_cycle_length=1,
                                  try_autocache=False))
  size = builder.info.splits[split].num_examples
  images = np.empty((size, *image.shape), image.dtype)
  labels = np.empty(size, np.int64) if label else None
  done = 0
  batch_size = max(1, _BATCH_BYTES // images[:1].nbytes)
  for batch in tfds.as_numpy(dataset.batch(batch_size)):
    part = slice(done, done + len(batch[image.key]))
    images[part] = batch[image.key].reshape(-1, *image.shape)
    _check_pixels(images[part], image.key, split)
    if label:
      labels[part] = batch[label.key]
    done = part.stop
    _LOGGER.info('%s, %s: %d of %d images read.', builder.name, split, done,
                 size)
  return Split(images, labels)


def _check_pixels(images: np.ndarray, image_key: str, split: str) -> None:
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


def _carved(size: int, fraction: float, seed: int) -> np.ndarray:
  """Returns which of `size` images go to validation: bool `[size]`."""
  if size < 2:
    raise ValueError(
        'No validation part can be carved from one image: give more by '
        '--train_split, or name a --validation_split. '
        f'Received: a training split of {size} image')
  count = min(max(1, round(fraction * size)), size - 1)
  carved = np.zeros(size, bool)
  carved[np.random.default_rng(seed).permutation(size)[:count]] = True
  return carved


def _rows(split: Split, rows: np.ndarray) -> Split:
  return Split(split.images[rows],
               None if split.labels is None else split.labels[rows])
