"""The latent space in two dimensions: posterior means over the prior."""

from collections.abc import Mapping
import dataclasses

from matplotlib.figure import Figure
import numpy as np
from sklearn import decomposition

from tfvae.report.latents.latent_walk import LatentWalk

# Probabilities of the prior's regions, the widest first.
LEVELS = (0.99, 0.9, 0.5)

_CELLS = 80  # Of the histogram of the prior's draws, each way.


@dataclasses.dataclass(frozen=True, eq=False)
class LatentMap:
  """A plane of the latent space.

  Attributes:
    points: Posterior means in the plane, `[n, 2]`.
    axes: Two orthonormal directions, `[2, size]`.
    centre: what lies at the plane's origin, `[size]`.
    explained: Part of the means' variance that the plane shows.
    contours: by probability, the outlines `[points, 2]` of the smallest region
      of the plane with that much of the prior.
    inside: by probability, the part of the means within that region.
  """

  points: np.ndarray
  axes: np.ndarray
  centre: np.ndarray
  explained: float
  contours: Mapping[float, list[np.ndarray]]
  inside: Mapping[float, float]

  def project(self, z: np.ndarray) -> np.ndarray:
    """Returns the place of z, `[..., size]`, in the plane, `[..., 2]`."""
    return (z - self.centre) @ self.axes.T


def latent_map(walk: LatentWalk) -> LatentMap:
  """Projects posterior means and prior on the means' principal plane.

  A top latent of two dimensions is its own plane, and means that do not vary
  are shown in the plane of the first two dimensions. The prior's regions are
  ellipses where it is normal; otherwise they are of a smoothed histogram of
  its projected draws.
  """
  means = np.float64(walk.top_means)
  size = means.shape[1]
  axes, centre, explained = np.eye(2), np.zeros(2), 1.0
  if size > 2 and not np.ptp(means, axis=0).any():
    axes, centre = np.eye(2, size), means[0]
  elif size > 2:
    pca = decomposition.PCA(2).fit(means)
    axes, centre = pca.components_, pca.mean_
    explained = float(pca.explained_variance_ratio_.sum())
  points = (means - centre) @ axes.T
  if walk.has_normal_prior:
    contours, inside = _normal_regions(
        (walk.prior.mean().numpy() - centre) @ axes.T,
        axes @ np.diag(walk.prior.variance().numpy()) @ axes.T, points)
  else:
    contours, inside = _regions((walk.prior_draws() - centre) @ axes.T, points)
  return LatentMap(points, axes, centre, explained, contours, inside)


def _normal_regions(mean, covariance, points):
  """Ellipses (z − m)ᵀ C⁻¹ (z − m) ≤ −2 log(1 − p) of N(m, C) in the plane."""
  angles = np.linspace(0, 2 * np.pi, 73)
  circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
  root = np.linalg.cholesky(covariance)
  radii = {level: np.sqrt(-2 * np.log1p(-level)) for level in LEVELS}
  distances = np.linalg.norm(np.linalg.solve(root, (points - mean).T), axis=0)
  return ({p: [mean + r * circle @ root.T] for p, r in radii.items()},
          {p: float(np.mean(distances <= r)) for p, r in radii.items()})


def _regions(draws, points):
  """Regions of highest density of a smoothed histogram of draws, `[n, 2]`."""
  low, high = draws.min(0), draws.max(0)
  margin = 0.1 * (high - low)
  edges = np.linspace(low - margin, high + margin, _CELLS + 1)  # [cells + 1, 2]
  density = _smooth(np.histogram2d(*draws.T, bins=edges.T)[0])
  centres = (edges[1:] + edges[:-1]) / 2
  axes = Figure().add_subplot()
  contours, inside = {}, {}
  for level in LEVELS:
    # The draws of the highest density, as many as the level says.
    threshold = np.quantile(_look_up(density, edges, draws), 1 - level)
    contours[level] = axes.contour(
        *centres.T, density.T, levels=[threshold]).allsegs[0]
    inside[level] = float(
        np.mean(_look_up(density, edges, points) >= threshold))
  return contours, inside


def _look_up(density, edges, points):
  """The density of the cell of each point, `[n]`; of the nearest outside."""
  cells = [np.searchsorted(edges[:, axis], points[:, axis]) - 1
           for axis in (0, 1)]
  return density[tuple(np.clip(cells, 0, _CELLS - 1))]


def _smooth(counts):
  """Counts under a normal kernel of 1.5 cells' standard deviation."""
  kernel = np.exp(-0.5 * (np.arange(-5, 6) / 1.5)**2)
  for axis in (0, 1):
    counts = np.apply_along_axis(
        lambda line: np.convolve(line, kernel / kernel.sum(), mode='same'),
        axis, counts)
  return counts
