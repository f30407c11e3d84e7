"""Checks of image files before they are read: headers, digests, copies."""

from collections.abc import Mapping
from concurrent import futures
import dataclasses
import logging
import os

import numpy as np

from tfvae.data.sources.digests import content_digest
from tfvae.data.sources.images.decoding import decode_image
from tfvae.data.sources.images.decoding import Header
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.images.decoding import read_header
from tfvae.data.sources.images.decoding import UnreadableImageError
from tfvae.data.sources.images.files import FoundFiles

_LOGGER = logging.getLogger(__name__)

# Files that the threads look at before the next progress may be logged.
_FILES = 256
_NAMED = 5  # Files that a message names.


@dataclasses.dataclass(frozen=True)
class Look:
  """Result of looking at a file: a header and a digest of the content."""

  header: Header
  digest: str


def look_at(folder: str, paths: tuple[str, ...],
            verify: bool) -> list[Look | str]:
  """Returns the look at each file, or the reason why it cannot be read.

  Args:
    folder: Path of the folder.
    paths: Paths of the files in it.
    verify: Whether each image is decoded, to find those that are cut off.
  """

  def look(path: str) -> Look | str:
    try:
      with open(os.path.join(folder, path), 'rb') as file:
        content = file.read()
      header = read_header(content)
      if verify:
        decode_image(content, ImageFormat())
    except (OSError, UnreadableImageError) as error:
      return getattr(error, 'strerror', None) or str(error)
    return Look(header, content_digest(content).hex())

  found = []
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for start in range(0, len(paths), _FILES):
      found += pool.map(look, paths[start:start + _FILES])
      if start and start % (_FILES * 64) == 0:
        _LOGGER.info('%s: %d of %d files checked.', folder, start, len(paths))
  return found


def unreadable(paths: tuple[str, ...],
               looks: list[Look | str]) -> dict[str, str]:
  """Returns the reasons of files that cannot be read, by path."""
  return {path: look for path, look in zip(paths, looks, strict=True)
          if isinstance(look, str)}


def handle_corrupt(folder: str, corrupt: Mapping[str, str],
                   skip_corrupt: bool) -> None:
  """Raises a ValueError for files that cannot be read, or warns of them.

  Args:
    folder: Path of the folder, for the message.
    corrupt: Reasons by path.
    skip_corrupt: Whether to warn.
  """
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


def warn_of_copies(found: FoundFiles, digests: list[str]) -> None:
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
