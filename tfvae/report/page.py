"""Parts of the page: sections, templates, figures and legends."""

from collections.abc import Iterator, Sequence
import dataclasses
import html
import importlib.resources
import re
import string

import numpy as np

from tfvae.report.drawing.inline_images import img
from tfvae.report.drawing.inline_images import tile
from tfvae.report.drawing.svg import line_class

_ROWS = 30  # Rows of a table; the others are counted.


@dataclasses.dataclass(frozen=True)
class Section:
  """A part of the page.

  Attributes:
    id: Identifier that links refer to.
    short: Name in the navigation; empty to leave it out.
    html: HTML element.
  """

  id: str
  short: str
  html: str


def section(name: str, short: str, title: str, lead: str, body: str,
            css: str = '') -> Section:
  """Returns a section with a heading.

  Args:
    name: Identifier of the section.
    short: Name in the navigation.
    title: HTML of the heading.
    lead: HTML of the paragraph below the heading.
    body: HTML of the rest.
    css: Names of classes. Two sections of class 'half' are side by side on wide
      screens; they have a lead, and their body is a single element.
  """
  lead = f'<p>{lead}</p>' if lead else ''
  return Section(name, short, (
      f'<section id="{name}" class="{css}" aria-labelledby="{name}-title">'
      f'<h2 id="{name}-title">{title}</h2>{lead}{body}</section>'))


def words(text: str) -> str:
  """Returns text as HTML; names in backticks become code."""
  return re.sub(r'`([^`]+)`', r'<code>\1</code>', html.escape(text))


def read(name: str) -> str:
  """Returns a file of the package: a template, the style or the script."""
  folder = importlib.resources.files(__package__)
  return folder.joinpath(name).read_text('utf-8')


def template(name: str, **values: object) -> str:
  """Returns a file of the package with HTML in place of each `$name`."""
  return string.Template(read(name)).substitute(values)


def figure(images: np.ndarray, alt: str, group: int = 1, css: str = '') -> str:
  """Returns rows of images `[rows, columns, h, w, c]` as a figure."""
  return f'<figure class="card {css}">{img(tile(images, group), alt)}</figure>'


def card(body: str, css: str = 'scroll') -> str:
  """Returns HTML in a frame; by default a wide body scrolls."""
  return f'<div class="card {css}">{body}</div>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]],
          caption: str = '') -> str:
  """Returns a table; of many rows, the first ones and the number of others.

  Args:
    heads: Texts of the first row.
    rows: Texts of the other rows; the first of each is its heading.
    caption: Text above the table.
  """
  def cells() -> Iterator[str]:
    for first, *rest in rows[:_ROWS]:
      yield (f'<tr><th scope="row">{html.escape(first)}</th>'
             + ''.join(f'<td>{html.escape(cell)}</td>' for cell in rest)
             + '</tr>')
    if len(rows) > _ROWS:
      yield (f'<tr><td colspan="{len(heads)}">and {len(rows) - _ROWS:,} more'
             '</td></tr>')

  head = ''.join(f'<th scope="col">{html.escape(name)}</th>' for name in heads)
  caption = f'<caption>{html.escape(caption)}</caption>' if caption else ''
  return (f'<table>{caption}<thead><tr>{head}</tr></thead>'
          f'<tbody>{"".join(cells())}</tbody></table>')


def line_legend(*names: str) -> str:
  """Returns a legend of the lines of `charts.line_chart`."""
  return '<ul class="legend">' + ''.join(
      '<li><svg viewBox="0 0 28 12" aria-hidden="true"><path '
      f'class="line {line_class(name, index)}" d="M0 6H28"/></svg>'
      f'{html.escape(name)}</li>'
      for index, name in enumerate(names)) + '</ul>'
