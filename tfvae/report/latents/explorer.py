"""The frames of the report's latent explorer, decoded in advance.

A slider for each of D dimensions has K positions. All K^D combinations would
take gigabytes, so for each base the page has those where two dimensions move
and the others are at the values of the base. Each frame is the decoding of
exactly the z that the sliders show.
"""

from collections.abc import Sequence
import dataclasses
import itertools

import numpy as np

from tfvae.report.drawing.inline_images import to_bytes
from tfvae.report.latents.latent_pictures import REACH
from tfvae.report.latents.latent_walk import Base
from tfvae.report.latents.latent_walk import LatentWalk

# Dimensions, positions and bases; the first entry that fits is used.
_SIZES = ((6, 11, 6), (5, 9, 6), (4, 9, 6), (4, 7, 5), (4, 5, 4), (3, 5, 3),
          (2, 5, 2))
_MAX_BYTES = 4_200_000  # Of pixels; PNG in base64 takes half of it for digits.
_CELL_BYTES = 20  # Of a value of a table, with its probability, in the page.


@dataclasses.dataclass(frozen=True, eq=False)
class Frames:
  """The decodings around one base.

  Attributes:
    base: Starting point.
    values: Positions of the D sliders, `[D, K]`, ascending from −3 to 3, with
      the value of the base in place of the nearest one.
    own: Index of the value of the base, `[D]`.
    sprite: Frames, uint8 `[rows · h, K · w, c]`, in the order of `pairs`,
      within a pair by the position of the first dimension (a row each), then by
      that of the second; None if x is the row of a table.
    rows: Values of the columns of a table and the probabilities of its codes in
      each frame, `[frames, 2, d]`, in the same order; see
      `LatentWalk.rows_from`. None for other data.
  """

  base: Base
  values: np.ndarray
  own: np.ndarray
  sprite: np.ndarray | None
  rows: np.ndarray | None


@dataclasses.dataclass(frozen=True, eq=False)
class Explorer:
  """The data of the explorer.

  Attributes:
    dimensions: The D dimensions of the top latent that have a slider.
    pairs: Pairs of sliders, `(0, 1)`, `(0, 2)`, …; `(0,)` where D is 1.
    bases: Frames of each base.
  """

  dimensions: list[int]
  pairs: list[tuple[int, ...]]
  bases: list[Frames]


def explorer(walk: LatentWalk, prior_title: str,
             images: Sequence[tuple[int, str]]) -> Explorer:
  """Decodes all frames.

  Args:
    walk: Latents of the model.
    prior_title: Title of the prior's mean, the first base.
    images: Index and title of images to start from, in order of preference.
  """
  size = walk.top_means.shape[1]
  num_dimensions, steps, num_bases = _choose_size(
      _CELL_BYTES * len(walk.columns) or walk.x[0].size, size)
  dimensions = walk.order[:num_dimensions].tolist()
  pairs = list(itertools.combinations(
      range(len(dimensions)), min(2, len(dimensions))))
  bases = [walk.base_of_prior(prior_title), *(
      walk.base_of_image(*image) for image in images[:num_bases - 1])]
  return Explorer(dimensions, pairs, [
      _frames(walk, base, dimensions, pairs, steps) for base in bases])


def _choose_size(frame_bytes, size):
  for dimensions, steps, bases in _SIZES:
    dimensions = min(dimensions, size)
    pairs = max(1, dimensions * (dimensions - 1) // 2)
    if pairs * steps**2 * bases * frame_bytes <= _MAX_BYTES:
      break
  return dimensions, steps, bases


def _frames(walk, base, dimensions, pairs, steps) -> Frames:
  center = base.roots[walk.top]
  grid = np.linspace(-REACH, REACH, steps)
  values = np.tile(grid, [len(dimensions), 1])
  own = np.abs(values - center[dimensions, np.newaxis]).argmin(axis=1)
  values[np.arange(len(dimensions)), own] = center[dimensions]
  z = []
  for pair in pairs:
    for positions in itertools.product(range(steps), repeat=len(pair)):
      z.append(center.copy())
      for slider, position in zip(pair, positions, strict=True):
        z[-1][dimensions[slider]] = values[slider, position]
  if walk.columns:
    rows = walk.rows_from(base, np.array(z))
    return Frames(base, values, own, None, rows)
  frames = to_bytes(walk.decode_from(base, np.array(z)))
  n, height, width, channels = frames.shape
  sprite = frames.reshape(n // steps, steps, height, width, channels).transpose(
      0, 2, 1, 3, 4).reshape(n // steps * height, steps * width, channels)
  return Frames(base, values, own, sprite, None)
