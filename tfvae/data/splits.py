"""One split of a TFDS image data set, read into memory once."""

from collections.abc import Iterator, Sequence
import contextlib
import dataclasses
import logging

from absl import logging as absl_logging
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae.data.features import ImageSpec
from tfvae.data.features import LabelSpec

_LOGGER = logging.getLogger(__name__)

# Read at a time: a second or so of decoding, after which progress is logged.
_BATCH_BYTES = 2**26


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images and, where the data set has them, their labels and factors.

  Attributes:
    images: `[n, height, width, channels]`, uint8, or float32 in [0, 1].
    labels: int64 `[n]`, or None.
    factors: int64 `[n, f]`, a column for each generative factor, or None.
  """

  images: np.ndarray
  labels: np.ndarray | None = None
  factors: np.ndarray | None = None

  def one_hot(self, num_classes: int) -> np.ndarray:
    """Returns the labels as float32 `[n, num_classes]`."""
    return np.eye(num_classes, dtype=np.float32)[self.labels]

  def rows(self, chosen: np.ndarray) -> 'Split':
    """Returns a copy of the rows that bool `[n]` or indices choose."""
    return Split(self.images[chosen],
                 None if self.labels is None else self.labels[chosen],
                 None if self.factors is None else self.factors[chosen])


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
  size = builder.info.splits[split].num_examples
  images = np.empty((size, *image.shape), image.dtype)
  labels = np.empty(size, np.int64) if label else None
  factors = (np.empty((size, len(factor_keys)), np.int64)
             if factor_keys else None)
  keys = [image.key, *factor_keys] + ([label.key] if label else [])
  done = 0
  batch_size = max(1, _BATCH_BYTES // images[:1].nbytes)
  for batch in tfds.as_numpy(_dataset(builder, split, keys).batch(batch_size)):
    part = slice(done, done + len(batch[image.key]))
    images[part] = batch[image.key].reshape(-1, *image.shape)
    _check_pixels(images[part], image.key, split)
    if label:
      labels[part] = batch[label.key]
    for column, key in enumerate(factor_keys):
      factors[part, column] = batch[key]
    done = part.stop
    _LOGGER.info('%s, %s: %d of %d images read.', builder.name, split, done,
                 size)
  return Split(images, labels, factors)


def _dataset(builder: tfds.core.DatasetBuilder, split: str,
             keys: Sequence[str]) -> tf.data.Dataset:
  """Returns the examples of a split, these features alone decoded."""
  with _unconcerned_by_dtype():
    return builder.as_dataset(
        split=split, shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(dict.fromkeys(keys, True)),
        # One file after the other, and no cache for what is read once.
        read_config=tfds.ReadConfig(interleave_cycle_length=1,
                                    try_autocache=False))


@contextlib.contextmanager
def _unconcerned_by_dtype() -> Iterator[None]:
  """Keeps back a warning that TFDS gives of itself.

  `PartialDecoding` compares `FeatureConnector.dtype`, which logs that callers
  should read `tf_dtype`.
  """
  def concerns_others(record):
    return 'FeatureConnector.dtype' not in record.getMessage()

  logger = absl_logging.get_absl_logger()
  logger.addFilter(concerns_others)
  try:
    yield
  finally:
    logger.removeFilter(concerns_others)


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
