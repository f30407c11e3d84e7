"""Splits that are decoded once into a file, which is read in any order."""

from collections.abc import Iterator
import errno
import hashlib
import json
import logging
import math
import os
import re

import numpy as np
import tensorflow as tf

from tfvae.data.sources.source import Source
from tfvae.data.splits.split import Split
from tfvae.data.storage.file_images import FileImages
from tfvae.data.storage.whole_file import write_once

_LOGGER = logging.getLogger(__name__)

# Part of the digest; increase it when the content of a file changes.
_FORMAT = 1


def split_on_disk(source: Source, cache_dir: str | None = None) -> Split:
  """Returns a split whose images are decoded into a cache file.

  The file holds the pixels of all images, row after row, followed by the label
  and the factors as int64. Its name contains a digest of everything that
  determines its content, including the sizes and times of the source's files,
  so that another version, split or feature gets another file. Files that are no
  longer needed can be removed at any time.

  Args:
    source: Source of the images.
    cache_dir: Directory for the file; by default `source.cache_dir`.

  Returns:
    The split; its images are `FileImages`.

  Raises:
    ValueError: If the file cannot be written, as on a full disk, or a floating
      pixel lies outside [0, 1] or is not finite.
  """
  directory = (os.path.expanduser(cache_dir) if cache_dir
               else source.cache_dir)
  path = os.path.join(directory, _file_name(source))
  shape = (len(source), *source.example.shape)
  num_bytes = math.prod(shape) * np.dtype(source.example.dtype).itemsize
  columns = len(source.integer_keys)
  try:
    if '://' in directory:  # As `data_dir` may be, in a bucket.
      raise OSError(errno.EOPNOTSUPP, 'It is not a directory of this machine')
    write_once(path, num_bytes + 8 * shape[0] * columns,
               lambda: _content(source))
    images = FileImages.open(path, shape, source.example.dtype)
    integers = np.fromfile(path, np.int64, offset=num_bytes)
  except OSError as error:
    raise ValueError(
        f'Cannot keep the decoded images on disk: {error.strerror}. Those of '
        f'{source.split!r} take {num_bytes / 2**30:.2f} GiB. Set `cache_dir` '
        'to a directory with enough space, read a part of each split, as in '
        "`train_split='train[:50%]'`, or keep no decoded images, with "
        f"`cache='none'`. Received: cache_dir={directory!r}") from error
  return Split.of(source, images, integers.reshape(shape[0], columns))


def _file_name(source: Source) -> str:
  """Returns a name that determines the content of the file."""
  files, image = source.files(), source.example
  stats = [] if source.has_digest else [
      tf.io.gfile.stat(path) for path in files.path]
  key = [
      _FORMAT, source.full_name, source.split, image.key, image.shape,
      np.dtype(image.dtype).str, source.integer_keys,
      [[os.path.basename(path), int(skip), int(take), stat.length,
        stat.mtime_nsec]
       for path, skip, take, stat in zip(
           files.path, files.skip, files.take, stats, strict=False)]]
  digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
  words = re.sub(r'\W+', '-', f'{source.full_name}-{source.split}').strip('-')
  return f'{words}-{digest}.rows'


def _content(source: Source) -> Iterator[np.ndarray]:
  """Yields the content of the file while it is decoded."""
  _LOGGER.info('%s, %s: decoding into the cache.', source.name, source.split)
  done, integers = 0, []
  for piece in source.pieces():
    yield piece['images']
    done += len(piece['images'])
    integers.append(piece.get('integers'))
    _LOGGER.info('%s, %s: %d images cached.', source.name, source.split, done)
  if source.integer_keys:
    yield np.concatenate(integers)
