"""Prediction of factors from codes: DCI and SAP."""

import numpy as np

from tfvae.lazy import LazyModule

ensemble = LazyModule('sklearn.ensemble')
metrics = LazyModule('sklearn.metrics')
svm = LazyModule('sklearn.svm')

_TINY = np.finfo(float).tiny  # Keeps 0 / 0 at 0.
_TREES = 30
# In order of decreasing regularization; a later size must be strictly better.
_LEAF_SIZES = (64, 16, 4, 1)


def dci(codes: np.ndarray, factors: np.ndarray,
        seed: int = 0) -> dict[str, float]:
  """Returns disentanglement, completeness and informativeness.

    D = Σ_i ρ_i (1 − H_f(R_i· / Σ_k R_ik)),  ρ_i = Σ_k R_ik / Σ R,
    C = Σ_k ρ_k (1 − H_d(R_·k / Σ_i R_ik)),  ρ_k = Σ_i R_ik / Σ R,

  where R_ik is the importance of dimension i for predicting factor k and H_n
  the entropy to base n; informativeness is the accuracy on a held-out third of
  the data. Eastwood and Williams, A Framework for the Quantitative Evaluation
  of Disentangled Representations, 2018.

  R is that of random forests, as in the paper. Every dimension is a candidate
  at every split, and the leaf size is chosen by out-of-bag accuracy, because
  full trees assign importance to noise. Locatello et al. use gradient boosting
  with a tree for each class and round, which takes minutes instead of seconds;
  their values are not comparable with these. (scikit-learn's histogram boosting
  is fast, but has no importances.)

  Args:
    codes: See `disentanglement.disentanglement_scores`.
    factors: See `disentanglement.disentanglement_scores`.
    seed: Seed of the split and of the forests.
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
  """Returns the separated attribute predictability.

    SAP = mean_k (S_(1)k − S_(2)k),

  where S_ik is the held-out accuracy of a linear support vector machine that
  predicts factor k from dimension i alone or, for continuous factors, their
  squared correlation; Kumar, Sattigeri and Balakrishnan, Variational Inference
  of Disentangled Latent Concepts from Unlabeled Observations, 2018. The
  settings are those of Locatello et al. With accuracies it stays below 1, since
  the second dimension is right by chance.

  Args:
    codes: See `disentanglement.disentanglement_scores`.
    factors: See `disentanglement.disentanglement_scores`.
    is_continuous: Whether the factors are continuous, not classes.
    seed: Seed of the split and of the classifiers.
  """
  codes, factors = checked(codes, factors)
  if is_continuous:
    z, v = codes - codes.mean(0), factors - factors.mean(0)
    scale = np.maximum(np.outer((z**2).sum(0), (v**2).sum(0)), _TINY)
    return float(np.mean(gap((z.T @ v)**2 / scale)))
  train, test = _split(len(codes), seed)

  def accuracy(z, v):
    if np.ptp(v[train]) == 0:  # All other values are in the test rows.
      return np.mean(v[test] == v[train][0])
    classifier = svm.LinearSVC(
        C=0.01, class_weight='balanced', random_state=seed)
    return classifier.fit(z[train], v[train]).score(z[test], v[test])

  return float(np.mean(gap(np.array(
      [[accuracy(z[:, np.newaxis], v) for v in factors.T] for z in codes.T]))))


def _forest(codes, factor, seed) -> 'ensemble.RandomForestClassifier':
  forests = (
      ensemble.RandomForestClassifier(
          _TREES, max_features=None, min_samples_leaf=size, oob_score=True,
          n_jobs=-1, random_state=seed).fit(codes, factor)
      for size in _LEAF_SIZES)
  return max(forests, key=lambda forest: forest.oob_score_)


def _concentration(weights: np.ndarray) -> np.ndarray:
  """Returns 1 − H_n(w / Σ w) of each column of n rows."""
  shares = weights / np.maximum(weights.sum(axis=0), _TINY)
  logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
  return 1 + np.sum(shares * logs, axis=0) / np.log(len(weights))


def _split(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns two thirds of the rows for training, and the rest for testing."""
  rows = np.random.default_rng(seed).permutation(n)
  return rows[:2 * n // 3], rows[2 * n // 3:]


def gap(scores: np.ndarray) -> np.ndarray:
  """Returns the difference of the two largest values of each column, `[f]`."""
  second, first = np.sort(scores, axis=0)[-2:]
  return first - second


def normalized_gap(information: np.ndarray, factors: np.ndarray) -> float:
  """Returns MIG, mean_k (I(z_(1); v_k) − I(z_(2); v_k)) / H(v_k).

  Args:
    information: Mutual information I(z_j; v_k), `[d, f]`, in nats. Where d is
      1, the information of the second dimension is 0.
    factors: Integer array `[n, f]`.
  """
  nothing = np.zeros([1, factors.shape[1]])
  # I(v; v) = H(v).
  entropies = [metrics.mutual_info_score(v, v) for v in factors.T]
  return float(np.mean(gap(np.vstack([information, nothing])) / entropies))


def checked(
    codes: np.ndarray, factors: np.ndarray,
    informative: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
  """Returns codes and factors as arrays.

  Args:
    codes: See `disentanglement.disentanglement_scores`.
    factors: See `disentanglement.disentanglement_scores`.
    informative: Bool array `[d]`; the other dimensions are set to 0, so that no
      score credits them. None keeps all dimensions.

  Raises:
    ValueError: If they are not as `disentanglement_scores` describes.
  """
  codes, factors = np.asarray(codes, np.float64), checked_factors(factors)
  if (codes.ndim != 2 or len(codes) != len(factors) or codes.shape[1] < 2):
    raise ValueError(
        '`codes` must be [n, d] and `factors` [n, f], d and f at least 2. '
        f'Received: codes.shape={codes.shape}, '
        f'factors.shape={factors.shape}')
  if not np.isfinite(codes).all():
    raise ValueError(
        '`codes` must be finite; check whether training diverged. Received: '
        f'{int((~np.isfinite(codes)).any(axis=1).sum())} rows that are not')
  if informative is None:
    return codes, factors
  if np.shape(informative) != codes.shape[1:]:
    raise ValueError('`informative` must have a value for each dimension. '
                     f'Received: informative.shape={np.shape(informative)}, '
                     f'codes.shape={codes.shape}')
  return np.where(np.asarray(informative, bool), codes, 0.0), factors


def checked_factors(factors: np.ndarray) -> np.ndarray:
  """Returns the factors as an array `[n, f]`.

  Raises:
    ValueError: If they are not integers, or not at least two factors with at
      least two values each.
  """
  reason = why_not(factors)
  if reason:
    raise ValueError(reason)
  return np.asarray(factors)


def why_not(factors: np.ndarray) -> str | None:
  """Returns why factors are unsuitable, or None; see `checked_factors`."""
  factors = np.asarray(factors)
  if factors.ndim != 2 or factors.shape[1] < 2 or not len(factors):
    return ('factors must be [n, f], f at least 2. Received: '
            f'factors.shape={factors.shape}')
  if not np.issubdtype(factors.dtype, np.integer):
    return ('factors must be integers; number their values. Received: '
            f'factors.dtype={factors.dtype}')
  if (factors == factors[0]).all(axis=0).any():
    return ('each factor must have two values or more; leave out constant '
            f'factors. Received: factors.max(0) - factors.min(0)='
            f'{np.ptp(factors, 0)}')
  return None
