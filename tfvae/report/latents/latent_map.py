"""The latent space in two dimensions: posterior means over the prior."""

from collections.abc import Mapping
import dataclasses

import numpy as np

from tfvae.lazy import LazyModule
from tfvae.report.latents.latent_walk import LatentWalk

decomposition = LazyModule('sklearn.decomposition')
figures = LazyModule('matplotlib.figure')

# Probabilities of the prior's regions, in descending order.
LEVELS = (0.99, 0.9, 0.5)

_CELLS = 80  # Rows and columns of the histogram of the prior's draws.


@dataclasses.dataclass(frozen=True, eq=False)
class LatentMap:
  """A plane of the latent space.

  Attributes:
    points: Posterior means in the plane, `[n, 2]`.
    axes: Two orthonormal directions, `[2, size]`.
    center: Point of the latent space at the origin of the plane, `[size]`.
    explained: Fraction of the variance of the means in the plane.
    contours: Outlines `[points, 2]` of the smallest region of the plane with a
      probability under the prior, by this probability.
    inside: Fraction of the means within that region, by its probability.
  """

  points: np.ndarray
  axes: np.ndarray
  center: np.ndarray
  explained: float
  contours: Mapping[float, list[np.ndarray]]
  inside: Mapping[float, float]

  def project(self, z: np.ndarray) -> np.ndarray:
    """Returns the projection of z, `[..., size]`, to the plane, `[..., 2]`."""
    return (z - self.center) @ self.axes.T


def latent_map(walk: LatentWalk) -> LatentMap:
  """Projects posterior means and prior to the principal plane of the means.

  For a latent of two dimensions the plane is the latent space itself; for means
  that do not vary it is that of the first two dimensions. The regions of a
  normal prior are ellipses; those of other priors are level sets of a smoothed
  histogram of projected draws.
  """
  means = np.float64(walk.top_means)
  size = means.shape[1]
  axes, center, explained = np.eye(2), np.zeros(2), 1.0
  if size > 2 and not np.ptp(means, axis=0).any():
    axes, center = np.eye(2, size), means[0]
  elif size > 2:
    pca = decomposition.PCA(2).fit(means)
    axes, center = pca.components_, pca.mean_
    explained = float(pca.explained_variance_ratio_.sum())
  points = (means - center) @ axes.T
  if walk.has_normal_prior:
    contours, inside = _normal_regions(
        (walk.prior.mean().numpy() - center) @ axes.T,
        axes @ np.diag(walk.prior.variance().numpy()) @ axes.T, points)
  else:
    contours, inside = _regions((walk.prior_draws() - center) @ axes.T, points)
  return LatentMap(points, axes, center, explained, contours, inside)


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
  centers = (edges[1:] + edges[:-1]) / 2
  axes = figures.Figure().add_subplot()
  contours, inside = {}, {}
  for level in LEVELS:
    # The region contains the fraction `level` of the draws.
    threshold = np.quantile(_look_up(density, edges, draws), 1 - level)
    contours[level] = axes.contour(
        *centers.T, density.T, levels=[threshold]).allsegs[0]
    inside[level] = float(
        np.mean(_look_up(density, edges, points) >= threshold))
  return contours, inside


def _look_up(density, edges, points):
  """The density of the nearest cell of each point, `[n]`."""
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
