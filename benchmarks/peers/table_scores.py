"""Program that scores generated tables by SDMetrics, and prints the scores.

  python -m benchmarks.peers.table_scores '{"train": "train.csv", …}'

The argument is a case with these keys: `train` and `test`, real tables; and
`samples`, a table to compare with them, as a file. If `independent` is set, it
is the seed with which each column of `samples` is shuffled on its own. Columns
of text are categorical, all others are numerical.

The scores of `test` and `train` are those of SDMetrics' `QualityReport`, from 0
to 1: `overall`, the mean of `shapes`, a mean over columns, and `trends`, a mean
over pairs of columns. The report bins the numbers of each table over the range
of that table, so that one extreme row changes the score of a number and a
category. `trends_common_bins` is the same mean with SDMetrics' metrics of
pairs, which bin both tables over the range of the real one.
`rounded` are the same scores with numbers rounded to the decimals of the
training data.
"""

import itertools
import json
import sys
from typing import Any
import warnings

import numpy as np
import pandas as pd
from pandas.api import types
from sdmetrics import column_pairs
from sdmetrics.reports import single_table

_MOST_DECIMALS = 10


def main():
  """Scores and prints."""
  warnings.simplefilter('ignore')  # Of deprecated names and constant columns.
  case = json.loads(sys.argv[1])
  train, test, samples = (
      pd.read_csv(case[name]) for name in ('train', 'test', 'samples'))
  samples = samples[train.columns]
  if case.get('independent') is not None:
    rng = np.random.default_rng(case['independent'])
    samples = pd.DataFrame({
        name: rng.permutation(column) for name, column in samples.items()})
  print(json.dumps({
      'test': _scores(test, samples, train),
      'train': _scores(train, samples, train),
      'rounded': _scores(test, _rounded(samples, train), train)}), flush=True)


def _scores(real: pd.DataFrame, samples: pd.DataFrame,
            train: pd.DataFrame) -> dict[str, float]:
  """Returns the scores of a table.

  Args:
    real: Real rows.
    samples: Rows to compare with them.
    train: Table that determines which columns are numerical.
  """
  is_number = {name: types.is_numeric_dtype(column)
               for name, column in train.items()}
  report = single_table.QualityReport()
  report.generate(real, samples, {'columns': {
      name: {'sdtype': 'numerical' if number else 'categorical'}
      for name, number in is_number.items()}}, verbose=False)
  properties = report.get_properties().set_index('Property')['Score']
  return {
      'overall': report.get_score(),
      'shapes': properties['Column Shapes'],
      'trends': properties['Column Pair Trends'],
      'trends_common_bins': float(np.nanmean([
          _pair(real[list(pair)], samples[list(pair)],
                [name for name in pair if is_number[name]])
          for pair in itertools.combinations(train, 2)]))}


def _pair(real: pd.DataFrame, samples: pd.DataFrame,
          numbers: list[Any]) -> float:
  """Returns the score of a pair of columns, with bins of the real table."""
  if len(numbers) == 2:
    return column_pairs.CorrelationSimilarity.compute(real, samples)
  return column_pairs.ContingencySimilarity.compute(
      real, samples, continuous_column_names=numbers or None)


def _rounded(table: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
  """Returns the table with numbers of as many decimals as in `train`."""
  table = table.copy()
  for name, column in train.select_dtypes('number').items():
    decimals = next(count for count in range(_MOST_DECIMALS + 1)
                    if count == _MOST_DECIMALS
                    or (column.round(count) == column).all())
    table[name] = table[name].astype(float).round(decimals)
  return table


if __name__ == '__main__':
  main()
