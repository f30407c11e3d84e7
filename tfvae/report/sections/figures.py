"""Sections of words and figures."""

import html

import numpy as np

from tfvae.report.content import Content
from tfvae.report.drawing import charts
from tfvae.report.page import Section
from tfvae.report.page import section
from tfvae.report.sections.metric_table import metric_tables
from tfvae.report.sections.metric_table import text

_MOST_HISTOGRAMS = 24


def warnings(content: Content) -> Section | None:
  """What to see to first."""
  if not content.warnings:
    return None
  items = ''.join(f'<li>{html.escape(line)}</li>' for line in content.warnings)
  return section('warnings', '', 'Warnings', '', f'<ul>{items}</ul>',
                 css='warnings')


def table(content: Content) -> Section | None:
  """All figures, explained."""
  if not content.metrics:
    return None
  return section('figures', 'Figures', 'All figures', '',
                 f'<div class="card">{metric_tables(content.metrics)}</div>')


def calibration(content: Content) -> Section | None:
  """Rank histograms."""
  if not content.rank_histograms:
    return None
  walk, figures = content.walk, []
  for name, histograms in content.rank_histograms.items():
    order = walk.order if name == walk.top else range(len(histograms))
    figures += [charts.rank_histogram(f'{name}[{dimension}]',
                                      np.asarray(histograms[dimension]))
                for dimension in order[:_MOST_HISTOGRAMS]]
  return section(
      'calibration', 'Calibration', 'Calibration of the posterior',
      'Draw z of the prior and x of the decoder: the rank of z among draws of '
      'q(z|x) is uniform if the posterior is right. Bars should end in the '
      'band, 95 times in 100. A ∪ means a posterior too narrow, a ∩ one too '
      'wide, a slope one that is shifted. Of each latent '
      f'{_MOST_HISTOGRAMS} dimensions are shown at most.',
      f'<div class="card histograms">{"".join(figures)}</div>')


def repeat(content: Content) -> Section | None:
  """The command and the versions."""
  parts = []
  if content.command:
    parts.append(
        f'<pre><code id="command-line">{html.escape(content.command)}</code>'
        '</pre><p><button type="button" id="copy">Copy</button></p>')
  versions = content.metrics.get('versions')
  if versions:
    parts.append('<h3>Versions</h3><dl class="versions">' + ''.join(
        f'<dt>{html.escape(name)}</dt><dd>{text(version)}</dd>'
        for name, version in versions.items()) + '</dl>')
  return section('repeat', 'Repeat', 'To repeat the run', '',
                 ''.join(parts)) if parts else None
