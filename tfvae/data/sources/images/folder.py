"""Folders of images: PNG, JPEG, GIF, BMP, WebP and TIFF files."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent import futures
import dataclasses
import functools
import hashlib
import logging
import os

import numpy as np
import tensorflow as tf

from tfvae.data.sources.data_set import cache_directory
from tfvae.data.sources.data_set import DataSet
from tfvae.data.sources.images.decoding import decode_image
from tfvae.data.sources.images.decoding import decode_images
from tfvae.data.sources.images.decoding import Header
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.images.decoding import read_header
from tfvae.data.sources.images.decoding import UnreadableImageError
from tfvae.data.sources.images.files import find_files
from tfvae.data.sources.images.files import FoundFiles
from tfvae.data.sources.source import ExampleSpec
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import LabelSpec
from tfvae.data.sources.source import Source

_LOGGER = logging.getLogger(__name__)

# Files that one thread looks at before the next progress is logged.
_FILES = 256
_NAMED = 5  # Files that a message names.


class ImageFolder(DataSet):
  """Images in a folder, with subfolders for parts and classes.

  Attributes:
    form: Size and channels that all images get.
    num_skipped: Number of unreadable files that were left out.
  """

  def __init__(self, folder: str, form: ImageFormat | None = None,
               channels: int | None = None, skip_corrupt: bool = False,
               verify: bool = False):
    """Finds the images and reads their headers.

    Args:
      folder: Path of the folder; see `find_files`.
      form: Size, resizing and background; the size None stands for that of the
        files, which is then the same for all.
      channels: 1 or 3; None for 1 if all images are gray and otherwise 3.
      skip_corrupt: Whether unreadable files are left out with a warning.
      verify: Whether each image is decoded now, to find those that are cut off.

    Raises:
      ValueError: If there are no images, an image cannot be read, or the sizes
        differ and `form` has none.
    """
    self._folder = os.path.abspath(os.path.expanduser(folder))
    found = find_files(self._folder)
    looks = _looked_at(self._folder, found.paths, verify or skip_corrupt)
    corrupt = {path: look for path, look in zip(found.paths, looks, strict=True)
               if isinstance(look, str)}
    if corrupt:
      _handle_corrupt(self._folder, corrupt, skip_corrupt)
      found = _without(found, corrupt)
      looks = [look for look in looks if not isinstance(look, str)]
    self.num_skipped, self._found = len(corrupt), found
    _warn_of_copies(found, [look.digest for look in looks])
    self.form = _form(folder, [look.header for look in looks],
                      form or ImageFormat(), channels)
    rows = np.arange(len(found.paths))
    ends = np.cumsum(list(found.parts.values()))
    super().__init__(
        os.path.basename(self._folder), dict(zip(
            found.parts, np.split(rows, ends[:-1]), strict=True)),
        {path: look.digest
         for path, look in zip(found.paths, looks, strict=True)})
    self._paths = np.array(
        [os.path.join(self._folder, path) for path in found.paths])
    self._labels = found.labels and np.array(found.labels, np.int64)

  def source(self, split: str, rows: np.ndarray) -> 'ImageFolderSource':
    """Returns the images of these rows as a source."""
    names = self._found.class_names
    label = LabelSpec('label', len(names), names) if names else None
    return ImageFolderSource(
        self.name, f'{self.full_name}/{self.form}', split,
        self._paths[rows], None if label is None else self._labels[rows],
        label, self.form)


class ImageFolderSource(Source):
  """Some of the images of a folder; a record is the content of a file."""

  def __init__(self, name: str, full_name: str, split: str, paths: np.ndarray,
               labels: np.ndarray | None, label: LabelSpec | None,
               form: ImageFormat):
    """Initializes the source.

    Args:
      name: Name of the data set.
      full_name: Name that identifies the content.
      split: Split expression.
      paths: Paths of the images, string `[n]`.
      labels: Classes, int64 `[n]`, or None.
      label: Description of the classes, or None.
      form: Size and channels of the images.
    """
    super().__init__(
        name, full_name, split,
        ExampleSpec('image', (*form.size, form.channels), np.uint8), label, {},
        cache_directory())
    self._paths, self._form = paths, form
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

  def pieces(self, image: bool = True) -> Iterator[dict[str, np.ndarray]]:
    """Yields the decoded images in order; see `Source.pieces`.

    Raises:
      ValueError: If a file is cut off; the message names it.
    """
    try:
      yield from super().pieces(image)
    except tf.errors.OpError:
      paths = tuple(self._paths.tolist())
      looks = _looked_at('', paths, verify=True)
      corrupt = {path: look for path, look in zip(paths, looks, strict=True)
                 if isinstance(look, str)}
      if corrupt:
        _handle_corrupt(self.name, corrupt, skip_corrupt=False)
      raise


@dataclasses.dataclass(frozen=True)
class _Look:
  """Result of looking at a file: a header and a digest of the content."""

  header: Header
  digest: str


def _looked_at(folder: str, paths: tuple[str, ...],
               verify: bool) -> list[_Look | str]:
  """Returns the look at each file, or the reason why it cannot be read."""

  def look(path: str) -> _Look | str:
    try:
      with open(os.path.join(folder, path), 'rb') as file:
        content = file.read()
      header = read_header(content)
      if verify:
        decode_image(content, ImageFormat())
    except (OSError, UnreadableImageError) as error:
      return getattr(error, 'strerror', None) or str(error)
    return _Look(header, hashlib.blake2b(content, digest_size=16).hexdigest())

  found = []
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for start in range(0, len(paths), _FILES):
      found += pool.map(look, paths[start:start + _FILES])
      if start and start % (_FILES * 64) == 0:
        _LOGGER.info('%s: %d of %d files checked.', folder, start, len(paths))
  return found


def _handle_corrupt(folder: str, corrupt: Mapping[str, str],
                    skip_corrupt: bool) -> None:
  """Raises a ValueError for files that cannot be read, or warns of them."""
  named = '; '.join(
      f'{path}: {reason}' for path, reason in list(corrupt.items())[:_NAMED])
  more = f', and {len(corrupt) - _NAMED} more' if len(corrupt) > _NAMED else ''
  if skip_corrupt:
    _LOGGER.warning('%d unreadable files of %s are left out: %s%s.',
                    len(corrupt), folder, named, more)
    return
  raise ValueError(
      f'{len(corrupt):,} of the files cannot be read as images. Repair or '
      'remove them, or set `skip_corrupt=True` to leave them out. Received: '
      f'{named}{more} in {folder!r}')


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


def _warn_of_copies(found: FoundFiles, digests: list[str]) -> None:
  """Warns of files with the same content in different parts."""
  part_of = np.repeat(list(found.parts), list(found.parts.values()))
  first: dict[str, int] = {}
  copies = []
  for i, digest in enumerate(digests):
    j = first.setdefault(digest, i)
    if part_of[i] != part_of[j]:
      copies.append((j, i))
  if copies:
    j, i = copies[0]
    _LOGGER.warning(
        '%d images are in two parts of the data set, which makes scores too '
        'good; the first one is %s and %s.', len(copies), found.paths[j],
        found.paths[i])


def _form(folder: str, headers: list[Header], form: ImageFormat,
          channels: int | None) -> ImageFormat:
  """Returns the format of the images, with a size and channels."""
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
