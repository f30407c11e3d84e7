"""Disentanglement scores: whether each dimension represents one factor.

The four scores are those of Locatello et al., Challenging Common Assumptions in
the Unsupervised Learning of Disentangled Representations, 2019, computed from
codes and factors of a data set. All are between 0 and 1; all except the
FactorVAE score are near 0 where nothing is disentangled. Codes are posterior
means, as from `tfvae.evaluation.factors.representation.posterior_means`.

The scores ignore the scale of a mean: one that varies far less than its
posterior's standard deviation counts like any other, although it carries almost
no information. `Latent.informative` marks the dimensions to keep;
`sampled_mutual_information_gap` needs no such mark.
"""

import numpy as np

from tfvae.evaluation.factors import factor_prediction
from tfvae.evaluation.factors.factor_prediction import checked
from tfvae.evaluation.factors.factor_prediction import dci
from tfvae.evaluation.factors.factor_prediction import normalized_gap
from tfvae.evaluation.factors.factor_prediction import sap
from tfvae.lazy import LazyModule

metrics = LazyModule('sklearn.metrics')


def disentanglement_scores(
    codes: np.ndarray, factors: np.ndarray, seed: int = 0,
    informative: np.ndarray | None = None) -> dict[str, float]:
  """Returns all disentanglement scores by name.

  Args:
    codes: Float array `[n, d]`, d at least 2; 10,000 rows are customary.
    factors: Integer array `[n, f]`, f at least 2; each factor has at least two
      values, and each value occurs in at least two rows.
    seed: Seed of the split into training and test data, of the forests and of
      the votes.
    informative: Bool array `[d]`, the dimensions to score; the others are set
      to 0, so that no score credits them. None scores all dimensions. See
      `LatentSpace.informative`.

  Returns:
    A dictionary of 'mig', 'dci_disentanglement', 'dci_completeness',
    'dci_informativeness', 'sap' and 'factor_vae_score'.

  Raises:
    ValueError: If codes or factors are unsuitable; see `why_not`.
  """
  codes, factors = checked(codes, factors, informative)
  _check_counts(factors)
  parts = dci(codes, factors, seed)
  return {'mig': mutual_information_gap(codes, factors),
          **{f'dci_{name}': score for name, score in parts.items()},
          'sap': sap(codes, factors, seed=seed),
          'factor_vae_score': factor_vae_score(codes, factors, seed)}


def why_not(factors: np.ndarray) -> str | None:
  """Returns why factors are unsuitable for the scores, or None.

  Args:
    factors: Integer array `[n, f]`.
  """
  reason = factor_prediction.why_not(factors)
  if reason:
    return reason
  for k, factor in enumerate(np.asarray(factors).T):
    values, counts = np.unique(factor, return_counts=True)
    if counts.min() < 2:
      return ('each value of a factor must occur at least twice; use more '
              f'data, or leave the factor out. Received: factors[:, {k}] with '
              f'a single {values[counts.argmin()]} in {len(factor)} rows')
  return None


def mutual_information_gap(
    codes: np.ndarray, factors: np.ndarray, num_bins: int = 20,
    informative: np.ndarray | None = None) -> float:
  """Returns the mutual information gap of codes in bins.

    MIG = mean_k (I(z_(1); v_k) − I(z_(2); v_k)) / H(v_k),

  where (1) and (2) are the two dimensions with the highest information about
  v_k; Chen et al., Isolating Sources of Disentanglement in VAEs, 2018. As in
  Locatello et al., codes are divided into bins of equal width between their
  extremes, so a factor with more values than bins cannot reach 1.

  Args:
    codes: See `disentanglement_scores`.
    factors: See `disentanglement_scores`.
    num_bins: Number of bins of each dimension.
    informative: See `disentanglement_scores`. If a single dimension is left,
      the information of the second is 0.
  """
  codes, factors = checked(codes, factors, informative)
  bins = [np.digitize(z, np.histogram_bin_edges(z, num_bins)[1:-1])
          for z in codes.T]
  information = np.array(  # [d, f]
      [[metrics.mutual_info_score(v, z) for v in factors.T] for z in bins])
  return normalized_gap(information, factors)


def factor_vae_score(codes: np.ndarray, factors: np.ndarray, seed: int = 0,
                     num_votes: int = 10000, batch_size: int = 64) -> float:
  """Returns the accuracy of a majority vote for the factor that is fixed.

  A vote is the dimension with the least variance, relative to its variance in
  all the data, over a batch in which one factor is constant. A classifier from
  dimensions to factors is learned from `num_votes` votes and tested on half as
  many others. Chance level is 1/f. It is the score of FactorVAE, Kim and Mnih,
  2018.

  Args:
    codes: See `disentanglement_scores`.
    factors: See `disentanglement_scores`; each value occurs at least twice.
    seed: Seed of the batches.
    num_votes: Number of votes to learn from, at least 2.
    batch_size: Rows of a batch, drawn with replacement from those with the
      value of a random row; at least 2.

  Raises:
    ValueError: If a number is below 2, or a value occurs only once.
  """
  if num_votes < 2 or batch_size < 2:
    raise ValueError('`num_votes` and `batch_size` must be at least 2. '
                     'Received: '
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
  """Returns the votes of each dimension for each factor, `[d, f]`."""
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
