"""Folders of images: PNG, JPEG, GIF, BMP, WebP and TIFF files."""

from collections import Counter
from collections.abc import Iterator, Mapping
import dataclasses
import functools
import os

import numpy as np
import tensorflow as tf

from tfvae.data.sources.data_set import cache_directory
from tfvae.data.sources.data_set import DataSet
from tfvae.data.sources.findings import Findings
from tfvae.data.sources.images.checking import handle_corrupt
from tfvae.data.sources.images.checking import look_at
from tfvae.data.sources.images.checking import unreadable
from tfvae.data.sources.images.checking import warn_of_copies
from tfvae.data.sources.images.decoding import decode_images
from tfvae.data.sources.images.decoding import Header
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.images.files import find_files
from tfvae.data.sources.images.files import FoundFiles
from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.sources.source import ExampleSpec
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import LabelSpec
from tfvae.data.sources.source import Source

_NAMED = 5  # Sizes that a message names.


class ImageFolder(DataSet):
  """Images in a folder, with subfolders for parts and classes.

  Attributes:
    form: Size and channels that all images get.
  """

  def __init__(self, folder: str, form: ImageFormat, has_labels: bool = True,
               skip_corrupt: bool = False, verify: bool = False):
    """Finds the images and reads their headers.

    Args:
      folder: Path of the folder; see `find_files`.
      form: Size, channels, resizing and background; the size None stands for
        that of the files, which is then the same for all.
      has_labels: Whether subfolders are classes.
      skip_corrupt: Whether unreadable files are left out with a warning.
      verify: Whether each image is decoded now, to find those that are cut off.

    Raises:
      ValueError: If there are no images, an image cannot be read, or the sizes
        differ and `form` has none.
    """
    self._folder = os.path.abspath(os.path.expanduser(folder))
    found = find_files(self._folder)
    looks = look_at(self._folder, found.paths, verify or skip_corrupt)
    corrupt = unreadable(found.paths, looks)
    if corrupt:
      handle_corrupt(self._folder, corrupt, skip_corrupt)
      found = _without(found, corrupt)
      looks = [look for look in looks if not isinstance(look, str)]
    warn_of_copies(found, [look.digest for look in looks])
    self.form = _form(folder, [look.header for look in looks], form)
    super().__init__(
        os.path.basename(self._folder), RowNumbers.by_part(found.parts),
        {path: look.digest
         for path, look in zip(found.paths, looks, strict=True)})
    headers = [look.header for look in looks]
    self.findings = Findings(
        file_sizes=dict(Counter(header.size for header in headers)),
        file_colors=dict(Counter(
            'gray' if header.is_gray else 'color' for header in headers)),
        resize=self.form.resize, corrupt=corrupt)
    self._paths = np.array(
        [os.path.join(self._folder, path) for path in found.paths])
    self._label = self._labels = None
    if has_labels and found.labels:
      self._label = LabelSpec(
          'label', len(found.class_names), found.class_names)
      self._labels = np.array(found.labels, np.int64)

  def source(self, split: str, rows: RowNumbers) -> 'ImageFolderSource':
    """Returns the images of these rows as a source."""
    return ImageFolderSource(
        self.name, f'{self.full_name}/{self.form}', split, self._folder,
        rows.rows_of(self._paths), self._label,
        None if self._labels is None else rows.rows_of(self._labels), self.form)


class ImageFolderSource(Source):
  """Some of the images of a folder; a record is the content of a file."""

  has_digest = True

  def __init__(self, name: str, full_name: str, split: str, folder: str,
               paths: np.ndarray, label: LabelSpec | None,
               labels: np.ndarray | None, form: ImageFormat):
    """Initializes the source.

    Args:
      name: Name of the data set.
      full_name: Name that identifies the content.
      split: Split expression.
      folder: Path of the folder.
      paths: Paths of the images, string `[n]`.
      label: Description of the classes, or None.
      labels: Classes, int64 `[n]`, or None.
      form: Size and channels of the images.
    """
    super().__init__(
        name, full_name, split,
        ExampleSpec('image', (*form.size, form.channels), np.uint8), label, {},
        cache_directory())
    self._folder, self._paths, self._form = folder, paths, form
    self.integers = (np.zeros([len(paths), 0], np.int64) if labels is None
                     else labels[:, np.newaxis])

  def __len__(self) -> int:
    return len(self._paths)

  def files(self) -> Files:
    """Returns one file for each row."""
    rows = np.arange(len(self), dtype=np.int64)
    return Files(self._paths, np.zeros_like(rows), np.ones_like(rows), rows)

  def records(self, files: Files, in_order: bool = True) -> tf.data.Dataset:
    """Returns pairs of a row number and an encoded image."""
    del in_order  # Reading in parallel keeps the order.
    return tf.data.Dataset.from_tensor_slices((files.first, files.path)).map(
        lambda row, path: (row, tf.io.read_file(path)),
        num_parallel_calls=tf.data.AUTOTUNE)

  def decode(self, records: tf.Tensor, image: bool = True,
             integers: bool = True) -> dict[str, tf.Tensor]:
    """Decodes files, `[b]`; see `Source.decode`."""
    del integers  # They are not in the files.
    if not image:
      return {}
    decoded = tf.numpy_function(
        functools.partial(decode_images, form=self._form), [records], tf.uint8,
        stateful=False)
    return {'images': tf.ensure_shape(decoded, [None, *self.example.shape])}

  def ids(self, start: int, stop: int) -> np.ndarray:
    """Returns the paths of images, relative to the folder."""
    return np.array([os.path.relpath(path, self._folder)
                     for path in self._paths[start:stop]], object)

  def pieces(self, image: bool = True, start: int = 0,
             stop: int | None = None) -> Iterator[dict[str, np.ndarray]]:
    """Yields the decoded images in order; see `Source.pieces`.

    Raises:
      ValueError: If a file is cut off; the message names it.
    """
    try:
      yield from super().pieces(image, start, stop)
    except tf.errors.OpError:
      paths = tuple(self._paths.tolist())
      looks = look_at('', paths, verify=True)
      corrupt = unreadable(paths, looks)
      if corrupt:
        handle_corrupt(self.name, corrupt, skip_corrupt=False)
      raise


def _without(found: FoundFiles, corrupt: Mapping[str, str]) -> FoundFiles:
  """Returns the files that can be read."""
  kept = np.array([path not in corrupt for path in found.paths])
  if not kept.any():
    raise ValueError('None of the files can be read as an image. Received: '
                     f'{found.paths[0]!r}: {corrupt[found.paths[0]]}')
  ends = np.cumsum(list(found.parts.values()))
  counts = [int(part.sum()) for part in np.split(kept, ends[:-1])]
  return dataclasses.replace(
      found, paths=tuple(np.array(found.paths)[kept].tolist()),
      parts={name: count for name, count in zip(
          found.parts, counts, strict=True) if count},
      labels=found.labels and tuple(np.array(found.labels)[kept].tolist()))


def _form(folder: str, headers: list[Header],
          form: ImageFormat) -> ImageFormat:
  """Returns the format of the images, with a size and channels."""
  channels = form.channels
  if channels is None:
    channels = 1 if all(header.is_gray for header in headers) else 3
  sizes = Counter(header.size for header in headers)
  if form.size is None and len(sizes) > 1:
    common = ', '.join(f'{height}x{width} ({count:,})' for (
        height, width), count in sizes.most_common(_NAMED))
    more = f', … ({len(sizes):,} sizes)' if len(sizes) > _NAMED else ''
    (height, width), _ = sizes.most_common(1)[0]
    raise ValueError(
        'The images vary in size, and a VAE needs one size. Set '
        f"`image_size='{height}x{width}'`, for example. Heights and widths: "
        f'{common}{more}. Received: name={folder!r}')
  return dataclasses.replace(
      form, size=form.size or next(iter(sizes)), channels=channels)
