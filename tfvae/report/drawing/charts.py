"""The charts of the report, as inline SVG."""

from collections.abc import Mapping, Sequence
import html

import numpy as np

from tfvae.report.drawing.svg import Axes
from tfvae.report.drawing.svg import line_class
from tfvae.report.drawing.svg import number
from tfvae.report.drawing.svg import padded
from tfvae.report.drawing.svg import path
from tfvae.report.drawing.svg import picture
from tfvae.report.drawing.svg import tag
from tfvae.report.latents.coloring import Coloring
from tfvae.report.latents.latent_map import LatentMap


def line_chart(title: str, x: Sequence[float],
               lines: Mapping[str, Sequence[float]], x_label: str,
               alt: str = '', skipped: float = 0.05) -> str:
  """Draws lines over a common x.

  Args:
    title: Name of the quantity, for the alternative text.
    x: Ascending values, `[n]`.
    lines: Values `[n]` of each line by name; see `line_class` for its color.
    x_label: Name of the horizontal axis.
    alt: Alternative text; by default the first and the last value of each line.
    skipped: Share of the points, the first ones, that the scale leaves out; the
      first epochs of training can be far off.
  """
  x = np.asarray(x, np.float64)
  values = {name: np.asarray(y, np.float64) for name, y in lines.items()}
  settled = int(skipped * len(x))
  axes = Axes(padded(x, 0.02), padded(np.concatenate(
      [y[settled:] for y in values.values()])), whole=True)
  parts, said = [], []
  for index, (name, y) in enumerate(values.items()):
    finite = np.isfinite(y)
    points = axes.place(np.stack([x, y], axis=1)[finite])
    if not len(points):
      continue
    color = line_class(name, index)
    parts.append(tag('path', class_=f'line {color}', d=path(points)))
    parts.append(tag('circle', class_=f'dot {color}', r=3,
                     cx=f'{points[-1, 0]:.1f}', cy=f'{points[-1, 1]:.1f}'))
    said.append(f'{name} from {number(y[finite][0])} to '
                f'{number(y[finite][-1])}')
  return picture(
      axes.width, axes.height,
      alt or f'{title} by {x_label}: {"; ".join(said)}.',
      axes.frame(x_label) + axes.clip(''.join(parts)), 'chart')


def elbo_waterfall(reconstruction: float, kl: Mapping[str, float],
                   elbo: float) -> str:
  """Draws the parts of the ELBO, each from the end of the previous one.

  Args:
    reconstruction: E_q[log p(x|z)], in nats.
    kl: KL by latent, in nats.
    elbo: ELBO, in nats.
  """
  steps = [('E[log p(x|z)]', 0.0, reconstruction, 'reconstruction')]
  for name, nats in kl.items():
    steps.append((f'− KL of {name}', steps[-1][2], steps[-1][2] - nats, 'kl'))
  steps.append(('ELBO', 0.0, elbo, 'elbo'))
  width, row = 560, 34
  axes = Axes(padded([0, *(end for _, _, end, _ in steps)], 0.14), (0, 1),
              width, row * len(steps) + 8, left=118, bottom=0, top=0)
  place = lambda value: float(axes.place(np.array([value, 0.]))[0])
  parts = [f'<path class="grid" d="M{place(0):.1f} 0V{axes.height}"/>']
  for index, (label, start, end, css) in enumerate(steps):
    top = index * row + 8
    left, right = sorted((place(start), place(end)))
    parts += [
        tag('text', label, class_='name', x=0, y=top + 16),
        tag('rect', class_=f'bar {css}', x=f'{left:.1f}', y=top, rx=3,
            width=f'{max(1, right - left):.1f}', height=row - 12),
        tag('text', number(end - start), class_='value', y=top + 16,
            x=f'{left - 6 if end <= start else right + 6:.1f}',
            text_anchor='end' if end <= start else 'start')]
  alt = (f'E[log p(x|z)] = {number(reconstruction)} nats, less '
         + ', '.join(f'KL of {name} = {number(v)}' for name, v in kl.items())
         + f' nats, is an ELBO of {number(elbo)} nats.')
  return picture(width, axes.height, alt, ''.join(parts), 'chart wide')


def kl_bars(name: str, nats: np.ndarray, active: np.ndarray) -> str:
  """Draws the KL of each dimension, sorted, with active dimensions marked.

  Args:
    name: Name of the latent.
    nats: KL of each dimension, `[size]`.
    active: Whether each dimension is active, bool `[size]`.
  """
  order = np.argsort(-nats, kind='stable')
  axes = Axes((-0.5, len(nats) - 0.5), (0, padded(nats)[1]), 560, 220)
  parts = [axes.frame(f'nats of each dimension of {name}, sorted', False)]
  step = (axes.width - axes.left - axes.right) / len(nats)
  width = step * (0.72 if step > 4 else 0.9)
  for rank, index in enumerate(order):
    x, y = axes.place(np.array([rank, max(0, nats[index])]))
    height = max(1.0, axes.height - axes.bottom - y)
    tip = f'{name}[{index}]: {number(float(nats[index]), 3)} nats' + (
        ', active' if active[index] else '')
    parts.append(tag(
        'rect', tag('title', tip), class_='bar ' + (
            'active' if active[index] else 'inactive'),
        x=f'{x - width / 2:.1f}', y=f'{axes.height - axes.bottom - height:.1f}',
        width=f'{width:.1f}', height=f'{height:.1f}'))
    if len(nats) <= 24:
      parts.append(tag('text', str(index), class_='tick', x=f'{x:.1f}',
                       y=axes.height - axes.bottom + 15, text_anchor='middle'))
  alt = (f'KL of the {len(nats)} dimensions of {name}, from '
         f'{number(float(nats.max()), 3)} to {number(float(nats.min()), 3)} '
         f'nats; {int(active.sum())} of them active.')
  return picture(axes.width, axes.height, alt, ''.join(parts), 'chart wide')


def histogram(name: str, counts: np.ndarray,
              band: tuple[float, float] | None = None) -> str:
  """Draws a histogram.

  Args:
    name: Title below the bars.
    counts: Count of each bin, `[bins]`.
    band: Lowest and highest expected count, drawn over the bars.
  """
  top = 1.15 * max(1, counts.max(), *(band or ()))
  axes = Axes((0, len(counts)), (0, top), 180, 110, left=8, bottom=22, right=8)
  parts = []
  for index, count in enumerate(counts):
    (x, y), (end, base) = axes.place(
        np.array([[index, count], [index + 1, 0]]))
    parts.append(tag('rect', class_='rank', x=f'{x + 0.5:.1f}',
                     y=f'{y:.1f}', width=f'{end - x - 1:.1f}',
                     height=f'{base - y:.1f}'))
  alt = f'{name}: {len(counts)} bins of {counts.min()} to {counts.max()}'
  if band:
    (left, low), (right, high) = axes.place(
        np.array([[0, band[0]], [len(counts), band[1]]]))
    parts.append(tag('rect', class_='band', x=left, y=f'{high:.1f}',
                     width=right - left, height=f'{low - high:.1f}'))
    outside = int(np.sum((counts < band[0]) | (counts > band[1])))
    alt += f', {outside} of them outside the band'
  parts.append(tag('text', html.escape(name), class_='label', x=90, y=106,
                   text_anchor='middle'))
  alt += '.'
  return picture(180, 110, alt, ''.join(parts), 'chart small')


def map_axes(plane: LatentMap, size: float = 480) -> Axes:
  """Returns axes of equal scale around the points and the prior's regions."""
  drawn = np.concatenate(
      [plane.points, *(np.concatenate(c) for c in plane.contours.values())])
  low, high = drawn.min(0), drawn.max(0)
  middle, reach = (low + high) / 2, 0.53 * (high - low).max()
  limits = [(float(m - reach), float(m + reach)) for m in middle]
  return Axes(*limits, size, size, left=4, bottom=4, right=4, top=4)


def map_content(plane: LatentMap, axes: Axes,
                coloring: Coloring | None) -> str:
  """Draws posterior means over the prior's regions.

  Args:
    plane: Map to draw.
    axes: Axes from `map_axes`.
    coloring: Colors of the means, or None.
  """
  parts, levels = [], []
  for level, outlines in plane.contours.items():
    outlines = [axes.place(outline) for outline in outlines]
    parts.append(tag('path', class_='region',
                     d=''.join(path(outline) + 'Z' for outline in outlines)))
    lowest = np.concatenate(outlines)
    x, y = lowest[lowest[:, 1].argmax()]
    levels.append(tag('text', f'{level:.0%}', class_='level', x=f'{x:.1f}',
                      y=f'{y - 5:.1f}', text_anchor='middle'))
  dots = map_dots(axes.place(plane.points), coloring)
  return ''.join([*parts, tag('g', dots, id='dots'), *levels])


def map_dots(places: np.ndarray, coloring: Coloring | None) -> str:
  """Draws posterior means as dots, with the names of their groups.

  Args:
    places: Coordinates of the means in the picture, `[n, 2]`.
    coloring: Colors of the means, or None.
  """
  groups = {0: np.ones(len(places), bool)} if coloring is None else {
      group: coloring.groups == group for group in coloring.entries}
  parts = []
  for group, chosen in groups.items():
    # Lines of zero length with round ends are the shortest notation of dots.
    dots = ''.join(f'M{x:.1f} {y:.1f}h0' for x, y in places[chosen])
    color = 'c0' if coloring is None else coloring.color(group)
    parts.append(tag('path', class_=f'dots {color}', d=dots, data_label=group))
  parts += [tag('text', html.escape(name), class_='class', x=f'{x:.1f}',
                y=f'{y:.1f}', text_anchor='middle')
            for x, y, name in group_names(places, coloring)]
  return ''.join(parts)


def group_names(places: np.ndarray, coloring: Coloring | None
                ) -> list[tuple[float, float, str]]:
  """Returns the name of each group of categories, and where it is written.

  Args:
    places: Coordinates of the means in the picture, `[n, 2]`.
    coloring: Colors of the means, or None.

  Returns:
    The coordinates of each name, at the median of its dots, and the name.
  """
  found = []
  if coloring is None or coloring.scale:
    return found
  for group, name in enumerate(coloring.names):
    if (chosen := coloring.groups == group).any():
      x, y = np.median(places[chosen], axis=0)
      found.append((float(x), float(y) + 5, name))
  return found
