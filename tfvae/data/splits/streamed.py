"""Splits that stay in the files of their source."""

import numpy as np

from tfvae.data.sources.source import Source
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
