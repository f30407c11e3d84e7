"""Sections of the latent space: the map and the explorer."""

import html
import json
from typing import Any

import numpy as np

from tfvae.report.arguments import UNLABELED
from tfvae.report.content import Content
from tfvae.report.drawing import charts
from tfvae.report.drawing.inline_images import data_uri
from tfvae.report.drawing.inline_images import img
from tfvae.report.drawing.inline_images import to_bytes
from tfvae.report.drawing.svg import number
from tfvae.report.drawing.svg import picture
from tfvae.report.latents.coloring import Coloring
from tfvae.report.latents.coloring import SHADES
from tfvae.report.latents.explorer import Frames
from tfvae.report.latents.latent_walk import LatentWalk
from tfvae.report.page import line_legend
from tfvae.report.page import Section
from tfvae.report.page import section
from tfvae.report.page import template
from tfvae.tables import texts

_PLACES = 2  # Decimals of the explorer's coordinates.


def latent_map(content: Content) -> Section:
  """Returns the map of posterior means over the prior."""
  walk, plane = content.walk, content.plane
  if plane is None:
    return _densities(content)
  axes = charts.map_axes(plane)
  drawn = charts.map_content(plane, axes, next(iter(content.colorings), None))
  alt = (f'Posterior means of {len(walk.x)} {content.noun}s over the prior: '
         f'{plane.inside[0.9]:.0%} are in the region that contains 90% of it.')
  which = (f'the plane of their two principal components, which explains '
           f'{plane.explained:.0%} of their variance'
           if walk.top_means.shape[1] > 2 else 'the plane of z')
  return section(
      'map', 'Latent space', 'The latent space',
      f'The posterior means of {len(walk.x):,} {content.noun}s in {which}, '
      'over the regions that contain 50%, 90% and 99% of the prior.',
      '<div class="card map">' + picture(
          axes.width, axes.height, alt, f'<g id="map-content">{drawn}</g>')
      + f'<div>{_colors(content.colorings)}{_regions(plane)}</div></div>')


def _colors(colorings: list[Coloring]) -> str:
  """Returns the choice of what colors the map, and a legend of each choice."""
  legends = ''.join(
      f'<div data-coloring="{index}"{" hidden" if index else ""}>'
      f'{_shades(coloring) if coloring.scale else _buttons(coloring)}</div>'
      for index, coloring in enumerate(colorings))
  if len(colorings) < 2:
    return legends
  options = ''.join(
      f'<option value="{index}">{html.escape(coloring.title)}</option>'
      for index, coloring in enumerate(colorings))
  return ('<p class="coloring" hidden><label for="coloring">Color by</label>'
          f'<select id="coloring" autocomplete="off">{options}</select></p>'
          + legends)


def _buttons(coloring: Coloring) -> str:
  title = ('Show one label' if coloring.title == 'label'
           else f'Show one value of {html.escape(coloring.title)}')
  return f'<h3>{title}</h3><ul class="legend">' + ''.join(
      f'<li><button type="button" aria-pressed="false" data-label="{group}">'
      '<svg viewBox="0 0 12 12" aria-hidden="true"><path class="dots '
      f'{coloring.color(group)}" d="M6 6h0"/></svg>{html.escape(name)}'
      '</button></li>' for group, name in coloring.entries.items()) + '</ul>'


def _shades(coloring: Coloring) -> str:
  """Returns the legend of numbers: the shades between three values."""
  low, middle, high = map(html.escape, coloring.scale)
  missing = (f'<p>Gray: {html.escape(coloring.rest)}.</p>'
             if UNLABELED in coloring.groups else '')
  bar = ''.join(f'<path class="{coloring.color(shade)}" d="M{shade} 0.5h1"/>'
                for shade in range(SHADES))
  return (f'<h3>{html.escape(coloring.title)}</h3><div class="scale">'
          f'<svg viewBox="0 0 {SHADES} 1" preserveAspectRatio="none" '
          f'aria-hidden="true">{bar}</svg><span><small>lowest</small>{low}'
          f'</span><span><small>median</small>{middle}</span><span>'
          f'<small>highest</small>{high}</span></div>{missing}')


def _regions(plane):
  rows = ''.join(f'<tr><td>{level:.0%}</td><td>{plane.inside[level]:.0%}</td>'
                 '</tr>' for level in reversed(plane.inside))
  return ('<table><caption>Contents of the regions</caption><thead><tr>'
          '<th scope="col">of the prior</th><th scope="col">of the means</th>'
          f'</tr></thead><tbody>{rows}</tbody></table>')


def _densities(content):
  """Returns the map of a single dimension: two histograms as lines."""
  dimension = content.walk.order[0]
  means = content.walk.top_means[:, dimension]
  prior = content.walk.prior_draws()[:, dimension]
  edges = np.linspace(min(means.min(), prior.min()),
                      max(means.max(), prior.max()), 41)
  chart = charts.line_chart(
      'Densities', (edges[1:] + edges[:-1]) / 2,
      {'means': np.histogram(means, edges, density=True)[0],
       'prior': np.histogram(prior, edges, density=True)[0]}, 'z',
      alt=f'Densities of the {len(means)} posterior means and of the prior.')
  return section(
      'map', 'Latent space', 'The latent space',
      f'The distribution of the posterior means of {len(means):,} '
      f'{content.noun}s, and the prior.',
      line_legend('means', 'prior')
      + f'<figure class="card wide">{chart}</figure>')


def explorer(content: Content) -> Section:
  """Returns the sliders of the dimensions that vary most."""
  made, kl = content.explorer, content.kl.get(content.walk.top)
  nats = lambda dimension: '' if kl is None else (
      f'<small>{number(float(kl[dimension]), 2)} nats</small>')
  says = ('The table shows the mean of numbers and the most probable category '
          'with its probability, under p(x|z) at exactly the z shown.'
          if content.walk.columns else
          'Each picture is the decoding of exactly the z shown.')
  return section(
      'explorer', 'Explorer', 'Latent explorer',
      'Move a dimension to see how the decoding changes. Two dimensions at a '
      'time can differ from their start values; moving a third one resets the '
      f'one that was moved first. {says}', template(
          'explorer.html', decoding=_decoding(content), map=_small_map(content),
          css='rows' if content.walk.columns else '',
          bases=''.join(_base(index, frames.base, not content.walk.columns)
                        for index, frames in enumerate(made.bases)),
          sliders='\n'.join(
              _slider(index, dimension, nats(dimension))
              for index, dimension in enumerate(made.dimensions))))


def _decoding(content):
  """Returns the element that shows a decoding, which the script fills."""
  if not content.walk.columns:
    height, width = content.walk.x.shape[1:3]
    return (f'<canvas id="decoding" width="{width}" height="{height}" '
            'role="img"></canvas>')
  rows = ''.join(f'<tr><th scope="row">{html.escape(column.name)}</th>'
                 '<td></td><td></td></tr>' for column in content.walk.columns)
  return ('<div class="decoded"><table id="decoding"><thead><tr>'
          '<th scope="col">column</th><th scope="col">value</th>'
          f'<th scope="col">probability</th></tr></thead><tbody>{rows}</tbody>'
          '</table></div>')


def _base(index, base, has_picture):
  checked = ' checked' if index == 0 else ''
  name = html.escape(base.title.split(',')[0])
  shown = img(to_bytes(base.image), base.title) if has_picture else ''
  return (f'<label><input type="radio" name="base" value="{index}"{checked} '
          f'autocomplete="off">{shown}'
          f'<span>{name}</span></label>')


def _slider(index, dimension, nats):
  return (f'<div class="slider"><label for="slider-{index}">Dimension '
          f'{dimension} {nats}</label><span class="position" '
          f'id="value-{index}"></span><input type="range" id="slider-{index}" '
          'min="0" max="1" step="1" autocomplete="off"></div>')


def _small_map(content):
  if content.plane is None:
    return ''
  axes = charts.map_axes(content.plane)
  marks = ('<use href="#map-content"/><path id="way" class="way"/>'
           '<circle id="here" class="here" r="9"/>')
  drawn = picture(axes.width, axes.height,
                  'The position of this z in the latent space.', marks)
  return (f'<figure>{drawn}<figcaption>The position of this z among the '
          f'{content.noun}s.</figcaption></figure>')


def explorer_data(content: Content) -> str:
  """Returns the data of the script, as JSON that is safe inside a page."""
  made, walk = content.explorer, content.walk
  data = {
      'dimensions': made.dimensions, 'pairs': made.pairs,
      'steps': made.bases[0].values.shape[1],
      'bases': [{'title': frames.base.title, 'own': frames.own.tolist(),
                 'values': frames.values.tolist()} | _decodings(walk, frames)
                for frames in made.bases]}
  if content.plane is not None:
    axes, plane = charts.map_axes(content.plane), content.plane
    places = axes.place(plane.project(np.stack(
        [frames.base.roots[walk.top] for frames in made.bases])))
    # Pixels per unit of each dimension.
    steps = (axes.place(plane.axes.T[made.dimensions])
             - axes.place(np.zeros(2)))
    data['map'] = {'places': np.round(places, _PLACES).tolist(),
                   'directions': np.round(steps, _PLACES).tolist()}
    if len(content.colorings) > 1:
      data['colors'] = _color_data(
          axes.place(plane.points), content.colorings)
  return json.dumps(data).replace('</', '<\\/')


def _decodings(walk: LatentWalk, frames: Frames) -> dict[str, Any]:
  """Returns the frames: as an image, or as text of each column of a table."""
  if frames.sprite is not None:
    return {'sprite': data_uri(frames.sprite)}
  columns = []
  for column, (values, chances) in zip(
      walk.columns, frames.rows.transpose(2, 1, 0), strict=True):
    words, places = np.unique(texts(column, values), return_inverse=True)
    columns.append({'texts': words.tolist(), 'values': places.tolist()} | (
        {'percent': np.rint(100 * chances).astype(int).tolist()}
        if column.categories else {}))
  return {'columns': columns}


def _color_data(places: np.ndarray,
                colorings: list[Coloring]) -> dict[str, Any]:
  """Returns the dots of the map and their groups by coloring.

  Args:
    places: Coordinates of the dots in the picture, `[n, 2]`.
    colorings: Choices.
  """
  return {
      'dots': np.round(places, 1).tolist(),
      'colorings': [{
          'groups': coloring.groups.tolist(),
          'entries': [[group, coloring.color(group)]
                      for group in coloring.entries],
          'names': [[round(x, 1), round(y, 1), name] for x, y, name
                    in charts.group_names(places, coloring)]}
                    for coloring in colorings]}
