"""Builders of TFDS data sets, which are found by name and prepared.

Every error of TFDS becomes a `ValueError` that shows the received value and
says what to do, as early as the mistake can be detected.
"""

from collections.abc import Iterator, Mapping
import contextlib
import difflib
import itertools
import logging
import os
import re

import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import downloader

_LOGGER = logging.getLogger(__name__)

# TFDS tries ten times and doubles its pauses, which takes 204 seconds on a
# machine without a network. Four tries take 3 seconds.
_DOWNLOAD_RETRIES = 4

# Kinds of files by their suffix, for a path that is given as a name.
_FILE_KINDS = {
    '.csv': 'a CSV file', '.gif': 'an image', '.h5': 'an HDF5 file',
    '.hdf5': 'an HDF5 file', '.jpeg': 'an image', '.jpg': 'an image',
    '.json': 'a JSON file', '.mat': 'a MATLAB file',
    '.parquet': 'a Parquet file',
    '.png': 'an image', '.tar': 'an archive', '.tfrecord': 'a TFRecord file',
    '.tgz': 'an archive', '.tsv': 'a table', '.zip': 'an archive',
}


def open_builder(name: str,
                 data_dir: str | None = None) -> tfds.core.DatasetBuilder:
  """Returns the TFDS builder of a data set, without downloading anything.

  Args:
    name: TFDS name, such as 'mnist' or 'imagenet_resized/32x32', or a directory
      of a data set that TFDS prepared.
    data_dir: Directory of TFDS; by default `~/tensorflow_datasets`.

  Returns:
    The builder.

  Raises:
    ValueError: If there is no such directory or data set, or TFDS cannot open
      it.
  """
  if data_dir is not None:
    data_dir = os.path.expanduser(data_dir)
    if not tf.io.gfile.isdir(data_dir):
      raise ValueError(
          '`data_dir` is not a directory. Create it, or leave it out for the '
          f'default of TFDS. Received: data_dir={data_dir!r}')
  path = os.path.expanduser(name)
  try:
    if is_prepared_directory(path):
      return tfds.builder_from_directory(path)
    return tfds.builder(name, data_dir=data_dir)
  except tfds.core.DatasetNotFoundError as error:  # Lists all data sets.
    _check_is_name(name)
    raise ValueError(
        f'TFDS has no such data set. {_suggestion(name)} '
        f'Received: name={name!r}') from error
  except Exception as error:  # No such config or version; a missing package.
    _check_is_name(name)
    raise ValueError(
        f'TFDS cannot open this data set. {_suggestion(name)} '
        f'Received: name={name!r}\n{_described(error)}') from error


def is_prepared_directory(path: str) -> bool:
  """Returns whether a directory is that of a data set that TFDS prepared."""
  return os.path.isdir(path) and all(
      os.path.exists(os.path.join(path, name))
      for name in ('dataset_info.json', 'features.json'))


def is_registered(name: str) -> bool:
  """Returns whether this is a name of TFDS, with a config or a version or not.

  `./mnist` is the folder of that name.
  """
  stem, *rest = re.split('[/:]', name)
  if stem not in tfds.list_builders(with_community_datasets=False):
    return False
  configs = tfds.builder_cls(stem).builder_configs
  return not rest or '/' not in name or rest[0] in configs


def prepared_builder(name: str,
                     data_dir: str | None = None) -> tfds.core.DatasetBuilder:
  """Returns the builder of a data set, which is prepared if necessary.

  Args:
    name: TFDS name.
    data_dir: Directory of TFDS, as for `open_builder`.

  Returns:
    A builder whose splits can be read.

  Raises:
    ValueError: If TFDS cannot download or prepare the data set; without a
      network, after about 3 seconds.
  """
  builder = open_builder(name, data_dir)
  if builder.is_prepared():
    return builder
  _LOGGER.info('TFDS is preparing %s in %s.', name, builder.data_dir)
  try:
    with _few_retries():
      builder.download_and_prepare()
  except Exception as error:
    # Another process may have prepared the same data set meanwhile.
    builder = open_builder(name, data_dir)
    if not builder.is_prepared():
      raise ValueError(
          f'TFDS could not prepare the data set: {_described(error)}\n'
          'If this machine has no network, run `tfds build '
          f'{name} --data_dir=DIR` on a machine that has one, copy DIR here, '
          'and set `data_dir=DIR`. '
          f'Received: name={name!r}, data_dir={data_dir!r}') from error
  return builder


def check_splits(splits: tfds.core.SplitDict,
                 chosen: Mapping[str, str]) -> None:
  """Checks that splits exist and have images.

  Splits that share images are allowed and logged as a warning, because scores
  on them are too good.

  Args:
    splits: Splits of a prepared builder, `builder.info.splits`.
    chosen: TFDS split expressions by the argument that received them, as in
      `{'train_split': 'train[:90%]'}`.

  Raises:
    ValueError: If a split does not exist or is empty.
  """
  for argument, split in chosen.items():
    _check_split(splits, argument, split)
  for one, other in itertools.combinations(chosen.items(), 2):
    shared = _num_shared(splits[one[1]], splits[other[1]])
    if shared:
      _LOGGER.warning('%s=%r and %s=%r have %d images in common.', *one, *other,
                      shared)


@contextlib.contextmanager
def _few_retries() -> Iterator[None]:
  """Limits the tries of a TFDS download, for which TFDS has no setting."""
  retries = downloader.MAX_RETRIES
  downloader.MAX_RETRIES = min(retries, _DOWNLOAD_RETRIES)
  try:
    yield
  finally:
    downloader.MAX_RETRIES = retries


def _check_split(splits: tfds.core.SplitDict, argument: str,
                 split: str) -> None:
  """Raises a ValueError unless a split exists and has images."""
  present = ', '.join(
      f'{name} ({info.num_examples:,})' for name, info in splits.items())
  remedy = (f'The splits are: {present}. Carve one from another, as in '
            "`train_split='train[:90%]'` and `test_split='train[90%:]'`. "
            f'Received: {argument}={split!r}')
  try:
    size = splits[split].num_examples
  except Exception as error:  # KeyError, ValueError, NotImplementedError.
    raise ValueError(f'There is no such split: {error}\n{remedy}') from error
  if size < 1:  # TFDS counts -2 images in 'train[5:3]'.
    raise ValueError(f'The split is empty. {remedy}')


def _num_shared(one: tfds.core.SplitInfo, other: tfds.core.SplitInfo) -> int:
  """Counts the images that two splits have in common."""
  shared = 0
  for a, b in itertools.product(one.file_instructions,
                                other.file_instructions):
    if a.filename == b.filename:
      overlap = min(a.skip + a.take, b.skip + b.take) - max(a.skip, b.skip)
      shared += max(0, overlap)
  return shared


def _check_is_name(name: str) -> None:
  """Raises a ValueError if a name that TFDS does not accept is a path.

  TFDS answers a path with the syntax of its names, in 17 lines.
  """
  kind = _kind(os.path.expanduser(name))
  if kind is not None:
    raise ValueError(
        f'This is {kind}, and tfvae reads folders of images, `.npy` and `.npz` '
        'files, and data sets of TFDS by names such as mnist. Convert it, for '
        "example with `numpy.savez('data.npz', x=x, y=y)`. "
        f'Received: name={name!r}')


def _kind(path: str) -> str | None:
  """Returns the kind of a path, or None for a possible name."""
  kind = _FILE_KINDS.get(os.path.splitext(path)[1].lower())
  if kind is not None or os.path.isfile(path):
    return kind or 'a file'
  return 'a path' if path.startswith(('.', '/')) else None


def _suggestion(name: str) -> str:
  known = tfds.list_builders(with_community_datasets=False)
  stem = re.split('[/:]', str(name))[0]
  near = difflib.get_close_matches(stem, known)
  if stem in known or not near:
    return 'See https://www.tensorflow.org/datasets/catalog/overview.'
  return f'Did you mean {" or ".join(near)}?'


def _described(error: Exception) -> str:
  # The rest is the syntax of TFDS names.
  text, _, _ = str(error).partition('\nThe builder name string')
  return f'{type(error).__name__}: {text}'
