"""Splits that stay in the files of their source."""

import numpy as np

from tfvae.data.sources.source import Source
from tfvae.data.splits.in_memory import parts_in_memory
from tfvae.data.splits.split import Split
from tfvae.data.storage.streamed_images import StreamedImages


def streamed_split(source: Source) -> Split:
  """Returns a split whose images are read and decoded in each pass.

  Labels and factors are read now, without the images. Floating images are read
  once, to check that they lie in [0, 1].

  Args:
    source: Source of the images.

  Returns:
    The split; its images are `StreamedImages`.

  Raises:
    ValueError: If a floating pixel lies outside [0, 1] or is not finite.
  """
  integers = [np.empty((0, len(source.integer_keys)), np.int64)]
  is_floating = source.example.dtype != np.uint8
  if is_floating or source.integer_keys:
    for piece in source.pieces(image=is_floating):
      integers += [piece['integers']] if source.integer_keys else []
  return Split.of(source, StreamedImages(source), np.concatenate(integers))


def streamed_parts(source: Source, part: np.ndarray,
                   num_parts: int) -> tuple[Split, ...]:
  """Returns the first part of a split streamed, and the others in memory.

  Args:
    source: Source of the images.
    part: Number of the part of each image, int `[n]`.
    num_parts: Number of parts.

  Returns:
    The parts, each in the order of the source.

  Raises:
    ValueError: If a number is not finite, or a floating pixel lies outside
      [0, 1].
  """
  if source.integers is None or source.example.dtype == np.uint8:
    whole = streamed_split(source)
    first, *others = (whole.rows(part == i) for i in range(num_parts))
    return first, *(split.in_memory() for split in others)
  # Numbers are read once to be checked; this pass also fills the other parts.
  mask = part == 0
  first = Split.of(
      source, StreamedImages(source).rows(mask), source.integers[mask])
  return first, *parts_in_memory(source, part - 1, num_parts - 1)
