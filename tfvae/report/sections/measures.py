"""Sections of the measures that a model was evaluated with."""

from collections.abc import Collection, Sequence
import html
import itertools

import numpy as np

from tfvae import evaluation
from tfvae.report.content import Content
from tfvae.report.drawing import charts
from tfvae.report.drawing.inline_images import img
from tfvae.report.drawing.inline_images import tile
from tfvae.report.page import card
from tfvae.report.page import line_legend
from tfvae.report.page import Section
from tfvae.report.page import section
from tfvae.report.page import table
from tfvae.report.sections.metric_table import text

_MOST_HISTOGRAMS = 24  # Of each latent.
_MOST_WIDE = 2  # Line charts as wide as the page.


# Identifiers of the page besides those of sections.
_RESERVED = ('copy', 'decoding', 'here', 'main', 'reset', 'way')


def sections(content: Content, taken: Collection[str]) -> list[Section]:
  """Returns the sections of all measures that have one, in their order.

  Args:
    content: Content of the report.
    taken: Identifiers of the other sections.
  """
  described = {
      name: measure.section(content.blocks[name])
      for name, measure in evaluation.measures_of(content.blocks).items()}
  return [rendered(
      f'measure-{name}' if name in (*taken, *_RESERVED) else name, part,
      content) for name, part in described.items() if part]


def rendered(name: str, described: evaluation.Section,
             content: Content | None = None) -> Section:
  """Returns a section of a page from its description.

  Args:
    name: Identifier of the section.
    described: Description.
    content: Content of the report, which orders histograms of latents.
  """
  histograms = [chart for chart in described.charts
                if isinstance(chart, evaluation.Histogram)]
  shown = _chosen(histograms, content)
  lead = described.text
  if len(shown) < len(histograms):
    lead += (f' The charts show {_MOST_HISTOGRAMS} dimensions of each latent '
             'at most.')
  # Charts of a kind are together, kinds in the order of their first ones.
  kinds = dict.fromkeys(type(chart) for chart in described.charts)
  body = ''.join(_DRAWN[kind](shown if kind is evaluation.Histogram else [
      chart for chart in described.charts if type(chart) is kind])
                 for kind in kinds)
  return section(
      html.escape(name), html.escape(described.short or described.title),
      html.escape(described.title), html.escape(lead), body)


def _pictures(described: Sequence[evaluation.Pictures]) -> str:
  """Returns grids of images, each in a frame of its own."""
  return ''.join(
      f'<figure class="card wide"><h3>{html.escape(chart.title)}</h3>'
      f'{img(tile(chart.rows), chart.alt)}</figure>' for chart in described)


def _histograms(described: Sequence[evaluation.Histogram]) -> str:
  """Returns histograms in one frame."""
  drawn = ''.join(charts.histogram(
      chart.title, np.asarray(chart.counts), chart.band)
                  for chart in described)
  return f'<div class="card histograms">{drawn}</div>'


def _tables(described: Sequence[evaluation.Table]) -> str:
  """Returns tables, each in a frame of its own."""
  cards = [card(table(
      part.heads, [[cell if isinstance(cell, str) else text(cell)
                    for cell in row] for row in part.rows], part.title))
           for part in described]
  return f'<div class="tables">{"".join(cards)}</div>' if cards else ''


def _chosen(histograms: Sequence[evaluation.Histogram],
            content: Content | None) -> list[evaluation.Histogram]:
  """Returns the histograms to show: of each latent a limited number.

  Dimensions of the top latent are in the order of the other sections.
  """
  groups: dict[str | None, list[evaluation.Histogram]] = {}
  for chart in histograms:
    groups.setdefault(chart.latent, []).append(chart)
  if content is not None:
    place = {dimension: rank
             for rank, dimension in enumerate(content.walk.order)}
    groups.get(content.walk.top, []).sort(
        key=lambda chart: place.get(chart.dimension, len(place)))
  return [chart for latent, group in groups.items()
          for chart in (group[:_MOST_HISTOGRAMS] if latent else group)]


def _line_charts(described: Sequence[evaluation.LineChart]) -> str:
  """Returns wide charts, or small ones in rows where there are many."""
  is_wide = len(described) <= _MOST_WIDE
  body = ''
  for legend, group in itertools.groupby(
      described, lambda chart: line_legend(*chart.lines)):
    figures = ''.join(_line_chart(chart, is_wide) for chart in group)
    body += legend + (
        figures if is_wide else f'<div class="row">{figures}</div>')
  return body


def _line_chart(chart: evaluation.LineChart, is_wide: bool) -> str:
  title = html.escape(chart.title)
  drawn = charts.line_chart(title, chart.x, chart.lines, chart.x_label,
                            skipped=0)
  return (f'<figure class="card{" wide" if is_wide else ""}"><h3>{title}</h3>'
          f'{drawn}</figure>')


_DRAWN = {evaluation.Table: _tables, evaluation.LineChart: _line_charts,
          evaluation.Pictures: _pictures, evaluation.Histogram: _histograms}
