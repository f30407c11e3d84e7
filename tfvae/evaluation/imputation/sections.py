"""Warnings about imputations, and their section of the report."""

from collections.abc import Iterator, Mapping
from typing import Any

from tfvae.evaluation.imputation.impute import LOW_SAMPLE_SIZE
from tfvae.evaluation.imputation.masks import MASKS
from tfvae.evaluation.imputation.scores import LEVELS
from tfvae.evaluation.measure import LineChart
from tfvae.evaluation.measure import Section
from tfvae.evaluation.measure import Table

# Fraction of examples with small sample sizes above which there is a warning,
# and coverages of the interval of 95 % outside of which there is one.
_MANY, _COVERAGE = 0.1, (0.9, 0.99)
# Values below which a coverage says little.
_FEW_CELLS = 100
_HEADS = {'mean': 'mean or mode', 'knn': 'kNN', 'iterative': 'iterative'}
_NAMES = {'rmse': 'RMSE', 'crps': 'CRPS', 'accuracy': 'accuracy',
          'normalized_rmse': 'RMSE, in standard deviations',
          'normalized_crps': 'CRPS, in standard deviations',
          'log_density': 'log density, nats'}


def warnings_of(block: Mapping[str, Any]) -> list[str]:
  """Returns sentences about small sample sizes and wrong intervals.

  Args:
    block: Block of the measure.
  """
  found = []
  for name, part in _masks(block):
    low = part.get('low_effective_sample_size', 0)
    if low > _MANY:
      found.append(
          f'Imputation of the mask {name}: the effective sample size of '
          f'{low:.0%} of the examples is below {LOW_SAMPLE_SIZE} of '
          f'{block["draws"]} draws, so their intervals are unreliable. Raise '
          '`eval_imputation_draws`, or train longer.')
    coverage = part.get('coverage_95')
    if coverage is not None and part['cells'] >= _FEW_CELLS and not (
        _COVERAGE[0] <= coverage <= _COVERAGE[1]):
      found.append(
          f'Imputation of the mask {name}: the intervals of 95% have '
          f'{coverage:.1%} of the hidden continuous numbers, so they are too '
          f'{"narrow" if coverage < _COVERAGE[0] else "wide"}.')
  return found


def section_of(block: Mapping[str, Any]) -> Section | None:
  """Returns errors of the model and of baselines, and the coverage.

  Args:
    block: Block of the measure.
  """
  parts = dict(_masks(block))
  if not parts:
    return None
  return Section(
      'Imputation of hidden values',
      f'Known values of {block["examples"]:,} test examples were hidden and '
      f'imputed from the others with {block["draws"]:,} draws of z each. The '
      'figures of numbers are in their unit unless it says otherwise, and '
      'lower is better; of accuracies and log densities, higher is better. '
      'The CRPS of a baseline, a point estimate, is its mean absolute error. '
      'Values that are missing because of their own value are not tested.',
      [_table(name, part) for name, part in parts.items()]
      + _coverage(parts), short='Imputation')


def _masks(block: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
  """Yields the part of each mask, also of one that is not registered here."""
  for name, part in block.items():
    if isinstance(part, Mapping) and (name in MASKS or 'cells' in part):
      yield name, part


def _table(name: str, part: Mapping[str, Any]) -> Table:
  """Returns the figures of a mask: overall, then by column."""
  rows = [*_rows('all', part), *(
      row for column, own in part.get('by_column', {}).items()
      for row in _rows(column, own))]
  baselines = list(part['baselines'])
  return Table(
      f'{name}: {part["cells"]:,} hidden values',
      ['', 'figure', 'model', *(_HEADS.get(key, key) for key in baselines)],
      rows)


def _rows(name: str, part: Mapping[str, Any]) -> Iterator[list[Any]]:
  """Yields a row for each figure of a column."""
  for key, title in _NAMES.items():
    if key in part:
      yield [name, title, part[key], *(
          own.get(key, '') for own in part.get('baselines', {}).values())]


def _coverage(parts: Mapping[str, Mapping[str, Any]]) -> list[LineChart]:
  """Returns a chart of the coverage by level, of numbers and of integers."""
  charts = []
  for prefix, kind in (('', 'continuous numbers'), ('integer_', 'integers')):
    lines = {name: [0., *(part[f'{prefix}coverage_{100 * level:.0f}']
                          for level in LEVELS), 1.]
             for name, part in parts.items()
             if f'{prefix}coverage_95' in part}
    if lines:
      charts.append(LineChart(
          f'Coverage of central intervals, {kind}', [0., *LEVELS, 1.],
          {'exact': [0., *LEVELS, 1.]} | lines, 'level'))
  return charts
