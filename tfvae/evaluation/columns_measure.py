"""The columns of a table, one by one, as a measure."""

from collections.abc import Mapping, Sequence
import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.measure import LineChart
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.measure import Section
from tfvae.evaluation.running.draws import reduce_over_draws
from tfvae.evaluation.running.examples import weights_of
from tfvae.evaluation.subject import Subject
from tfvae.inference import observed
from tfvae.inference import unpack_batch
from tfvae.layers import IndependentColumns
from tfvae.layers.columns.independent_columns import log_prob_by_column
from tfvae.registry import Setting
from tfvae.tables import Column

_BINS = 5, 30  # Fewest and most bins of numbers.
_LABEL = 60  # Most characters below a chart.


@MEASURES.register('columns', samples=Setting(
    'eval_samples', 10_000, 'rows that the measure `columns` generates',
    at_least=2))
@dataclasses.dataclass(frozen=True)
class ColumnsMeasure(Measure):
  """Log-likelihood of each column, and generated values compared with real.

  Attributes:
    samples: Rows to generate.
  """

  samples: int = 10_000
  explanations = {
      'marginal_distance': 'Distance of real and generated values, from 0 to '
                           '1: Kolmogorov-Smirnov of numbers, total variation '
                           'of categories.',
      'mean_marginal_distance': 'Mean of the marginal distances.',
      'correlation_difference': 'Mean of the differences between correlations '
                                'of real and of generated columns, without '
                                'categories that have no order.',
      'samples': 'Number of generated rows.',
  }
  charted = ('reconstruction', 'reconstruction_standard_error',
             'marginal_distance', 'marginals')

  def why_not(self, subject: Subject) -> str | None:
    """Returns that the data are no table, or None."""
    if not isinstance(subject.model.likelihood_layer(), IndependentColumns):
      return 'the data are no table'
    return None

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns figures by column."""
    columns = subject.model.likelihood_layer().columns
    batches = subject.test.first()
    nats = reduce_over_draws(
        subject.model, _log_likelihoods, tf.reduce_sum, 0., batches, 1, 1,
        subject.seed, jit_compile=False)
    weights = weights_of(batches)
    real = np.concatenate([
        observed(unpack_batch(batch)[0])['x']
        for batch in batches.as_numpy_iterator()])
    # Means over the rows in which the column is known.
    estimates = {
        column.name: Estimate(*_known(codes, part, weights))
        for column, part, codes in zip(columns, nats, real.T, strict=True)
        if not np.isnan(codes).all()}
    labels = subject.test.conditions()
    if labels is not None:
      labels = {'y': labels[np.arange(self.samples) % len(labels)]}
    made = subject.model.sample(
        self.samples, subject.seed, inputs=labels).numpy()
    distances = {
        column.name: marginal_distance(column, real[:, i], made[:, i], weights)
        for i, column in enumerate(columns)}
    finite = [distance for distance in distances.values()
              if np.isfinite(distance)]
    return {
        'reconstruction': {
            name: part.mean for name, part in estimates.items()},
        'reconstruction_standard_error': {
            name: part.standard_error for name, part in estimates.items()},
        'marginal_distance': distances,
        'mean_marginal_distance': float(np.mean(finite or [np.nan])),
        'correlation_difference': correlation_difference(
            columns, real, made, weights),
        'examples': len(real), 'samples': self.samples,
        'marginals': {column.name: _marginals(
            column, real[:, i], made[:, i], weights)
                      for i, column in enumerate(columns)
                      if column.name in estimates}}

  def section(self, block: Mapping[str, Any]) -> Section | None:
    """Returns the marginals of all columns."""
    if 'marginals' not in block:
      return None
    return Section(
        'Real and generated columns',
        f'Frequencies of the known values in {block["examples"]:,} real rows '
        'of the test set and '
        f'in {block["samples"]:,} generated rows. The name of each column is '
        'followed by E[log p(x|z)] of the column in nats, in its unit, and by '
        'the distance of both distributions, from 0 to 1.',
        [LineChart(
            f'{name}: {block["reconstruction"][name]:.3g} nats, distance '
            f'{block["marginal_distance"][name]:.2f}'.replace('-', '−'),
            marginal['values'],
            {'real': marginal['real'], 'generated': marginal['generated']},
            marginal['label'])
         for name, marginal in block['marginals'].items()], short='Columns')


def marginal_distance(column: Column, real: np.ndarray, made: np.ndarray,
                      weights: np.ndarray | None = None) -> float:
  """Returns the distance between two samples of a column, from 0 to 1.

  Args:
    column: Description of the column.
    real: Codes `[n]`; a NaN is missing, and left out.
    made: Codes `[m]`.
    weights: Sample weights of `real`, `[n]`, or None.

  Returns:
    The largest difference of the distribution functions of numbers, max_x
    |F(x) − G(x)| (Kolmogorov-Smirnov), and ½ Σ_k |p_k − q_k| of the frequencies
    of categories; NaN if no code is known.
  """
  real, weights = _known(real, real, weights)
  if not len(real):
    return math.nan
  if column.categories:
    p, q = (_frequencies(column, real, weights), _frequencies(column, made))
    return float(0.5 * np.abs(p - q).sum())
  at = np.sort(np.concatenate([real, made]))
  below = [_distribution_function(real, at, weights),
           _distribution_function(made, at)]
  return float(np.abs(below[0] - below[1]).max())


def correlation_difference(
    columns: Sequence[Column], real: np.ndarray, made: np.ndarray,
    weights: np.ndarray | None = None) -> float | None:
  """Returns the mean difference of the correlations of two tables.

  Args:
    columns: Descriptions of the columns; categories without an order are left
      out.
    real: Codes `[n, d]`; a NaN is missing. The correlation of two columns is
      that of the rows in which both are known.
    made: Codes `[m, d]`.
    weights: Sample weights of `real`, `[n]`, or None.

  Returns:
    The mean of |ρ_ij − ρ'_ij| over pairs i < j with correlations; None if there
    are none.
  """
  chosen = [i for i, column in enumerate(columns)
            if column.kind != 'categorical']
  if len(chosen) < 2:
    return None
  with np.errstate(invalid='ignore', divide='ignore'):
    one, other = (
        _correlations(np.float64(part[:, chosen]), weight)
        for part, weight in ((real, weights), (made, None)))
  pairs = np.abs(one - other)[np.triu_indices(len(chosen), 1)]
  pairs = pairs[np.isfinite(pairs)]
  return float(pairs.mean()) if len(pairs) else None


def _log_likelihoods(model, chunk_size, inputs, target,
                     draw) -> list[tf.Tensor]:
  """Returns log p(x_c|z) of each column at one draw, `[1, b]` each."""
  del chunk_size
  inputs = model.completed(inputs)
  inference = model.infer(inputs, draw)
  likelihood = model.decode(
      {name: z[0] for name, z in inference.latents.items()}, inputs)
  by_column = log_prob_by_column(likelihood, target)
  return [part[tf.newaxis] for part in tf.unstack(
      by_column, by_column.shape[-1], axis=-1)]


def _frequencies(column: Column, codes: np.ndarray,
                 weights: np.ndarray | None = None) -> np.ndarray:
  counts = np.bincount(codes.astype(int), weights, minlength=column.num_codes)
  return counts / counts.sum()


def _distribution_function(
    codes: np.ndarray, at: np.ndarray,
    weights: np.ndarray | None = None) -> np.ndarray:
  """Returns the fraction of codes that are at most each value of `at`."""
  order = np.argsort(codes)
  mass = np.ones(len(codes)) if weights is None else weights[order]
  total = np.cumsum([0., *mass])
  return total[np.searchsorted(codes[order], at, 'right')] / total[-1]


def _known(codes: np.ndarray, values: np.ndarray, weights: np.ndarray | None
           ) -> tuple[np.ndarray, np.ndarray | None]:
  """Returns the values and weights of rows whose code is not missing."""
  known = ~np.isnan(codes)
  if known.all():
    return values, weights
  return values[known], None if weights is None else weights[known]


def _correlations(codes: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
  """Returns the correlations of columns, `[d, d]`, of codes `[n, d]`."""
  known = ~np.isnan(codes)
  if not known.all():
    size = codes.shape[1]
    found = np.full([size, size], np.nan)
    for i, j in itertools.combinations(range(size), 2):
      both = known[:, i] & known[:, j]
      if both.sum() > 1:
        found[i, j] = _correlations(
            codes[both][:, [i, j]],
            None if weights is None else weights[both])[0, 1]
    return found
  covariance = np.cov(codes, rowvar=False, aweights=weights)
  scale = np.sqrt(np.diagonal(covariance))
  return covariance / np.outer(scale, scale)


def _marginals(column: Column, real: np.ndarray, made: np.ndarray,
               weights: np.ndarray | None) -> dict[str, Any]:
  """Returns frequencies of both: of codes, or of bins of the real range."""
  real, weights = _known(real, real, weights)
  if column.categories:
    p, q = (_frequencies(column, real, weights), _frequencies(column, made))
    values = list(range(column.num_codes))
    label = 'codes ' + ', '.join(
        f'{code}: {value}' for code, value in enumerate(column.values))
    return {'values': values, 'real': p.tolist(), 'generated': q.tolist(),
            'label': label if len(label) <= _LABEL else 'codes'}
  bins = int(np.clip(np.sqrt(len(real)), *_BINS))
  edges = np.histogram_bin_edges(real, bins)
  p = np.histogram(real, edges, weights=weights)[0] / (
      len(real) if weights is None else weights.sum())
  q = np.histogram(made, edges)[0] / len(made)
  return {'values': (0.5 * (edges[1:] + edges[:-1])).tolist(),
          'real': p.tolist(), 'generated': q.tolist(),
          'label': 'days since 1970-01-01' if column.kind == 'date'
                   else 'value'}
