"""TFDS data sets by name: found, prepared and measured, or a remedy named.

Whatever TFDS raises on the way, a `ValueError` comes out that names the value
and says what to do, as early as the fact can be known.
"""

from collections.abc import Iterator
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

# TFDS tries ten times, doubling its pauses: 204 seconds until a machine with
# no network is told so. Four tries take 3 seconds.
_DOWNLOAD_RETRIES = 4

# What a path given for a name is, by the ending of its file.
_FILE_KINDS = {
    '.csv': 'a CSV file', '.gif': 'an image', '.h5': 'an HDF5 file',
    '.hdf5': 'an HDF5 file', '.jpeg': 'an image', '.jpg': 'an image',
    '.json': 'a JSON file', '.mat': 'a MATLAB file', '.npy': 'a NumPy array',
    '.npz': 'a NumPy archive', '.parquet': 'a Parquet file',
    '.png': 'an image', '.tar': 'an archive', '.tfrecord': 'a TFRecord file',
    '.tgz': 'an archive', '.tsv': 'a table', '.zip': 'an archive',
}


def open_builder(name: str,
                 data_dir: str | None = None) -> tfds.core.DatasetBuilder:
  """Returns the TFDS builder of a data set, without downloading anything.

  Args:
    name: a TFDS name, such as 'mnist' or 'imagenet_resized/32x32'.
    data_dir: the directory that TFDS keeps its data in; None is TFDS's own,
      `~/tensorflow_datasets`.

  Returns:
    The builder.

  Raises:
    ValueError: if there is no such directory or data set, or TFDS cannot open
      it.
  """
  if data_dir is not None:
    data_dir = os.path.expanduser(data_dir)
    if not tf.io.gfile.isdir(data_dir):
      raise ValueError(
          'data_dir is not a directory. Create it, or leave --data_dir out for '
          f"TFDS's own. Received: data_dir={data_dir!r}")
  try:
    return tfds.builder(name, data_dir=data_dir)
  except tfds.core.DatasetNotFoundError as error:  # Its text lists them all.
    _check_is_name(name)
    raise ValueError(
        f'TFDS knows no such data set. {_suggestion(name)} '
        f'Received: name={name!r}') from error
  except Exception as error:  # No such config or version; a missing package.
    _check_is_name(name)
    raise ValueError(
        f'TFDS cannot open this data set. {_suggestion(name)} '
        f'Received: name={name!r}\n{_described(error)}') from error


def prepared_builder(name: str,
                     data_dir: str | None = None) -> tfds.core.DatasetBuilder:
  """Returns the builder of a data set that lies prepared on the disk.

  Args:
    name: a TFDS name.
    data_dir: as for `open_builder`.

  Returns:
    A builder whose splits can be read.

  Raises:
    ValueError: if TFDS cannot download or prepare it; without a network, after
      seconds.
  """
  builder = open_builder(name, data_dir)
  if builder.is_prepared():
    return builder
  _LOGGER.info('TFDS prepares %s in %s.', name, builder.data_dir)
  try:
    with _few_retries():
      builder.download_and_prepare()
  except Exception as error:
    # Another process may have finished first; its data are as good.
    builder = open_builder(name, data_dir)
    if not builder.is_prepared():
      raise ValueError(
          f'TFDS could not prepare the data set: {_described(error)}\n'
          'If this machine has no network, connect it once, or run `tfds build '
          f'{name} --data_dir=DIR` on a connected one, copy DIR here and pass '
          f'--data_dir=DIR. Received: name={name!r}, data_dir={data_dir!r}'
      ) from error
  return builder


def split_sizes(splits: tfds.core.SplitDict,
                chosen: dict[str, str]) -> dict[str, int]:
  """Returns the number of images in each split that was chosen.

  Splits that share images are allowed, but scores on them mean little, so that
  this is logged as a warning.

  Args:
    splits: `builder.info.splits` of a prepared builder.
    chosen: TFDS split expressions by the argument that named them, as in
      `{'train_split': 'train[:90%]'}`.

  Returns:
    The numbers, all positive, by argument.

  Raises:
    ValueError: if a split does not exist or is empty.
  """
  sizes = {
      argument: _split_size(splits, argument, split)
      for argument, split in chosen.items()
  }
  for one, other in itertools.combinations(chosen.items(), 2):
    shared = _num_shared(splits[one[1]], splits[other[1]])
    if shared:
      _LOGGER.warning('%s=%r and %s=%r have %d images in common.', *one, *other,
                      shared)
  return sizes


@contextlib.contextmanager
def _few_retries() -> Iterator[None]:
  """Makes TFDS give up a download in seconds; it has no setting for it."""
  retries = downloader.MAX_RETRIES
  downloader.MAX_RETRIES = min(retries, _DOWNLOAD_RETRIES)
  try:
    yield
  finally:
    downloader.MAX_RETRIES = retries


def _split_size(splits: tfds.core.SplitDict, argument: str,
                split: str) -> int:
  """Returns the number of images in a split, which must not be 0."""
  present = ', '.join(
      f'{name} ({info.num_examples:,})' for name, info in splits.items())
  remedy = (f'The splits are: {present}. Carve one from another, as in '
            "--train_split='train[:90%]' --test_split='train[90%:]'. "
            f'Received: {argument}={split!r}')
  try:
    size = splits[split].num_examples
  except Exception as error:  # KeyError, ValueError, NotImplementedError.
    raise ValueError(f'There is no such split: {error}\n{remedy}') from error
  if size < 1:  # TFDS counts -2 images in 'train[5:3]'.
    raise ValueError(f'The split is empty. {remedy}')
  return size


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
  """Raises a ValueError, in one line, if a name that TFDS refuses is no name.

  TFDS itself answers a path with the syntax of its names, in 17 lines.
  """
  path = os.path.expanduser(name)
  flags = _prepared_flags(path)
  if flags is not None:
    raise ValueError('This is a data set that TFDS prepared. Pass '
                     f'{flags} instead. Received: name={name!r}')
  kind = _kind(path)
  if kind is not None:
    raise ValueError(
        f'This is {kind}, and tfvae takes data sets of TFDS, by names such as '
        'mnist. Prepare your own images by a TFDS builder and `tfds build`, '
        'see https://www.tensorflow.org/datasets/add_dataset, and pass the '
        f'name of the builder. Received: name={name!r}')


def _prepared_flags(path: str) -> str | None:
  """Returns the flags of a data set that TFDS prepared in a folder."""
  try:
    full_name = tfds.builder_from_directory(path).info.full_name
  except Exception:  # Another folder; others write a dataset_info.json too.
    return None
  *names, _ = full_name.split('/')  # The version is last.
  root = os.path.normpath(os.path.join(path, '..', *['..'] * len(names)))
  return f'--dataset={"/".join(names)} --data_dir={root}'


def _kind(path: str) -> str | None:
  """Returns what a path is, or None for what may be meant as a name."""
  if os.path.isdir(path):
    return 'a folder'
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
  # What follows there is the syntax of the names of TFDS.
  text, _, _ = str(error).partition('\nThe builder name string')
  return f'{type(error).__name__}: {text}'
