"""Statistics of the ranks of simulation-based calibration."""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
from typing import Any

import numpy as np

from tfvae.lazy import LazyModule

stats = LazyModule('scipy.stats')

LEVELS = (0.5, 0.8, 0.95)


def uniform_band(num_ranks: int, num_bins: int,
                 level: float = 0.95) -> tuple[int, int]:
  """Returns the counts between which a bin of uniform ranks lies, inclusive.

  Args:
    num_ranks: Ranks in all bins.
    num_bins: Number of bins.
    level: Probability of the central interval of Binomial(num_ranks, 1 / bins).
  """
  low, high = stats.binom.interval(level, num_ranks, 1 / num_bins)
  return int(low), int(high)


@dataclasses.dataclass(frozen=True)
class Calibration:
  """Ranks that are uniform on 0, …, L if q(z|x) is calibrated.

  A ∪-shaped histogram means that the posterior is too narrow, a ∩-shaped one
  that it is too wide, and a sloping one that it is shifted.

  Attributes:
    ranks: Ranks by latent, int `[num_simulations, size]`.
    num_draws: Number of draws L that each value is ranked among.
    num_bins: Number of bins of the histograms, a divisor of L + 1.
  """

  ranks: Mapping[str, np.ndarray]
  num_draws: int
  num_bins: int

  @property
  def num_simulations(self) -> int:
    """The number of ranks of each dimension."""
    return len(next(iter(self.ranks.values())))

  @functools.cached_property
  def histograms(self) -> dict[str, np.ndarray]:
    """Counts of ranks by latent, int `[size, num_bins]`."""
    bins = np.arange(self.num_bins)
    width = (self.num_draws + 1) // self.num_bins
    return {name: (ranks.T[:, :, np.newaxis] // width == bins).sum(axis=1)
            for name, ranks in self.ranks.items()}

  def histogram_band(self, level: float = 0.95) -> tuple[int, int]:
    """Returns the `uniform_band` of one bin.

    Of 20 bins one is outside its 95 % band on average.

    Args:
      level: Probability of the band.
    """
    return uniform_band(self.num_simulations, self.num_bins, level)

  def cumulative_band(self, level: float = 0.95,
                      seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns a simultaneous band of the cumulative counts of a dimension.

    The band is that of Säilynoja, Bürkner and Vehtari, Graphical test for
    discrete uniformity, 2022, by simulation, at the edges of the bins: binomial
    intervals whose level is chosen so that a fraction `level` of uniform
    samples stays within all of them.

    Args:
      level: Probability that a calibrated dimension stays within the band.
      seed: Seed of the simulated ranks.

    Returns:
      The lowest and the highest sums of the first 1, 2, … bins, `[num_bins −
      1]`.
    """
    n, shares = self.num_simulations, np.full(self.num_bins, 1 / self.num_bins)
    edges = np.cumsum(shares)[:-1]
    sums = np.random.default_rng(seed).multinomial(
        n, shares, size=2000).cumsum(axis=1)[:, :-1]
    # The smallest two-sided tail probability along each simulated path.
    tails = 2 * np.minimum(stats.binom.cdf(sums, n, edges),
                           stats.binom.sf(sums - 1, n, edges)).min(axis=1)
    return stats.binom.interval(1 - np.quantile(tails, 1 - level), n, edges)

  @property
  def p_values(self) -> dict[str, np.ndarray]:
    """P-values of chi-square tests of uniformity, by latent, `[size]`."""
    return {name: stats.chisquare(counts, axis=1).pvalue
            for name, counts in self.histograms.items()}

  def coverage(self, level: float) -> tuple[dict[str, np.ndarray], float]:
    """Returns how often the central interval of q(z_d|x̃) contains z̃_d.

    The ends of the interval are two of the L draws, so its nominal level is a
    multiple of 1 / (L + 1).

    Args:
      level: Probability of the interval, between 0 and 1.

    Returns:
      The fraction of the simulations by latent, `[size]`, and the nominal level
      to compare it with, the nearest one to `level`.

    Raises:
      ValueError: If `level` is out of range.
    """
    if not 0 < level < 1:
      raise ValueError(
          f'`level` must be between 0 and 1. Received: level={level}')
    tail = round((1 - level) / 2 * (self.num_draws + 1))  # Ranks on each side.
    return {
        name: np.mean((ranks >= tail) & (ranks <= self.num_draws - tail),
                      axis=0)
        for name, ranks in self.ranks.items()
    }, 1 - 2 * tail / (self.num_draws + 1)

  def is_calibrated(self, significance: float = 0.05) -> bool:
    """Returns whether the ranks of all dimensions are consistent with uniform.

    Args:
      significance: Upper limit of the probability of False for a calibrated
        posterior: each of D chi-square tests has the significance level
        `significance` / D (Bonferroni).
    """
    p_values = np.concatenate(list(self.p_values.values()))
    return bool(p_values.min() * len(p_values) > significance)

  def describe(self, significance: float = 0.05) -> list[str]:
    """Returns the verdict in sentences.

    Args:
      significance: See `is_calibrated`.
    """
    size = sum(ranks.shape[1] for ranks in self.ranks.values())
    if self.is_calibrated(significance):
      return [
          f'Calibrated: in {self.num_simulations} simulations, the ranks of '
          f'none of {size} latent dimensions differ from uniform (chi-square '
          f'tests with a joint significance level of {significance:g}).']
    coverage, nominal = self.coverage(0.95)
    sentences = []
    for name, p_values in self.p_values.items():
      off = np.flatnonzero(p_values * size <= significance)
      if len(off):
        sentences.append(
            f'q({name}|x) is not calibrated in {len(off)} of {len(p_values)} '
            f'dimensions: it is {self._faults(name, off)}. There, its central '
            f'{nominal:.0%} intervals contain {_range(coverage[name][off])} of '
            'the true values.')
    return sentences

  def _faults(self, name: str, dimensions: np.ndarray) -> str:
    """Returns how q is wrong, with the number of dimensions of each fault."""
    # Of u uniform on [−½, ½] the variance is 1/12, that of u² is 1/180.
    u = (self.ranks[name][:, dimensions] + 0.5) / (self.num_draws + 1) - 0.5
    location = np.mean(u, axis=0) * np.sqrt(12)
    spread = (np.mean(u**2, axis=0) - 1 / 12) * np.sqrt(180)
    is_shifted = np.abs(location) > np.abs(spread)
    faults = {'too narrow': ~is_shifted & (spread > 0),
              'too wide': ~is_shifted & (spread <= 0), 'shifted': is_shifted}
    return ', '.join(f'{fault} in {where.sum()}'
                     for fault, where in faults.items() if where.any())

  def to_dict(self, levels: Sequence[float] = LEVELS) -> dict[str, Any]:
    """Returns verdict, p-values and coverages as plain data.

    Args:
      levels: Levels of the central intervals.
    """
    return {
        'is_calibrated': self.is_calibrated(),
        'num_simulations': self.num_simulations,
        'latents': {name: {
            'p_values': self.p_values[name].tolist(),
            'coverage': {f'{level:g}': self.coverage(level)[0][name].tolist()
                         for level in levels}} for name in self.ranks}}


def _range(shares: np.ndarray) -> str:
  """Returns the range of shares in percent."""
  low, high = (f'{share:.0%}' for share in (shares.min(), shares.max()))
  return low if low == high else f'between {low} and {high}'
