"""Loading of image data sets: in memory, in a cache on disk, or streamed."""

from collections.abc import Mapping
import dataclasses
import math

import numpy as np

from tfvae.data.sources.source import Source
from tfvae.data.sources.tfds.tfds_source import tfds_sources
from tfvae.data.splits.in_memory import parts_in_memory
from tfvae.data.splits.in_memory import split_in_memory
from tfvae.data.splits.on_disk import split_on_disk
from tfvae.data.splits.split import Split
from tfvae.data.splits.streamed import streamed_split
from tfvae.data.storage.memory import check_memory

CACHES = ('memory', 'disk', 'none')


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
  """A data set in three splits.

  Attributes:
    name: Name of the data set.
    train: Split to fit a model to.
    validation: Split to choose settings by.
    test: Split for the final results.
    num_classes: Number of classes, or None.
    label_names: Names of the classes, '0', '1', ... where the data set only
      numbers them, or None.
    factor_names: Names of the generative factors, the columns of
      `Split.factors`, as in ('orientation', 'scale', 'shape', 'x_position',
      'y_position') of dsprites; empty for a data set without factors.
  """

  name: str
  train: Split
  validation: Split
  test: Split
  num_classes: int | None = None
  label_names: tuple[str, ...] | None = None
  factor_names: tuple[str, ...] = ()

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """(height, width, channels)."""
    return self.train.images.shape[1:]


def load_images(name: str, data_dir: str | None = None,
                train_split: str = 'train',
                validation_split: str | None = None, test_split: str = 'test',
                validation_fraction: float = 0.1, image_key: str = 'image',
                label_key: str | None = 'label', seed: int = 0,
                cache: str = 'memory',
                cache_dir: str | None = None) -> ImageData:
  """Loads an image data set of TFDS, which is downloaded if necessary.

  Without a validation split, `round(validation_fraction * n)` images, at least
  one, are taken from the training split by a permutation that `seed` fixes. The
  two parts share no image, and the test split is unchanged. Images are in the
  order of TFDS, which is the same on every machine.

  Features that are one integer and whose name begins with 'label_' are the
  generative factors of the images if there are at least two of them, as in
  dsprites, shapes3d and smallnorb. dsprites and shapes3d have only a 'train'
  split: carve a test split from it, as in 'train[:90%]' and 'train[90%:]'.

  Args:
    name: TFDS name, such as 'mnist' or 'imagenet_resized/32x32'.
    data_dir: Directory of TFDS; by default `~/tensorflow_datasets`.
    train_split: TFDS split expression, such as 'train' or 'train[:90%]'.
    validation_split: TFDS split expression, or None to carve the validation
      split from the training split.
    test_split: TFDS split expression.
    validation_fraction: Fraction of the training split to carve, between 0
      and 1.
    image_key: Name of the image feature.
    label_key: Name of the label feature; None for no labels. The default,
      'label', may be missing. A factor can be the label.
    seed: Integer that fixes which images are carved.
    cache: Place of the decoded images: 'memory'; 'disk', in files that are
      written once and read as needed; or 'none', which decodes the training
      images in each pass and keeps those of validation and test in memory.
    cache_dir: Directory of the cache files; by default next to the data set.

  Returns:
    The images, uint8 or float32, with int64 labels and factors.

  Raises:
    ValueError: If the data set cannot be prepared, an argument is not as
      described, or the images do not fit in memory. Whatever is known before
      the download is checked before it.
  """
  _check(validation_fraction, cache)
  splits = {'train_split': train_split, 'test_split': test_split}
  if validation_split is not None:
    splits['validation_split'] = validation_split
  sources = tfds_sources(name, splits, data_dir, image_key, label_key)
  _check_memory(cache, sources, validation_fraction)
  source = sources['train_split']
  # Evaluations read their images in more than one pass.
  kept = 'memory' if cache == 'none' else cache
  if validation_split is None:
    carved = _carved(len(source), validation_fraction, seed)
    train, validation = _read_parts(source, carved, cache, cache_dir)
  else:
    train = _read(source, cache, cache_dir)
    validation = _read(sources['validation_split'], kept, cache_dir)
  return ImageData(name, train, validation,
                   _read(sources['test_split'], kept, cache_dir),
                   source.label.num_classes if source.label else None,
                   source.label.names if source.label else None,
                   tuple(source.factors.values()))


def _read(source: Source, cache: str, cache_dir: str | None) -> Split:
  if cache == 'disk':
    return split_on_disk(source, cache_dir)
  return streamed_split(source) if cache == 'none' else split_in_memory(source)


def _read_parts(source: Source, carved: np.ndarray, cache: str,
                cache_dir: str | None) -> tuple[Split, Split]:
  """Returns the training and the validation part of a split."""
  if cache == 'memory':
    return parts_in_memory(source, carved)
  whole = _read(source, cache, cache_dir)
  validation = whole.rows(carved)
  return whole.rows(~carved), (
      validation.in_memory() if cache == 'none' else validation)


def _check(validation_fraction: float, cache: str) -> None:
  if not 0 < validation_fraction < 1:
    raise ValueError(
        '`validation_fraction` must lie between 0 and 1, exclusive. '
        f'Received: validation_fraction={validation_fraction}')
  if cache not in CACHES:
    raise ValueError(f'`cache` must be one of {", ".join(CACHES)}. '
                     f'Received: cache={cache!r}')


def _check_memory(cache: str, sources: Mapping[str, Source],
                  validation_fraction: float) -> None:
  """Raises a ValueError unless the images that are kept fit in memory."""
  if cache == 'disk':
    return
  held = {argument: len(source) for argument, source in sources.items()}
  if cache == 'none':
    train = held.pop('train_split')
    held.setdefault('validation_split', round(validation_fraction * train))
  image = sources['train_split'].image
  size = math.prod(image.shape) * np.dtype(image.dtype).itemsize
  check_memory(size * sum(held.values()),
               f'{sum(held.values()):,} images of shape {image.shape}')


def _carved(size: int, fraction: float, seed: int) -> np.ndarray:
  """Returns a mask of the images that go to validation, bool `[size]`."""
  if size < 2:
    raise ValueError(
        'A validation split cannot be carved from one image. Choose a '
        '`train_split` with more images, or set `validation_split`. '
        f'Received: a training split of {size} image')
  count = min(max(1, round(fraction * size)), size - 1)
  carved = np.zeros(size, bool)
  carved[np.random.default_rng(seed).permutation(size)[:count]] = True
  return carved
