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
  return parts_in_memory(source, np.zeros(len(source), np.int8), 1)[0]


def parts_in_memory(source: Source, part: np.ndarray,
                    num_parts: int) -> tuple[Split, ...]:
  """Reads a split in parts, without a copy of the images.

  Args:
    source: Source of the images.
    part: Number of the part of each image, int `[n]`; -1 if it is read, which
      checks it, and is not kept.
    num_parts: Number of parts.

  Returns:
    The parts, each in the order of the source.

  Raises:
    ValueError: If a number is not finite, or a floating pixel lies outside
      [0, 1].
  """
  images = [aligned_empty((count, *source.example.shape), source.example.dtype)
            for count in np.bincount(part[part >= 0], minlength=num_parts)]
  integers = np.empty((len(part), len(source.integer_keys)), np.int64)
  start, done = 0, [0] * num_parts
  for piece in source.pieces():
    stop = start + len(piece['images'])
    for number in range(num_parts):
      found = np.flatnonzero(part[start:stop] == number)
      # Without a mode, NumPy makes a temporary copy.
      piece['images'].take(
          found, axis=0, mode='clip',
          out=images[number][done[number]:done[number] + len(found)])
      done[number] += len(found)
    if 'integers' in piece:
      integers[start:stop] = piece['integers']
    start = stop
    _LOGGER.info('%s, %s: %d of %d images read.', source.name, source.split,
                 start, len(part))
  for array in images:
    array.setflags(write=False)
  return tuple(Split.of(source, array, integers[part == number])
               for number, array in enumerate(images))
