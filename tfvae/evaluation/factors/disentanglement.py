"""How far each dimension of a code stands for one factor of the data.

The four measures of Locatello et al., Challenging Common Assumptions in the
Unsupervised Learning of Disentangled Representations, 2019, computed from the
codes and factors of a part of the data. All are between 0 and 1, all but the
FactorVAE score near 0 where nothing is disentangled. Codes are posterior means,
as `tfvae.evaluation.factors.representation.posterior_means` gives them.

A mean has no scale of its own: one that moves far less than its posterior is
wide is credited like any other, although the latent tells next to nothing.
`Latent.informative` marks the dimensions to keep, and
`sampled_mutual_information_gap` needs no mark.
"""

import numpy as np
from sklearn.metrics import mutual_info_score

from tfvae.evaluation.factors import factor_prediction
from tfvae.evaluation.factors.factor_prediction import checked
from tfvae.evaluation.factors.factor_prediction import dci
from tfvae.evaluation.factors.factor_prediction import normalized_gap
from tfvae.evaluation.factors.factor_prediction import sap


def disentanglement_scores(
    codes: np.ndarray, factors: np.ndarray, seed: int = 0,
    informative: np.ndarray | None = None) -> dict[str, float]:
  """Returns every score of this file by name.

  Args:
    codes: Float array `[n, d]`, d at least 2; some 10,000 rows are customary.
    factors: Integer array `[n, f]`, f at least 2, each with two values or more
      and each value in two rows or more.
    seed: Seed of the split into training and test data, of the forests and of
      the votes.
    informative: Bool array `[d]`, the dimensions to score; the others are held
      at 0, so that no score credits them. None scores all. See
      `LatentSpace.informative`.

  Returns:
    A dictionary of 'mig', 'dci_disentanglement', 'dci_completeness',
    'dci_informativeness', 'sap' and 'factor_vae_score'.

  Raises:
    ValueError: if codes or factors are not as said; see `why_not`.
  """
  codes, factors = checked(codes, factors, informative)
  _check_counts(factors)
  parts = dci(codes, factors, seed)
  return {'mig': mutual_information_gap(codes, factors),
          **{f'dci_{name}': score for name, score in parts.items()},
          'sap': sap(codes, factors, seed=seed),
          'factor_vae_score': factor_vae_score(codes, factors, seed)}


def why_not(factors: np.ndarray) -> str | None:
  """Returns why `disentanglement_scores` does not take factors, or None.

  Args:
    factors: Integer array `[n, f]`.
  """
  reason = factor_prediction.why_not(factors)
  if reason:
    return reason
  for k, factor in enumerate(np.asarray(factors).T):
    values, counts = np.unique(factor, return_counts=True)
    if counts.min() < 2:
      return ('each value of a factor must occur at least twice; give more '
              f'data, or leave the factor out. Received: factors[:, {k}] with '
              f'a single {values[counts.argmin()]} in {len(factor)} rows')
  return None


def mutual_information_gap(
    codes: np.ndarray, factors: np.ndarray, num_bins: int = 20,
    informative: np.ndarray | None = None) -> float:
  """Returns MIG: how much more the best dimension knows than the second.

    MIG = mean_k (I(z_(1); v_k) − I(z_(2); v_k)) / H(v_k),

  with (1) and (2) the two dimensions that tell most of v_k; Chen et al.,
  Isolating Sources of Disentanglement in VAEs, 2018. As in Locatello et al.,
  the codes are cut into bins of equal width from their least to their greatest
  value, so a factor of more values than bins cannot reach 1.

  Args:
    codes: see `disentanglement_scores`.
    factors: see `disentanglement_scores`.
    num_bins: Bins of each dimension.
    informative: see `disentanglement_scores`. With a single dimension left, the
      second counts as one that knows nothing.
  """
  codes, factors = checked(codes, factors, informative)
  bins = [np.digitize(z, np.histogram_bin_edges(z, num_bins)[1:-1])
          for z in codes.T]
  information = np.array(
      [[mutual_info_score(v, z) for v in factors.T] for z in bins])  # [d, f]
  return normalized_gap(information, factors)


def factor_vae_score(codes: np.ndarray, factors: np.ndarray, seed: int = 0,
                     num_votes: int = 10000, batch_size: int = 64) -> float:
  """Returns the accuracy of a majority vote for the factor that was fixed.

  A vote is the dimension that varies least, relative to its variance in all
  the data, over a batch in which one factor keeps its value. A classifier from
  dimensions to factors is read off `num_votes` votes and scored on half as many
  others. Chance is 1/f. Kim and Mnih, Disentangling by Factorising, 2018.

  Args:
    codes: see `disentanglement_scores`.
    factors: see `disentanglement_scores`; no value may occur once only.
    seed: of the batches.
    num_votes: votes to learn from, at least 2.
    batch_size: rows of a batch, drawn with replacement from those with the
      value of a random row; at least 2.

  Raises:
    ValueError: if a number is below 2, or a value occurs once only.
  """
  if num_votes < 2 or batch_size < 2:
    raise ValueError('num_votes and batch_size must be at least 2. Received: '
                     f'num_votes={num_votes}, batch_size={batch_size}')
  codes, factors = checked(codes, factors)
  _check_counts(factors)
  codes = codes[:, np.var(codes, axis=0) > 0]
  if not codes.size:
    return 0.0  # Every dimension has collapsed.
  rng = np.random.default_rng(seed)
  learned = np.argmax(
      _votes(codes, factors, num_votes, batch_size, rng), axis=1)
  votes = _votes(codes, factors, num_votes // 2, batch_size, rng)
  return float(votes[np.arange(len(votes)), learned].sum() / votes.sum())


def _check_counts(factors: np.ndarray):
  reason = why_not(factors)
  if reason:
    raise ValueError(reason)


def _votes(codes, factors, num_votes, batch_size, rng) -> np.ndarray:
  """Returns how often each dimension was chosen for each factor, `[d, f]`."""
  inverses = [np.unique(v, return_inverse=True)[1] for v in factors.T]
  rows = [[np.flatnonzero(inverse == value)
           for value in range(inverse.max() + 1)] for inverse in inverses]
  variances = codes.var(axis=0, ddof=1)
  votes = np.zeros([codes.shape[1], factors.shape[1]], int)
  for _ in range(num_votes):
    k, row = rng.integers(factors.shape[1]), rng.integers(len(codes))
    batch = codes[rng.choice(rows[k][inverses[k][row]], batch_size)]
    votes[np.argmin(batch.var(axis=0, ddof=1) / variances), k] += 1
  return votes
