"""Any TFDS image data set: in memory, in a cache on the disk, or streamed."""

import dataclasses
import functools
import math

import numpy as np

from tfvae.data.splits import read_carved
from tfvae.data.splits import read_split
from tfvae.data.splits import Split
from tfvae.data.storage.disk_cache import cached_split
from tfvae.data.storage.memory import check_memory
from tfvae.data.storage.streamed_images import streamed_split
from tfvae.data.tfds import sources
from tfvae.data.tfds.features import factor_keys
from tfvae.data.tfds.features import factor_name
from tfvae.data.tfds.features import image_spec
from tfvae.data.tfds.features import ImageSpec
from tfvae.data.tfds.features import label_spec

CACHES = ('memory', 'disk', 'none')


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
  """A data set in three parts.

  Attributes:
    name: its TFDS name.
    train: what a model is fitted to.
    validation: what settings are chosen by.
    test: what is reported.
    num_classes: the number of labels, or None.
    label_names: the classes by name, '0', '1', ... where TFDS only numbers
      them, or None.
    factor_names: the generative factors, the columns of `Split.factors`, as in
      ('orientation', 'scale', 'shape', 'x_position', 'y_position') of dsprites;
      empty for a data set without factors.
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
  """Loads an image data set through TFDS, downloading it if need be.

  Without a validation split, `round(validation_fraction * n)` images, at least
  one, are taken from the training split by a permutation fixed by `seed`; the
  two parts share no image, and the test split is never touched. Images are in
  TFDS's order, which is the same on every machine.

  Features that are one integer and whose name begins with 'label_' are read as
  the generative factors of the images, where there are two of them or more, as
  in dsprites, shapes3d and smallnorb. dsprites and shapes3d have a 'train'
  split alone: carve a test split from it, as in 'train[:90%]', 'train[90%:]'.

  Args:
    name: a TFDS name, such as 'mnist' or 'imagenet_resized/32x32'.
    data_dir: where TFDS keeps its data; None is `~/tensorflow_datasets`.
    train_split: a TFDS split expression, such as 'train' or 'train[:90%]'.
    validation_split: the same, or None to carve one from training.
    test_split: a TFDS split expression.
    validation_fraction: the part carved, between 0 and 1.
    image_key: the feature that is the image.
    label_key: the feature that is the label. Labels are left out if it is
      None, or if it is 'label' and there is none. It may be a factor too.
    seed: Integer that fixes which images are carved, `--eval_seed` of a run.
    cache: where the decoded images are: 'memory'; 'disk', in files written
      once and read as they are needed; or 'none', which keeps those of
      validation and test in memory, and decodes those of training in each pass.
    cache_dir: the directory of those files; None is one beside TFDS's own.

  Returns:
    The images, uint8 or float32, and int64 labels and factors.

  Raises:
    ValueError: if the data set cannot be had, an argument is not as described,
      or the images do not fit in memory, as early as that can be known.
  """
  _check(validation_fraction, cache)
  features = sources.open_builder(name, data_dir).info.features
  image = image_spec(features, image_key)
  label_spec(features, label_key)  # A mistake is known before a download.
  builder = sources.prepared_builder(name, data_dir)
  features = builder.info.features  # Some name the labels only now.
  label, factors = label_spec(features, label_key), factor_keys(features)
  splits = {'train_split': train_split, 'test_split': test_split}
  if validation_split is not None:
    splits['validation_split'] = validation_split
  sizes = sources.split_sizes(builder.info.splits, splits)
  _check_memory(cache, sizes, image, validation_fraction)
  parts = dict(builder=builder, image=image, label=label, factor_keys=factors)
  read_train = read = functools.partial(read_split, **parts)
  if cache == 'disk':
    read_train = read = functools.partial(
        cached_split, **parts, cache_dir=cache_dir)
  elif cache == 'none':
    read_train = functools.partial(streamed_split, **parts)
  if validation_split is not None:
    train = read_train(split=train_split)
    validation = read(split=validation_split)
  else:
    carved = _carved(sizes['train_split'], validation_fraction, seed)
    if cache == 'memory':
      train, validation = read_carved(
          **parts, split=train_split, carved=carved)
    else:
      whole = read_train(split=train_split)
      train, validation = whole.rows(~carved), whole.rows(carved)
    if cache == 'none':
      validation = validation.in_memory()
  return ImageData(name, train, validation, read(split=test_split),
                   label.num_classes if label else None,
                   label.names if label else None,
                   tuple(factor_name(key) for key in factors))


def _check(validation_fraction: float, cache: str) -> None:
  if not 0 < validation_fraction < 1:
    raise ValueError(
        'validation_fraction must lie between 0 and 1, exclusive. '
        f'Received: validation_fraction={validation_fraction}')
  if cache not in CACHES:
    raise ValueError(f'cache must be one of {", ".join(CACHES)}. '
                     f'Received: cache={cache!r}')


def _check_memory(cache: str, sizes: dict[str, int], image: ImageSpec,
                  validation_fraction: float) -> None:
  """Raises a ValueError unless what is to be in memory fits there."""
  if cache == 'disk':
    return
  held = dict(sizes)
  if cache == 'none':
    train = held.pop('train_split')
    held.setdefault('validation_split', round(validation_fraction * train))
  size = math.prod(image.shape) * np.dtype(image.dtype).itemsize
  check_memory(size * sum(held.values()),
               f'{sum(held.values()):,} images of shape {image.shape}')


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
