"""Rows of reconstructions, samples, interpolations and traversals.

Each function returns images `[rows, columns, h, w, c]` in [0, 1], for `tile`.
"""

from collections.abc import Sequence

import numpy as np

from tfvae.lazy import LazyModule
from tfvae.report.latents.latent_walk import Base
from tfvae.report.latents.latent_walk import LatentWalk

stats = LazyModule('scipy.stats')

# Extent of a traversal in standard deviations of the standard normal.
REACH = 3.0


def distinct(labels: np.ndarray | None, n: int) -> list[int]:
  """Returns the indices of the first image of each label, at most n.

  The first of the other images follow, if there are fewer labels than n.
  """
  firsts = [] if labels is None else np.sort(
      np.unique(labels, return_index=True)[1]).tolist()
  size = n if labels is None else len(labels)
  return [*firsts, *(i for i in range(size) if i not in firsts)][:n]


def reconstructions(walk: LatentWalk, columns: int = 10,
                    pairs: int = 3) -> np.ndarray:
  """Rows of originals, each above E[x|z] at the posterior means."""
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
  """E[x|z] with z ~ p(z); a column for each label of a conditional model."""
  columns = columns if walk.y is None else walk.y.shape[1]
  n, labels = rows * columns, None
  if walk.y is not None:
    labels = {'y': np.tile(np.eye(columns, dtype=np.float32), [rows, 1])}
  images = walk.sample(n, labels)
  return images.reshape(rows, columns, *images.shape[1:])


def interpolations(walk: LatentWalk, pairs: Sequence[tuple[int, int]],
                   steps: int = 8) -> np.ndarray:
  """Interpolations between images along a line of posterior means.

  Args:
    walk: Latents of the model.
    pairs: Indices of the two images of each row.
    steps: Number of decodings of z = (1 − t) z_a + t z_b, t from 0 to 1; the
      label y of a conditional model is interpolated in the same way.

  Returns:
    Rows of the first image, the decodings and the second image.
  """
  return np.array([
      [walk.x[a], *walk.decode(*interpolated(walk, a, b, steps)), walk.x[b]]
      for a, b in pairs])


def interpolated(
    walk: LatentWalk, a: int, b: int,
    steps: int) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
  """Returns latents and labels on the line from one example to another.

  Args:
    walk: Latents of the model.
    a: Index of the first example.
    b: Index of the last one.
    steps: Number of points, both ends among them.

  Returns:
    Latents by name, `[steps, size]`, and y, `[steps, classes]` or None.
  """
  t = np.linspace(0, 1, steps)[:, np.newaxis]
  between = lambda z: (1 - t) * z[a] + t * z[b]
  return ({name: between(z) for name, z in walk.means.items()},
          None if walk.y is None else between(walk.y))


def traversals(walk: LatentWalk, base: Base, dimensions: Sequence[int],
               steps: int = 11) -> np.ndarray:
  """A row for each dimension from −3 to 3, with the others at the base."""
  z = np.tile(base.roots[walk.top], [len(dimensions), steps, 1])
  for row, dimension in enumerate(dimensions):
    z[row, :, dimension] = np.linspace(-REACH, REACH, steps)
  images = walk.decode_from(base, z.reshape(-1, z.shape[-1]))
  return images.reshape(len(dimensions), steps, *images.shape[1:])


def manifold(walk: LatentWalk, base: Base, steps: int = 16) -> np.ndarray:
  """Decodings over the plane of a top latent of two dimensions.

  z_d = F_d⁻¹(u), u on a regular grid in (0, 1): equal areas of the picture have
  equal probability under the prior's marginals F_d (Kingma and Welling, 2014,
  appendix A).

  Args:
    walk: Latents of the model.
    base: Values of the other latents.
    steps: Number of rows and columns; z_0 grows to the right and z_1 upward.
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
