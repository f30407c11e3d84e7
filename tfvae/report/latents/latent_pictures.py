"""What a model makes of images and of its latent space, as rows of images.

Each function returns `[rows, columns, h, w, c]` in [0, 1], for `tile`.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from tfvae.report.latents.latent_walk import Base
from tfvae.report.latents.latent_walk import LatentWalk

# Of a traversal, in standard deviations of the standard normal.
REACH = 3.0


def distinct(labels: np.ndarray | None, n: int) -> list[int]:
  """Returns the indices of the first image of each label, at most n.

  Without labels, and where there are fewer of them than n, the first images
  follow.
  """
  firsts = [] if labels is None else np.sort(
      np.unique(labels, return_index=True)[1]).tolist()
  size = n if labels is None else len(labels)
  return [*firsts, *(i for i in range(size) if i not in firsts)][:n]


def reconstructions(walk: LatentWalk, columns: int = 10,
                    pairs: int = 3) -> np.ndarray:
  """Rows of originals, each over E[x|z] at the posterior means."""
  columns = min(columns, len(walk.x))
  pairs = min(pairs, len(walk.x) // columns)
  n = pairs * columns
  y = None if walk.y is None else walk.y[:n]
  decoded = walk.decode({name: z[:n] for name, z in walk.means.items()}, y)
  by_row = lambda images: images.reshape(pairs, columns, *images.shape[1:])
  # [pairs, original or reconstruction, columns, h, w, c]
  both = np.stack([by_row(walk.x[:n]), by_row(decoded)], axis=1)
  return both.reshape(2 * pairs, *both.shape[2:])


def samples(walk: LatentWalk, rows: int = 6, columns: int = 10) -> np.ndarray:
  """E[x|z], z ~ p(z); of a conditional model a column for each label."""
  columns = columns if walk.y is None else walk.y.shape[1]
  n, labels = rows * columns, None
  if walk.y is not None:
    labels = {'y': np.tile(np.eye(columns, dtype=np.float32), [rows, 1])}
  images = walk.sample(n, labels)
  return images.reshape(rows, columns, *images.shape[1:])


def interpolations(walk: LatentWalk, pairs: Sequence[tuple[int, int]],
                   steps: int = 8) -> np.ndarray:
  """From an image to another, by way of their posterior means.

  Args:
    walk: Model.
    pairs: Indices of two images, for each row.
    steps: Decodings of z = (1 − t) z_a + t z_b, t from 0 to 1; of a conditional
      model y goes the same way.

  Returns:
    Rows of an image, decodings and the other image.
  """
  t = np.linspace(0, 1, steps)[:, np.newaxis]
  rows = []
  for a, b in pairs:
    between = lambda z, a=a, b=b: (1 - t) * z[a] + t * z[b]
    decoded = walk.decode(
        {name: between(z) for name, z in walk.means.items()},
        None if walk.y is None else between(walk.y))
    rows.append([walk.x[a], *decoded, walk.x[b]])
  return np.array(rows)


def traversals(walk: LatentWalk, base: Base, dimensions: Sequence[int],
               steps: int = 11) -> np.ndarray:
  """A row for each dimension, which goes from −3 to 3, the rest as in base."""
  z = np.tile(base.roots[walk.top], [len(dimensions), steps, 1])
  for row, dimension in enumerate(dimensions):
    z[row, :, dimension] = np.linspace(-REACH, REACH, steps)
  images = walk.decode_from(base, z.reshape(-1, z.shape[-1]))
  return images.reshape(len(dimensions), steps, *images.shape[1:])


def manifold(walk: LatentWalk, base: Base, steps: int = 16) -> np.ndarray:
  """The plane of a top latent of two dimensions.

  z_d = F_d⁻¹(u), u on a regular grid in (0, 1): equal areas of the picture have
  equal probability under the prior's marginals F_d (Kingma and Welling, 2014,
  appendix A).

  Args:
    walk: Model.
    base: what the rest is as.
    steps: Rows and columns; z_0 grows to the right and z_1 upwards.
  """
  u = (np.arange(steps) + 0.5) / steps
  if walk.has_normal_prior:
    # F⁻¹(u) = m + s Φ⁻¹(u), [steps, 2]
    levels = stats.norm.ppf(
        u[:, np.newaxis], walk.prior.mean(), walk.prior.stddev())
  else:
    levels = np.quantile(walk.prior_draws(), u, axis=0)
  z = np.stack(np.meshgrid(levels[:, 0], levels[::-1, 1]), axis=-1)
  images = walk.decode_from(base, z.reshape(-1, 2))
  return images.reshape(steps, steps, *images.shape[1:])
