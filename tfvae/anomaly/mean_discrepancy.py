"""The kernel two-sample test.

Gretton, Borgwardt, Rasch, Schölkopf and Smola, A Kernel Two-Sample Test, JMLR
2012.
"""

from typing import NamedTuple

import numpy as np

from tfvae.lazy import LazyModule

distance = LazyModule('scipy.spatial.distance')


class KernelTest(NamedTuple):
  """Result of the test whether two samples are of one distribution.

  Attributes:
    statistic: Unbiased estimate of MMD², which may be negative.
    p_value: Share of permutations of all rows, the identity among them, whose
      statistic is at least that of the samples.
    bandwidth: Standard deviation σ of the kernel.
  """

  statistic: float
  p_value: float
  bandwidth: float


def kernel_two_sample_test(x: np.ndarray, y: np.ndarray,
                           num_permutations: int = 500,
                           seed: int = 0) -> KernelTest:
  """Tests whether two samples are of one distribution.

    MMD² = Σ_{i≠j} k(x_i, x_j) / n(n−1) + Σ_{i≠j} k(y_i, y_j) / m(m−1)
           − 2 Σ_{i,j} k(x_i, y_j) / nm,  k(a, b) = exp(−|a − b|² / 2σ²),

  with σ the median distance of two different rows. Under the hypothesis the
  rows of both samples are exchangeable, so that the p-value is exact.

  Args:
    x: First sample, `[n, d]`, at least 2 rows.
    y: Second sample, `[m, d]`, at least 2 rows.
    num_permutations: Number of random permutations.
    seed: Seed of the permutations.

  Raises:
    ValueError: If a sample has fewer than 2 rows.
  """
  if min(len(x), len(y)) < 2:
    raise ValueError('Each sample of the kernel test needs two rows. Received: '
                     f'{len(x)} and {len(y)} rows')
  rows = np.concatenate([x, y]).astype(np.float64)
  squared = distance.squareform(distance.pdist(rows, 'sqeuclidean'))
  distances = squared[np.triu_indices(len(rows), 1)]
  # If most rows are equal their median distance is 0; then any kernel will do.
  bandwidth = float(np.sqrt(np.median(distances))) or 1.0
  kernel = np.exp(-squared / (2 * bandwidth**2))
  np.fill_diagonal(kernel, 0.0)
  statistics = _statistics(kernel, len(x), num_permutations, seed)
  # Sums in another order differ in the last bits.
  is_larger = statistics[1:] >= statistics[0] - 1e-12
  return KernelTest(float(statistics[0]), float(
      (1 + np.sum(is_larger)) / (1 + num_permutations)), bandwidth)


def _statistics(kernel: np.ndarray, n: int, num_permutations: int,
                seed: int) -> np.ndarray:
  """Returns MMD² of the samples, and of random permutations of the rows.

  Args:
    kernel: Kernel of all pairs of rows, with zeros on the diagonal.
    n: Rows of the first sample.
    num_permutations: Number of permutations.
    seed: Seed of the permutations.
  """
  m = len(kernel) - n
  rng = np.random.default_rng(seed)
  # Whether each row is in the first sample, `[n + m, 1 + permutations]`.
  first = np.zeros([n + m, 1 + num_permutations])
  first[:n] = 1
  first[:, 1:] = rng.permuted(first[:, 1:], axis=0)
  within = np.sum(first * (kernel @ first), axis=0)
  across = np.sum(kernel, axis=0) @ first - within
  rest = np.sum(kernel) - within - 2 * across
  return within / (n * (n - 1)) + rest / (m * (m - 1)) - 2 * across / (n * m)
