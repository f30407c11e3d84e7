"""Splits decoded once into a file, and read from there in any order."""

from collections.abc import Iterator, Sequence
import errno
import functools
import hashlib
import json
import logging
import math
import os
import re

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfvae.data.splits import check_pixels
from tfvae.data.splits import integer_keys
from tfvae.data.splits import labelled
from tfvae.data.splits import Split
from tfvae.data.storage.file_images import FileImages
from tfvae.data.storage.whole_file import write_once
from tfvae.data.tfds.features import ImageSpec
from tfvae.data.tfds.features import LabelSpec
from tfvae.data.tfds.records import read_pieces
from tfvae.data.tfds.records import split_files

_LOGGER = logging.getLogger(__name__)

# Part of the key: raised when the same key has another content.
_FORMAT = 1


def cached_split(builder: tfds.core.DatasetBuilder, split: str,
                 image: ImageSpec, label: LabelSpec | None = None,
                 factor_keys: Sequence[str] = (),
                 cache_dir: str | None = None) -> Split:
  """Returns a split whose images lie decoded in a file.

  The file holds the pixels of all images, row after row, and then the integers
  (label and factors) as int64. Its name has a digest of all that decides its
  content, the sizes and times of TFDS's own files among it, so that another
  version, split or feature gets another file. What is no longer needed can be
  removed at any time.

  Args:
    builder: that of a data set which is prepared.
    split: a TFDS split expression.
    image: the feature that is the image.
    label: the feature that is the label, or None.
    factor_keys: the features that are the factors, in the columns' order.
    cache_dir: the directory for the file; None is `decoded` in the data set's
      own.

  Returns:
    What `read_split` gives, the images as `FileImages`.

  Raises:
    ValueError: if the file cannot be written, as on a full disk, or a floating
      pixel lies outside [0, 1] or is not finite.
  """
  keys = integer_keys(label, factor_keys)
  directory = (os.path.expanduser(cache_dir) if cache_dir
               else os.path.join(builder.data_dir, 'decoded'))
  path = os.path.join(directory, _file_name(builder, split, image, keys))
  shape = (builder.info.splits[split].num_examples, *image.shape)
  num_bytes = math.prod(shape) * np.dtype(image.dtype).itemsize
  try:
    if '://' in directory:  # As the data_dir may be, in a bucket.
      raise OSError(errno.EOPNOTSUPP, 'It is no directory of this machine')
    write_once(path, num_bytes + 8 * shape[0] * len(keys), functools.partial(
        _content, builder, split, image, keys))
    images = FileImages.open(path, shape, image.dtype)
    integers = np.fromfile(path, np.int64, offset=num_bytes)
  except OSError as error:
    raise ValueError(
        f'The decoded images cannot be kept on the disk: {error.strerror}. '
        f'Those of {split!r} take {num_bytes / 2**30:.2f} GiB. Name a '
        'directory with room for them by --cache_dir, read a part of each '
        "split, as in --train_split='train[:50%]', or keep none, by "
        f'--cache=none. Received: cache_dir={directory!r}') from error
  return labelled(images, integers.reshape(shape[0], len(keys)), label,
                  factor_keys)


def _file_name(builder: tfds.core.DatasetBuilder, split: str, image: ImageSpec,
               keys: Sequence[str]) -> str:
  """Returns a name that no other content has."""
  files = split_files(builder, split)
  stats = [tf.io.gfile.stat(path) for path in files.path]
  key = [
      _FORMAT, builder.info.full_name, split, image.key, image.shape,
      np.dtype(image.dtype).str, list(keys),
      [[os.path.basename(path), int(skip), int(take), stat.length,
        stat.mtime_nsec]
       for path, skip, take, stat in zip(
           files.path, files.skip, files.take, stats, strict=True)]]
  digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
  words = re.sub(r'\W+', '-', f'{builder.info.full_name}-{split}').strip('-')
  return f'{words}-{digest}.rows'


def _content(builder: tfds.core.DatasetBuilder, split: str, image: ImageSpec,
             keys: Sequence[str]) -> Iterator[np.ndarray]:
  """Yields what the file holds, decoding as it goes."""
  _LOGGER.info('%s, %s: decoding into the cache.', builder.name, split)
  done, integers = 0, []
  for piece in read_pieces(builder, split, image, keys):
    check_pixels(piece['images'], image.key, split)
    yield piece['images']
    done += len(piece['images'])
    integers.append(piece.get('integers'))
    _LOGGER.info('%s, %s: %d images cached.', builder.name, split, done)
  if keys:
    yield np.concatenate(integers)
