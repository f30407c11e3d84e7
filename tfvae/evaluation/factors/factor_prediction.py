"""How well factors are predicted from codes, dimension by dimension."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC

_TINY = np.finfo(float).tiny  # Keeps 0 / 0 at 0.
_TREES = 30
# From the most regular tree to the least, which wins only if it is better.
_LEAF_SIZES = (64, 16, 4, 1)


def dci(codes: np.ndarray, factors: np.ndarray,
        seed: int = 0) -> dict[str, float]:
  """Returns disentanglement, completeness and informativeness.

    D = Σ_i ρ_i (1 − H_f(R_i· / Σ_k R_ik)),  ρ_i = Σ_k R_ik / Σ R,
    C = Σ_k ρ_k (1 − H_d(R_·k / Σ_i R_ik)),  ρ_k = Σ_i R_ik / Σ R,

  where R_ik is the importance of dimension i for predicting factor k and H_n
  the entropy to base n; informativeness is the accuracy on a third of the data
  that was held out. Eastwood and Williams, A Framework for the Quantitative
  Evaluation of Disentangled Representations, 2018.

  R is that of random forests, as in the paper, every dimension a candidate at
  every split, and the size of the leaves chosen by accuracy out of the bag:
  full trees spread importance over what is noise. Locatello et al. use gradient
  boosting, a tree for each class and round, which takes minutes where this
  takes seconds; their values do not compare with these. (scikit-learn's
  histogram boosting is fast, and has no importances.)

  Args:
    codes: see `disentanglement.disentanglement_scores`.
    factors: see `disentanglement.disentanglement_scores`.
    seed: of the split and the forests.
  """
  codes, factors = checked(codes, factors)
  train, test = _split(len(codes), seed)
  forests = [_forest(codes[train], v[train], seed) for v in factors.T]
  importance = np.stack([f.feature_importances_ for f in forests], axis=1)
  accuracies = [forest.score(codes[test], v[test])
                for forest, v in zip(forests, factors.T, strict=True)]
  weights = importance / max(importance.sum(), _TINY)
  return {
      'disentanglement': float(weights.sum(1) @ _concentration(importance.T)),
      'completeness': float(weights.sum(0) @ _concentration(importance)),
      'informativeness': float(np.mean(accuracies))}


def sap(codes: np.ndarray, factors: np.ndarray, is_continuous: bool = False,
        seed: int = 0) -> float:
  """Returns SAP: how much better the best dimension predicts than the second.

    SAP = mean_k (S_(1)k − S_(2)k),

  with S_ik the accuracy on held-out data of a linear support vector machine
  that predicts factor k from dimension i alone, or, for factors that are
  continuous, the squared correlation of the two; Kumar, Sattigeri and
  Balakrishnan, Variational Inference of Disentangled Latent Concepts from
  Unlabeled Observations, 2018. The settings are those of Locatello et al. By
  accuracy it stays below 1, since the second dimension guesses at chance.

  Args:
    codes: see `disentanglement.disentanglement_scores`.
    factors: see `disentanglement.disentanglement_scores`.
    is_continuous: whether the factors are numbers, in place of classes.
    seed: of the split and the classifiers.
  """
  codes, factors = checked(codes, factors)
  if is_continuous:
    z, v = codes - codes.mean(0), factors - factors.mean(0)
    scale = np.maximum(np.outer((z**2).sum(0), (v**2).sum(0)), _TINY)
    return float(np.mean(gap((z.T @ v)**2 / scale)))
  train, test = _split(len(codes), seed)

  def accuracy(z, v):
    if np.ptp(v[train]) == 0:  # A rare value may be in no training row.
      return np.mean(v[test] == v[train][0])
    classifier = LinearSVC(
        C=0.01, class_weight='balanced', random_state=seed)
    return classifier.fit(z[train], v[train]).score(z[test], v[test])

  return float(np.mean(gap(np.array(
      [[accuracy(z[:, np.newaxis], v) for v in factors.T] for z in codes.T]))))


def _forest(codes, factor, seed) -> RandomForestClassifier:
  forests = (
      RandomForestClassifier(
          _TREES, max_features=None, min_samples_leaf=size, oob_score=True,
          n_jobs=-1, random_state=seed).fit(codes, factor)
      for size in _LEAF_SIZES)
  return max(forests, key=lambda forest: forest.oob_score_)


def _concentration(weights: np.ndarray) -> np.ndarray:
  """Returns 1 − H_n(w / Σ w) of each column of n, 1 where one has it all."""
  shares = weights / np.maximum(weights.sum(axis=0), _TINY)
  logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
  return 1 + np.sum(shares * logs, axis=0) / np.log(len(weights))


def _split(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns the rows of two thirds, to learn from, and those of the rest."""
  rows = np.random.default_rng(seed).permutation(n)
  return rows[:2 * n // 3], rows[2 * n // 3:]


def gap(scores: np.ndarray) -> np.ndarray:
  """Returns the greatest less the second of each column, `[f]`."""
  second, first = np.sort(scores, axis=0)[-2:]
  return first - second


def normalized_gap(information: np.ndarray, factors: np.ndarray) -> float:
  """Returns MIG, mean_k (I(z_(1); v_k) − I(z_(2); v_k)) / H(v_k).

  Args:
    information: I(z_j; v_k), `[d, f]`, in nats. Where d is 1, the second
      dimension counts as one that knows nothing.
    factors: Integer array `[n, f]`.
  """
  nothing = np.zeros([1, factors.shape[1]])
  entropies = [mutual_info_score(v, v) for v in factors.T]  # I(v; v) = H(v)
  return float(np.mean(gap(np.vstack([information, nothing])) / entropies))


def checked(
    codes: np.ndarray, factors: np.ndarray,
    informative: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
  """Returns codes and factors as arrays.

  Args:
    codes: see `disentanglement.disentanglement_scores`.
    factors: see `disentanglement.disentanglement_scores`.
    informative: Bool array `[d]`; the other dimensions become 0, so that no
      score credits them. None keeps all.

  Raises:
    ValueError: if they are not as `disentanglement_scores` says.
  """
  codes, factors = np.asarray(codes, np.float64), checked_factors(factors)
  if (codes.ndim != 2 or len(codes) != len(factors) or codes.shape[1] < 2):
    raise ValueError(
        'Disentanglement is of codes [n, d] and factors [n, f], d and f at '
        f'least 2. Received: codes.shape={codes.shape}, '
        f'factors.shape={factors.shape}')
  if not np.isfinite(codes).all():
    raise ValueError(
        'codes must be finite; see whether training diverged. Received: '
        f'{int((~np.isfinite(codes)).any(axis=1).sum())} rows that are not')
  if informative is None:
    return codes, factors
  if np.shape(informative) != codes.shape[1:]:
    raise ValueError('informative must have a value for each dimension. '
                     f'Received: informative.shape={np.shape(informative)}, '
                     f'codes.shape={codes.shape}')
  return np.where(np.asarray(informative, bool), codes, 0.0), factors


def checked_factors(factors: np.ndarray) -> np.ndarray:
  """Returns the factors as an array `[n, f]`.

  Raises:
    ValueError: if they are not at least two factors, integers, each of two
      values or more.
  """
  reason = why_not(factors)
  if reason:
    raise ValueError(reason)
  return np.asarray(factors)


def why_not(factors: np.ndarray) -> str | None:
  """Returns why factors cannot be predicted, or None; see `checked_factors`."""
  factors = np.asarray(factors)
  if factors.ndim != 2 or factors.shape[1] < 2 or not len(factors):
    return ('factors must be [n, f], f at least 2. Received: '
            f'factors.shape={factors.shape}')
  if not np.issubdtype(factors.dtype, np.integer):
    return ('factors must be integers; number their values. Received: '
            f'factors.dtype={factors.dtype}')
  if (factors == factors[0]).all(axis=0).any():
    return ('each factor must have two values or more; leave out those that do '
            f'not. Received: factors.max(0) - factors.min(0)='
            f'{np.ptp(factors, 0)}')
  return None
