"""Opening of a data set by its name: TFDS, a folder, a file or a table."""

from collections.abc import Mapping
import dataclasses
import difflib
import os
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import sparse
import tensorflow as tf

from tfvae.data.sources.arrays.annotated import annotated_data
from tfvae.data.sources.arrays.annotated import EXTENSION as ANNOTATED
from tfvae.data.sources.arrays.annotated import is_annotated
from tfvae.data.sources.arrays.annotated import open_annotated
from tfvae.data.sources.arrays.array_data import ArrayData
from tfvae.data.sources.arrays.files import load_arrays
from tfvae.data.sources.findings import Findings
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.images.folder import ImageFolder
from tfvae.data.sources.source import Source
from tfvae.data.sources.streams.stream_data import stored_stream
from tfvae.data.sources.streams.stream_data import StreamData
from tfvae.data.sources.tables.files import is_table
from tfvae.data.sources.tables.table_data import TableData
from tfvae.data.sources.tfds.builders import is_prepared_directory
from tfvae.data.sources.tfds.builders import is_registered
from tfvae.data.sources.tfds.tfds_source import TfdsDataSet
from tfvae.tables import Schema

_ARRAY_EXTENSIONS = ('.npy', '.npz', ANNOTATED)
_DEFAULT_FORM = ImageFormat()


class Opened(Protocol):
  """A data set that is open: its parts, and sources of their rows."""

  name: str
  parts: Mapping[str, Any]
  content: Mapping[str, str]
  schema: Schema | None
  findings: Findings

  def sources(self, splits: Mapping[str, str]) -> dict[str, Source]:
    """Returns the sources of split expressions, by argument."""


def open_data_set(
    name: Any, data_dir: str | None = None, image_key: str = 'image',
    label_key: str | None = 'label', form: ImageFormat = _DEFAULT_FORM,
    skip_corrupt: bool = False, rereads: bool = False,
    schema: str | Schema | None = None, missing: str = 'refuse',
    cache_dir: str | None = None, weight_key: str | None = None,
    mask_key: str | None = None, missing_labels: bool = False,
    id_key: str | None = None) -> Opened:
  """Opens a data set.

  Args:
    name: Name of TFDS; directory of a data set that TFDS prepared; folder of
      images; `.npy`, `.npz` or `.h5ad` file; array or sparse matrix; these by
      name; annotated matrix; `tf.data.Dataset`; table, or folder of tables; or
      data frame.
    data_dir: Directory of TFDS.
    image_key: Name of the feature, array or layer of x.
    label_key: Name of the feature, array or column of labels, or None.
    form: Size and channels of images of a folder or of TFDS.
    skip_corrupt: Whether unreadable images in a folder are left out.
    rereads: Whether examples are read again in each pass. The images of a
      folder are then decoded now, as a check, and a `tf.data.Dataset` is not
      stored.
    schema: Schema of a table, or its path.
    missing: Treatment of rows with missing values, one of `MISSING`.
    cache_dir: Directory in which a `tf.data.Dataset` is stored.
    weight_key: Name of the array or column of sample weights, or None.
    mask_key: Name of the array that is true where x is observed, or None.
    missing_labels: Whether labels of arrays and tables may be missing.
    id_key: Column that names the rows of a table, or None.

  Raises:
    ValueError: If there is no such data set, or it cannot be read.
  """
  is_frame = isinstance(name, pd.DataFrame)
  is_path_of_table = names_table(name)
  is_folder = names_folder(name)
  if not is_folder:
    is_tfds = isinstance(name, str | os.PathLike) and not (
        is_path_of_table or names_array(name))
    _check_unused({'skip_corrupt': (skip_corrupt, False)},
                  'has an effect for a folder of images only', name)
    _check_form(form, is_tfds, name)
  else:
    _check_unused({'image_key': (image_key, 'image'),
                   'label_key': (label_key or 'label', 'label')},
                  'has no effect for a folder of images, whose classes are its '
                  'subfolders', name)
  if is_frame or is_path_of_table:
    _check_unused({'image_key': (image_key, 'image')},
                  'has no effect for a table, whose columns are x', name)
  else:
    _check_unused({'schema': (schema, None), 'id_key': (id_key, None)},
                  'has an effect for a table only', name)
  if not (is_frame or is_path_of_table or _has_numbers(name)):
    _check_unused({'missing': (missing, 'refuse')}, 'has an effect for arrays, '
                  'tables and `tf.data` only, because images have no missing '
                  'values', name)
  if not (is_frame or is_path_of_table or _is_arrays(name)):
    _check_unused({'weight_key': (weight_key, None)},
                  'has an effect for arrays and tables only', name)
  if not _is_arrays(name):
    _check_unused({'mask_key': (mask_key, None)},
                  'has an effect for arrays only', name)
  if is_frame:
    return TableData.of(
        name, schema, label_key, missing, weight_key, missing_labels, id_key)
  if isinstance(name, np.ndarray) or sparse.issparse(name):
    return ArrayData('array', {'x': name}, image_key, label_key, weight_key,
                     missing, mask_key)
  if isinstance(name, Mapping):
    return ArrayData('arrays', name, image_key, label_key, weight_key, missing,
                     mask_key, missing_labels)
  if isinstance(name, tf.data.Dataset):
    return (
        StreamData(name, image_key, label_key, missing, missing_labels)
        if rereads else stored_stream(
            name, image_key, label_key, cache_dir, missing, missing_labels))
  if is_annotated(name):
    return annotated_data('annotated matrix', name, image_key, label_key,
                          missing, missing_labels)
  name = os.fspath(name)
  path = os.path.expanduser(name)
  if is_folder:
    return ImageFolder(path, form, label_key is not None, skip_corrupt, rereads)
  if names_array(path):
    _check_exists(path)
    stem = os.path.splitext(os.path.basename(path))[0]
    if path.lower().endswith(ANNOTATED):
      return annotated_data(
          stem, open_annotated(path), image_key, label_key, missing,
          missing_labels)
    return ArrayData(
        stem, load_arrays(path), image_key, label_key, weight_key, missing,
        mask_key, missing_labels)
  if is_path_of_table:
    _check_exists(path)
    return TableData.open(
        path, schema, label_key, missing, weight_key, missing_labels, id_key)
  if path.startswith(('.', os.path.sep)):
    _check_exists(path)
  return TfdsDataSet(name, data_dir, image_key, label_key, form)


def names_array(path: str | os.PathLike[str]) -> bool:
  """Returns whether this is the path of a file of arrays."""
  return os.fspath(path).lower().endswith(_ARRAY_EXTENSIONS)


def names_table(name: Any) -> bool:
  """Returns whether this is the path of a table or of a folder of tables."""
  if not isinstance(name, str | os.PathLike):
    return False
  path = os.path.expanduser(os.fspath(name))
  return (not os.path.isdir(path) or _is_directory(name)) and is_table(path)


def names_folder(name: Any) -> bool:
  """Returns whether this is the path of a folder of images."""
  return not names_table(name) and _is_directory(name)


def _is_arrays(name: Any) -> bool:
  """Returns whether these are arrays by name, or a file of them."""
  if isinstance(name, str | os.PathLike):
    return names_array(name) and not os.fspath(name).lower().endswith(ANNOTATED)
  return isinstance(name, np.ndarray | Mapping) or sparse.issparse(name)


def _has_numbers(name: Any) -> bool:
  """Returns whether x may have floating numbers of any size."""
  if isinstance(name, str | os.PathLike):
    return names_array(name)
  return (_is_arrays(name) or isinstance(name, tf.data.Dataset)
          or is_annotated(name))


def _is_directory(name: Any) -> bool:
  """Returns whether this is a directory of data that are not those of TFDS."""
  if not isinstance(name, str | os.PathLike):
    return False
  path = os.path.expanduser(os.fspath(name))
  return os.path.isdir(path) and not (
      is_prepared_directory(path) or is_registered(os.fspath(name)))


def _check_form(form: ImageFormat, is_tfds: bool, name: Any) -> None:
  """Raises a ValueError for a format that has no effect.

  Args:
    form: Format of the images.
    is_tfds: Whether the data are images of TFDS.
    name: Data set, for the message.
  """
  settings = {'image_size' if field.name == 'size' else field.name: (
      getattr(form, field.name), field.default)
              for field in dataclasses.fields(form)}
  if not is_tfds:
    _check_unused(
        settings, 'has an effect for a folder of images and for images of '
        'TensorFlow Datasets only', name)
  elif form.size is None:
    _check_unused({'resize': settings['resize']},
                  'has no effect without `image_size`', name)
    if form.channels is None:
      _check_unused({'background': settings['background']}, 'has no effect '
                    'without `image_size` or `channels`', name)


def _check_unused(settings: Mapping[str, tuple[Any, Any]], reason: str,
                  name: Any) -> None:
  """Raises a ValueError for a setting that differs from its default.

  Args:
    settings: Value and default of each setting, by name.
    reason: Predicate of the sentence about the setting.
    name: Data set, for the message.
  """
  for argument, (value, default) in settings.items():
    if value != default:
      kind = (os.fspath(name) if isinstance(name, str | os.PathLike)
              else type(name).__name__)
      raise ValueError(f'`{argument}` {reason}; leave it out. Received: '
                       f'{argument}={value!r} for the data set {kind!r}')


def _check_exists(path: str) -> None:
  """Raises a ValueError with similar names if there is no such path."""
  if os.path.exists(path):
    return
  path = os.path.normpath(path)
  existing = os.path.dirname(path) or '.'
  missing = path
  while not os.path.isdir(existing):
    existing, missing = os.path.dirname(existing) or '.', existing
  near = difflib.get_close_matches(
      os.path.basename(missing), os.listdir(existing), cutoff=0.5)
  suggestion = ' or '.join(os.path.join(existing, name) for name in near)
  raise ValueError(
      f'There is no such file or folder: {missing!r} does not exist. '
      + (f'Did you mean {suggestion}? ' if near else '')
      + f'Received: name={path!r}')
