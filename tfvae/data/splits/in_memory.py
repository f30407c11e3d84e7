"""Splits that are decoded into memory."""

import logging

import numpy as np

from tfvae.data.sources.source import Source
from tfvae.data.splits.split import Split
from tfvae.data.storage.memory import aligned_empty

_LOGGER = logging.getLogger(__name__)


def split_in_memory(source: Source) -> Split:
  """Reads a split into memory, in the order of its source.

  Args:
    source: Source of the images.

  Returns:
    The split; its images are an array.

  Raises:
    ValueError: If a floating pixel lies outside [0, 1] or is not finite.
  """
  return parts_in_memory(source, np.zeros(len(source), bool))[0]


def parts_in_memory(source: Source,
                    carved: np.ndarray) -> tuple[Split, Split]:
  """Reads a split in two parts, without a copy of the images.

  Args:
    source: Source of the images.
    carved: Mask of the images in the second part, bool `[n]`.

  Returns:
    The two parts, each in the order of the source.

  Raises:
    ValueError: If a floating pixel lies outside [0, 1] or is not finite.
  """
  chosen = (~carved, carved)
  images = [aligned_empty((np.count_nonzero(rows), *source.image.shape),
                          source.image.dtype) for rows in chosen]
  integers = np.empty((len(carved), len(source.integer_keys)), np.int64)
  start, done = 0, [0, 0]
  for piece in source.pieces():
    stop = start + len(piece['images'])
    for part, rows in enumerate(chosen):
      found = np.flatnonzero(rows[start:stop])
      # Without a mode, NumPy makes a temporary copy.
      piece['images'].take(
          found, axis=0, mode='clip',
          out=images[part][done[part]:done[part] + len(found)])
      done[part] += len(found)
    if 'integers' in piece:
      integers[start:stop] = piece['integers']
    start = stop
    _LOGGER.info('%s, %s: %d of %d images read.', source.name, source.split,
                 start, len(carved))
  for array in images:
    array.setflags(write=False)
  return tuple(Split.of(source, array, integers[rows])
               for array, rows in zip(images, chosen, strict=True))
