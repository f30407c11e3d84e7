"""Loading of data sets: in memory, in a cache on disk, or streamed."""

from collections.abc import Collection, Mapping, Sequence
import dataclasses
import math
import os
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
import tensorflow as tf

from tfvae.data.sources.findings import Findings
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.missing import MISSING
from tfvae.data.sources.opening import open_data_set
from tfvae.data.sources.opening import Opened
from tfvae.data.sources.source import Source
from tfvae.data.splits.carving import PARTS
from tfvae.data.splits.carving import parts_held_out
from tfvae.data.splits.in_memory import parts_in_memory
from tfvae.data.splits.in_memory import split_in_memory
from tfvae.data.splits.observed import check_observed
from tfvae.data.splits.on_disk import split_on_disk
from tfvae.data.splits.origin import Origin
from tfvae.data.splits.split import Split
from tfvae.data.splits.streamed import streamed_parts
from tfvae.data.storage.memory import check_memory
from tfvae.tables import Schema

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
    carved: Rows of the training split that became each part, int64 `[n]` by
      name of the part; empty if nothing was carved.
    content: Digest of each file or array; empty for a data set of TFDS, whose
      version names its content.
    schema: Columns of a table, x in their order; None for other data.
    origins: Selection of the rows of each split, by name.
    findings: Facts that the rows do not show, such as missing values.
  """

  name: str
  train: Split
  validation: Split
  test: Split
  num_classes: int | None = None
  label_names: tuple[str, ...] | None = None
  factor_names: tuple[str, ...] = ()
  carved: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  content: Mapping[str, str] = dataclasses.field(default_factory=dict)
  schema: Schema | None = None
  origins: Mapping[str, Origin] = dataclasses.field(default_factory=dict)
  findings: Findings = Findings()

  @property
  def image_shape(self) -> tuple[int, ...]:
    """Shape of one x, such as (height, width, channels)."""
    return self.train.images.shape[1:]


def load(name: (str | os.PathLike[str] | np.ndarray | sparse.sparray
                | sparse.spmatrix | Mapping[str, Any] | tf.data.Dataset
                | pd.DataFrame | Any),
         data_dir: str | None = None, train_split: str = 'train',
         validation_split: str | None = None, test_split: str = 'test',
         validation_fraction: float = 0.1, image_key: str = 'image',
         label_key: str | None = 'label', seed: int = 0, cache: str = 'memory',
         cache_dir: str | None = None, test_fraction: float = 0.1,
         image_size: str | int | Sequence[int] | None = None,
         resize: str = 'crop', channels: int | None = None,
         background: str = 'white', skip_corrupt: bool = False,
         schema: str | os.PathLike[str] | None = None,
         missing: str = 'refuse', weight_key: str | None = None,
         mask_key: str | None = None,
         missing_labels: bool = False) -> ImageData:
  """Loads a data set of TFDS, a folder of images, numbers, or a table.

  `name` is one of:

  - the name of a TFDS data set, such as 'mnist' or 'imagenet_resized/32x32',
    which is downloaded if necessary;
  - a directory of a data set that TFDS prepared;
  - a folder of images, with a subfolder for each class, or with subfolders
    'train', 'validation' and 'test', or with images only;
  - a `.npy` or `.npz` file, an array, a sparse matrix of SciPy whose rows are
    examples, or a dictionary of these: 'x', 'y', 'x_test', 'y_test', …;
  - an `anndata.AnnData`, or a `.h5ad` file, if anndata is installed;
  - a finite `tf.data.Dataset`, not batched, of x, (x, y), or dictionaries;
  - a `.csv`, `.tsv` or `.parquet` file, a folder of them, such as 'train.csv'
    and 'test.csv', or a data frame of pandas.

  Image files of any size, mode and orientation become uint8 `[height, width,
  channels]`. uint8 arrays are pixels, boolean arrays bits; other numbers become
  float32. The x of a table has a float32 for each column, which
  `tfvae.tables.Column` describes.

  Where the data set has no part 'test', `test_fraction` of the training split
  is held out first, the same share of every class. Without a validation split,
  the part 'validation' of a folder or of arrays is used; where there is none,
  `validation_fraction` of the rest is held out. Parts share no example, and
  their order is that of the data set, the same on every machine.

  Features of TFDS that are one integer and whose name begins with 'label_' are
  the generative factors of the images if there are at least two of them, as in
  dsprites, shapes3d and smallnorb.

  Args:
    name: Name, path or object.
    data_dir: Directory of TFDS; by default `~/tensorflow_datasets`.
    train_split: Split expression, such as 'train' or 'train[:90%]'.
    validation_split: Split expression, or None for the rule above.
    test_split: Split expression.
    validation_fraction: Fraction of the training split that is held out for
      validation, between 0 and 1.
    image_key: Name of the image feature, of the array of x, or of a layer of
      an annotated matrix.
    label_key: Name of the label feature, array or column, of `adata.obs` for an
      annotated matrix; None for no labels.
      The default, 'label', may be missing, and stands for 'y' of arrays. A
      factor can be the label. The column of the labels is not part of x.
    seed: Integer that fixes which rows are held out.
    cache: Place of the decoded images: 'memory'; 'disk', in files that are
      written once and read as needed; or 'none', which decodes the training
      images in each pass and keeps those of validation and test in memory.
    cache_dir: Directory of the cache files; by default next to a TFDS data set,
      and `~/.cache/tfvae` for other data.
    test_fraction: Fraction of the training split that is held out for the test,
      between 0 and 1, where the data set has no part 'test'.
    image_size: Height and width of the images of a folder or of TFDS, such as
      (64, 48), '64x48', or 64 for a square; by default that of the images,
      which must then be the same. Images of TFDS must be uint8.
    resize: 'crop' covers the size and cuts the center, 'pad' fits and fills
      the rest, 'stretch' changes the ratio of the sides.
    channels: 1 (gray) or 3 (RGB) for the images of a folder or of TFDS; by
      default 1 if all of them are gray.
    background: Color below transparent pixels and of `resize='pad'`.
    skip_corrupt: Whether unreadable images of a folder are left out with a
      warning, instead of an error.
    schema: File that describes the columns of a table; by default they are
      recognized in the training rows.
    missing: Treatment of rows with missing values of tables, arrays and
      `tf.data`: 'refuse' for an error, 'drop' to leave them out, or 'allow' to
      keep them, with NaN in x where a value is missing.
    weight_key: Name of the array or column of sample weights, which is not part
      of x; None for equal weights. Only for arrays and tables.
    mask_key: Name of the array, boolean or 0 and 1, that is true where x is
      observed, with 'allow': of the shape of x, or `[n, height, width]` of
      images. Only for arrays. Masked uint8 and boolean x become float32 in
      [0, 1], pixels divided by 255.
    missing_labels: Whether labels of arrays and tables may be missing, as −1,
      None, NaN, an empty string or a row of zeros. They are then −1, as they
      are in TFDS in any case.

  Returns:
    The data, uint8 or float32, with int64 labels and factors, and float32
    weights.

  Raises:
    ValueError: If the data set cannot be read, an argument is not as described,
      or the images do not fit in memory. Whatever is known before a download is
      checked before it.
  """
  _check(validation_fraction, test_fraction, cache)
  if missing not in MISSING:
    raise ValueError(f'`missing` must be one of {", ".join(MISSING)}. '
                     f'Received: missing={missing!r}')
  if mask_key is not None and missing != 'allow':
    raise ValueError(
        '`mask_key` names the observed values of incomplete rows; set '
        "`missing='allow'`, or leave it out. Received: "
        f'mask_key={mask_key!r}, missing={missing!r}')
  form = ImageFormat.of(image_size, resize, channels, background)
  opened = open_data_set(
      name, data_dir, image_key, label_key, form, skip_corrupt,
      cache == 'none', schema, missing, cache_dir, weight_key, mask_key,
      missing_labels)
  sources = opened.sources(
      _splits(opened, train_split, validation_split, test_split))
  fractions = {part: fraction for part, fraction in (
      ('test', test_fraction), ('validation', validation_fraction))
               if f'{part}_split' not in sources}
  _check_memory(cache, sources, fractions)
  source = sources['train_split']
  # As in earlier versions, those of TFDS are not stratified for validation.
  by_class = ('test', 'validation') if opened.content else ('test',)
  part = parts_held_out(source, fractions, seed, by_class)
  found = _read_parts(source, part, cache, cache_dir)
  splits = []
  for number, part_name in enumerate(PARTS):
    if part_name in found:
      split = _weighted(found[part_name], source, part == number)
    else:
      own = sources[f'{part_name}_split']
      split = _weighted(_read_kept(own, cache, cache_dir), own)
    splits.append(split)
  # A pixel may be unobserved, as at the edge of all images.
  if missing == 'allow' and opened.findings.missing and (
      len(source.example.shape) != 3):
    check_observed(splits[0].images, opened.name,
                   [c.name for c in opened.schema.modeled]
                   if opened.schema else ())
  return ImageData(
      opened.name, *splits,
      source.label.num_classes if source.label else None,
      source.label.names if source.label else None,
      tuple(source.factors.values()),
      {part_name: np.flatnonzero(part == PARTS.index(part_name))
       for part_name in found} if fractions else {},
      opened.content, opened.schema,
      _origins(sources, fractions, seed, by_class), opened.findings)


load_images = load  # The name of earlier versions.


def _splits(opened: Opened, train_split: str, validation_split: str | None,
            test_split: str) -> dict[str, str]:
  """Returns the split expressions of parts that need not be carved."""
  splits = {'train_split': train_split}
  if test_split != 'test' or 'test' in opened.parts:
    splits['test_split'] = test_split
  if validation_split is None and opened.content and (
      'validation' in opened.parts):
    validation_split = 'validation'
  if validation_split is not None:
    splits['validation_split'] = validation_split
  return splits


def _origins(sources: Mapping[str, Source], fractions: Mapping[str, float],
             seed: int, by_class: Collection[str]) -> dict[str, Origin]:
  """Returns the selection of the rows of each split."""
  train = sources['train_split']
  held_out = tuple(fractions)
  return {'train': Origin(train.split, without=held_out)} | {
      name: Origin(
          train.split, fractions[name], seed,
          name in by_class and train.label is not None,
          held_out[:held_out.index(name)])
      if name in fractions else Origin(sources[f'{name}_split'].split)
      for name in PARTS[1:]}




def _read_kept(source: Source, cache: str, cache_dir: str | None) -> Split:
  """Returns a split for evaluations, which read it in more than one pass."""
  return (split_on_disk(source, cache_dir) if cache == 'disk'
          else split_in_memory(source))


def _read_parts(source: Source, part: np.ndarray, cache: str,
                cache_dir: str | None) -> dict[str, Split]:
  """Returns the training split in its parts, by name."""
  counts = np.bincount(part, minlength=len(PARTS))
  numbers = {name: number for number, name in enumerate(PARTS)
             if counts[number]}
  if cache == 'disk':
    whole = split_on_disk(source, cache_dir)
    return {'train': whole} if len(numbers) == 1 else {
        name: whole.rows(part == number) for name, number in numbers.items()}
  read = parts_in_memory if cache == 'memory' else streamed_parts
  found = read(source, part, len(PARTS))
  return {name: found[number] for name, number in numbers.items()}


def _weighted(split: Split, source: Source,
              rows: np.ndarray | slice = slice(None)) -> Split:
  """Returns a split with the weights of its rows."""
  if source.weights is None:
    return split
  weights = source.weights[rows]
  if not weights.any():
    raise ValueError(
        'Each split needs sample weights above 0; choose other splits, or '
        f'another `weight_key`. Received: {len(weights)} weights of 0 in a '
        f'split of {source.name!r}')
  return dataclasses.replace(split, weights=weights)


def _check(validation_fraction: float, test_fraction: float,
           cache: str) -> None:
  for name, fraction in (('validation_fraction', validation_fraction),
                         ('test_fraction', test_fraction)):
    if not 0 < fraction < 1:
      raise ValueError(f'`{name}` must lie between 0 and 1, exclusive. '
                       f'Received: {name}={fraction}')
  if cache not in CACHES:
    raise ValueError(f'`cache` must be one of {", ".join(CACHES)}. '
                     f'Received: cache={cache!r}')


def _check_memory(cache: str, sources: Mapping[str, Source],
                  fractions: Mapping[str, float]) -> None:
  """Raises a ValueError unless the images that are kept fit in memory."""
  if cache == 'disk':
    return
  held = {argument: len(source) for argument, source in sources.items()}
  if cache == 'none':
    train = held.pop('train_split')
    held |= {name: round(fraction * train)
             for name, fraction in fractions.items()}
  example = sources['train_split'].example
  size = math.prod(example.shape) * np.dtype(example.dtype).itemsize
  check_memory(size * sum(held.values()),
               f'{sum(held.values()):,} images of shape {example.shape}')
