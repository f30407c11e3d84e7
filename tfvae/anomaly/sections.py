"""Sections of a report on a detection and on drift."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfvae.evaluation.measure import LineChart
from tfvae.evaluation.measure import Pictures
from tfvae.evaluation.measure import Section
from tfvae.evaluation.measure import Table

_MOST_TESTS = 30
_TESTS = {'kolmogorov_smirnov': 'Kolmogorov-Smirnov', 'chi_squared': 'χ²',
          'kernel': 'kernel two-sample'}


def detection_section(facts: Mapping[str, Any], scores: Sequence[str],
                      examples: Sequence[Table | Pictures] = ()) -> Section:
  """Returns the section of a detection.

  Args:
    facts: Result of `summarize`.
    scores: Names of the scores.
    examples: Pictures and tables of the most anomalous examples.
  """
  low, high = (f'{end:.2%}' for end in facts['observed_interval'])
  text = (
      f'{facts["alarms"]:,} of {facts["rows"]:,} rows ({_percent(facts)}) have '
      f'a p-value of at most {facts["false_alarm_rate"]:g}. Of as many normal '
      f'rows, {low} to {high} would have one in 95 % of all cases, given '
      f'{facts["calibration_rows"]:,} calibration rows. An alarm is a score '
      f'above {facts["threshold"]:.4g}.')
  histogram = facts['histogram']
  charts = [LineChart(
      'Scores: ' + ', '.join(scores), histogram['scores'], histogram['shares'],
      'score (nats), higher for anomalies' if len(scores) == 1
      else 'combined statistic, higher for anomalies')]
  known = facts.get('known')
  if known:
    text += (
        f' {known["detected"]:.1%} of {known["anomalies"]:,} known anomalies '
        f'have an alarm, and {known["false_alarms"]:.2%} of the other rows; '
        f'the area under the ROC curve is {known["area_under_curve"]:.3f}.')
    charts.append(LineChart(
        'ROC curve', known['roc']['false_alarms'],
        {'detected': known['roc']['detected'],
         'chance': known['roc']['false_alarms']}, 'false alarms'))
  return Section('Anomalies', text, [*charts, *examples], 'Anomalies')


def drift_section(report: Mapping[str, Any]) -> Section:
  """Returns the section of a test of drift.

  Args:
    report: Result of `drift`.
  """
  moved = report['moved_most']
  text = (
      f'{report["rows"]["new"]:,} new rows, compared with '
      f'{report["rows"]["reference"]:,} calibration rows by '
      f'{len(report["tests"])} tests at a level of {report["level"]:g} '
      'together. ' + ('Drift is most certain in ' + ', '.join(moved[:3])
                      + f' ({len(moved)} tests find it).' if moved
                      else 'None of them finds drift.'))
  tests = sorted(report['tests'], key=lambda test: (
      test['adjusted_p_value'], -test['statistic']))
  return Section('Drift', text, [Table(
      'Tests, those with the smallest p-values first',
      ['', 'test', 'statistic', 'p-value', 'before', 'now'],
      [[f'{test["kind"]} {test["name"]}', _TESTS[test['test']],
        test['statistic'], f'{test["adjusted_p_value"]:.2g}',
        *_change(test)] for test in tests[:_MOST_TESTS]])], 'Drift')


def _change(test: Mapping[str, Any]) -> tuple[str, str]:
  if 'reference_median' in test:
    return tuple(f'median {test[key]:.4g}'.replace('-', '−')
                 for key in ('reference_median', 'new_median'))
  if 'reference_share' in test:
    return (f'{test["value"]}: {test["reference_share"]:.1%}',
            f'{test["value"]}: {test["new_share"]:.1%}')
  return '', ''


def _percent(facts: Mapping[str, Any]) -> str:
  return f'{facts["share_of_alarms"]:.2%}'
