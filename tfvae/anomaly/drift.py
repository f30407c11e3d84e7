"""Drift: whether new rows as a whole differ from the calibration rows.

Single rows may all look normal while their distribution moves, and the
false-alarm rate of a detector holds only while it does not.
"""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from tfvae.anomaly.mean_discrepancy import kernel_two_sample_test
from tfvae.lazy import LazyModule
from tfvae.tables import Column

stats = LazyModule('scipy.stats')

# Corrections of the p-values of several tests, by name.
CORRECTIONS = {
    'bonferroni': lambda p_values: np.minimum(1, len(p_values) * p_values),
    'benjamini_hochberg': lambda p_values: stats.false_discovery_control(
        p_values, method='bh')}


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
  """Sample of the calibration rows that new rows are compared with.

  Attributes:
    scores: Scores by name, `[n]` each.
    latents: Posterior means of all latents, `[n, d]`.
    latent_names: Name of each dimension of `latents`, such as 'z[3]'.
    codes: Codes of a table, `[n, columns]`, NaN where a value is missing; None
      of other data.
    columns: Columns of the table.
  """

  scores: Mapping[str, np.ndarray]
  latents: np.ndarray
  latent_names: Sequence[str]
  codes: np.ndarray | None = None
  columns: Sequence[Column] = ()


def drift(reference: Reference, scores: Mapping[str, np.ndarray],
          latents: np.ndarray, columns: np.ndarray | None = None,
          level: float = 0.01, correction: str = 'bonferroni',
          num_permutations: int = 500, seed: int = 0) -> dict[str, Any]:
  """Tests whether new rows have the distribution of the calibration rows.

  The tests are a two-sample Kolmogorov-Smirnov test of each score, of each
  dimension of the posterior means and of each column with numbers, a χ² test of
  each column with categories, among which a missing value is one more, and a
  kernel two-sample test of all posterior means together. Of a column whose
  numbers may be missing there is also a χ² test of their share.

  Args:
    reference: Sample of the calibration rows, `Detector.reference`.
    scores: Scores of the new rows by name, `[m]` each, those of a `Detection`.
    latents: Posterior means of the new rows, `[m, d]`.
    columns: Codes of the new rows of a table, `[m, columns]`.
    level: Level of all tests together: the probability that any of them
      reports drift where there is none, by 'bonferroni'; the expected share of
      false ones among those reported, by 'benjamini_hochberg'. Half of it is
      that of the kernel test.
    correction: Name in `CORRECTIONS`.
    num_permutations: Permutations of the kernel test. Its p-value is at least 1
      / (num_permutations + 1), which must be below half of the level.
    seed: Seed of the permutations, and of the choice of rows of that test.

  Returns:
    Plain data: 'has_drifted'; 'moved_most', the names of what has drifted, the
    largest change first; 'tests', a dictionary for each test with its 'kind',
    'name', 'test', 'statistic', 'p_value', 'adjusted_p_value', 'has_drifted',
    and medians or shares of both samples; 'rows', the numbers of rows; 'level'
    and 'correction'.

  Raises:
    ValueError: If the correction is unknown, or the new rows do not have what
      the reference has.
  """
  _check(reference, scores, latents, columns, correction)
  tests = [
      *(_of_numbers('score', name, values, scores[name])
        for name, values in reference.scores.items()),
      *(_of_numbers('latent', name, reference.latents[:, i], latents[:, i])
        for i, name in enumerate(reference.latent_names)),
      *_of_columns(reference, columns),
      _of_latents(reference.latents, latents, num_permutations, seed)]
  p_values = np.array([test['p_value'] for test in tests])
  # Half of the level is that of the kernel test, whose p-value has a smallest
  # value that no factor of many tests would leave below the level.
  adjusted = np.minimum(1, 2 * np.append(
      CORRECTIONS[correction](p_values[:-1]), p_values[-1]))
  for test, p_value in zip(tests, adjusted, strict=True):
    test |= {'adjusted_p_value': float(p_value),
             'has_drifted': bool(p_value <= level)}
  moved = sorted(
      (test for test in tests if test['has_drifted']),
      key=lambda test: (test['adjusted_p_value'], -test['statistic']))
  return {
      'has_drifted': bool(moved),
      'moved_most': [f'{test["kind"]} {test["name"]}' for test in moved],
      'tests': tests, 'level': level, 'correction': correction,
      'rows': {'reference': len(reference.latents), 'new': len(latents)}}


def _check(reference, scores, latents, columns, correction):
  """Raises a ValueError unless the arguments fit each other."""
  if correction not in CORRECTIONS:
    raise ValueError(
        f'`correction` must be one of {", ".join(CORRECTIONS)}. Received: '
        f'correction={correction!r}')
  missing = sorted(set(reference.scores) - set(scores))
  width = np.shape(reference.latents)[1]
  if missing or np.shape(latents)[1:] != (width,):
    raise ValueError(
        'New rows need the scores and the latents of the reference, those of '
        '`detector.detect`. Received: '
        f'scores={sorted(scores)}, which lack {missing}, '
        f'latents.shape={np.shape(latents)} for {width} dimensions')
  if reference.codes is not None and (
      np.shape(columns)[1:] != np.shape(reference.codes)[1:]):
    raise ValueError(
        'The reference has the codes of a table; pass those of the new rows as '
        f'`columns`. Received: columns of shape {np.shape(columns)} for '
        f'{reference.codes.shape[1]} columns')


def _of_columns(reference: Reference,
                new: np.ndarray | None) -> Iterator[dict[str, Any]]:
  """Yields the tests of each column of a table."""
  for i, column in enumerate(reference.columns):
    before, after = reference.codes[:, i], np.asarray(new)[:, i]
    if column.categories:
      yield _of_categories('column', column.name, before, after, [
          str(value) for value in column.values])
      continue
    yield _of_numbers('column', column.name, before, after)
    if np.isnan(before).any() or np.isnan(after).any():
      # A category that is always there, or missing.
      yield _of_categories('missing values', column.name, *(
          np.where(np.isnan(codes), np.nan, 0) for codes in (before, after)),
                           ['observed'])


def _of_numbers(kind: str, name: str, before: np.ndarray,
                after: np.ndarray) -> dict[str, Any]:
  """Returns the Kolmogorov-Smirnov test of numbers, of those observed."""
  before, after = (
      values[~np.isnan(values)] for values in (before, np.asarray(after)))
  found = {'kind': kind, 'name': name, 'test': 'kolmogorov_smirnov'}
  if not len(before) or not len(after):  # A sample without any value.
    return found | {'statistic': 0.0, 'p_value': 1.0}
  result = stats.ks_2samp(before, after, method='asymp')
  return found | {
      'statistic': float(result.statistic), 'p_value': float(result.pvalue),
      'reference_median': float(np.median(before)),
      'new_median': float(np.median(after))}


def _of_categories(kind: str, name: str, before: np.ndarray,
                   after: np.ndarray, values: Sequence[str]) -> dict[str, Any]:
  """Returns the χ² test of codes, NaN where they are missing.

  Its statistic is Cramér's V, from 0 to 1.
  """
  values = [*values, 'missing']
  counts = np.stack([np.bincount(
      np.where(np.isnan(codes), len(values) - 1, codes).astype(int),
      minlength=len(values)) for codes in (before, after)])
  shares = counts / counts.sum(axis=1, keepdims=True)
  changes = np.round(np.abs(shares[1] - shares[0]), 9)
  most = len(values) - 1 - int(np.argmax(changes[::-1]))  # The last of equals.
  found = {'kind': kind, 'name': name, 'test': 'chi_squared',
           'value': values[most], 'reference_share': float(shares[0, most]),
           'new_share': float(shares[1, most])}
  counts = counts[:, counts.any(axis=0)]
  if counts.shape[1] < 2:  # All values are the same.
    return found | {'statistic': 0.0, 'p_value': 1.0}
  result = stats.chi2_contingency(counts, correction=False)
  return found | {
      'statistic': float(np.sqrt(result.statistic / counts.sum())),
      'p_value': float(result.pvalue)}


def _of_latents(before: np.ndarray, after: np.ndarray, num_permutations: int,
                seed: int) -> dict[str, Any]:
  """Returns the kernel test of posterior means, of at most 2,000 new rows."""
  found = {'kind': 'latents', 'name': 'together', 'test': 'kernel'}
  if min(len(before), len(after)) < 2:
    return found | {'statistic': 0.0, 'p_value': 1.0}
  result = kernel_two_sample_test(
      before, sample_rows(after, seed), num_permutations, seed)
  return found | {'statistic': result.statistic, 'p_value': result.p_value,
                  'bandwidth': result.bandwidth}


def sample_rows(rows: np.ndarray, seed: int, most: int = 2000) -> np.ndarray:
  """Returns rows of an array chosen at random, in their order.

  Args:
    rows: Array `[n, ...]`.
    seed: Seed of the choice.
    most: Largest number of rows; if there are fewer, all are returned.
  """
  if len(rows) <= most:
    return np.asarray(rows)
  chosen = np.random.default_rng(seed).choice(len(rows), most, replace=False)
  return np.asarray(rows)[np.sort(chosen)]
