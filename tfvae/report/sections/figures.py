"""Sections of text and figures: warnings, tables and the command."""

import html

from tfvae.report.content import Content
from tfvae.report.page import Section
from tfvae.report.page import section
from tfvae.report.page import words
from tfvae.report.sections.metric_table import metric_tables
from tfvae.report.sections.metric_table import text


def warnings(content: Content) -> Section | None:
  """Returns the warnings."""
  lines = content.shown_warnings
  if not lines:
    return None
  items = ''.join(f'<li>{words(line)}</li>' for line in lines)
  return section('warnings', '', 'Warnings', '', f'<ul>{items}</ul>',
                 css='warnings')


def table(content: Content) -> Section | None:
  """Returns the tables of all figures."""
  if not content.metrics:
    return None
  return section('figures', 'Figures', 'All figures', '',
                 f'<div class="card">{metric_tables(content.metrics)}</div>')


def repeat(content: Content) -> Section | None:
  """Returns the command and the versions of the run."""
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
  return section('repeat', 'Repeat', 'Repeat the run', '',
                 ''.join(parts)) if parts else None
