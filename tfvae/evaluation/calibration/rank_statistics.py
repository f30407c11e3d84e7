"""What the ranks of simulation-based calibration say."""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
from typing import Any

import numpy as np
from scipy import stats

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

  A ∪-shaped histogram belongs to a posterior that is too narrow, a ∩-shaped one
  to one too wide, a sloping one to one that is shifted.

  Attributes:
    ranks: by latent, int `[num_simulations, size]`.
    num_draws: L.
    num_bins: bins of the histograms, a divisor of L + 1.
  """

  ranks: Mapping[str, np.ndarray]
  num_draws: int
  num_bins: int

  @property
  def num_simulations(self) -> int:
    """The number of ranks of a dimension."""
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
    """Returns the cumulative counts between which all of a dimension lie.

    The band of Säilynoja, Bürkner and Vehtari, Graphical test for discrete
    uniformity, 2022, by simulation, at the edges of the bins: binomial
    intervals of such a level that a share `level` of uniform samples keeps
    within all of them.

    Args:
      level: probability that a calibrated dimension keeps within the band.
      seed: of the simulated ranks.

    Returns:
      Lowest and highest sums of the first 1, 2, … bins, `[num_bins − 1]`.
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
    """Chi-square tests of uniform histograms, by latent, `[size]`."""
    return {name: stats.chisquare(counts, axis=1).pvalue
            for name, counts in self.histograms.items()}

  def coverage(self, level: float) -> tuple[dict[str, np.ndarray], float]:
    """Returns how often the central interval of q(z_d|x̃) holds z̃_d.

    The interval is that between two of the L draws, so its nominal level is a
    multiple of 1 / (L + 1).

    Args:
      level: probability of the interval, between 0 and 1.

    Returns:
      The share of the simulations by latent, `[size]`, and the nominal level
      nearest to `level` that it is to be compared with.

    Raises:
      ValueError: if `level` is out of range.
    """
    if not 0 < level < 1:
      raise ValueError(
          f'level must be between 0 and 1. Received: level={level}')
    tail = round((1 - level) / 2 * (self.num_draws + 1))  # Ranks on each side.
    return {
        name: np.mean((ranks >= tail) & (ranks <= self.num_draws - tail),
                      axis=0)
        for name, ranks in self.ranks.items()
    }, 1 - 2 * tail / (self.num_draws + 1)

  def is_calibrated(self, significance: float = 0.05) -> bool:
    """Returns whether no dimension's ranks are known not to be uniform.

    Args:
      significance: the probability of False for a posterior that is
        calibrated, at most: each of D chi-square tests is held against
        significance / D (Bonferroni).
    """
    p_values = np.concatenate(list(self.p_values.values()))
    return bool(p_values.min() * len(p_values) > significance)

  def describe(self, significance: float = 0.05) -> list[str]:
    """Returns the verdict in sentences.

    Args:
      significance: as in `is_calibrated`.
    """
    size = sum(ranks.shape[1] for ranks in self.ranks.values())
    if self.is_calibrated(significance):
      return [
          f'Calibrated: in {self.num_simulations} simulations the ranks of no '
          f'latent dimension of {size} differ from uniform (chi-square, '
          f'significance {significance:g} for all together).']
    coverage, nominal = self.coverage(0.95)
    sentences = []
    for name, p_values in self.p_values.items():
      off = np.flatnonzero(p_values * size <= significance)
      if len(off):
        sentences.append(
            f'q({name}|x) is not calibrated in {len(off)} of {len(p_values)} '
            f'dimensions: it is {self._faults(name, off)}. Its central '
            f'{nominal:.0%} intervals hold between '
            f'{coverage[name][off].min():.0%} and '
            f'{coverage[name][off].max():.0%} of the true values there.')
    return sentences

  def _faults(self, name: str, dimensions: np.ndarray) -> str:
    """Returns in how many of the dimensions q is at fault in which way."""
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
      levels: of the central intervals.
    """
    return {
        'is_calibrated': self.is_calibrated(),
        'num_simulations': self.num_simulations,
        'latents': {name: {
            'p_values': self.p_values[name].tolist(),
            'coverage': {f'{level:g}': self.coverage(level)[0][name].tolist()
                         for level in levels}} for name in self.ranks}}
