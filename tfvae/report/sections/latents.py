"""Sections of the latent space: the map and the explorer."""

import html
import json

import numpy as np

from tfvae.report.arguments import UNLABELED
from tfvae.report.content import Content
from tfvae.report.drawing import charts
from tfvae.report.drawing.inline_images import data_uri
from tfvae.report.drawing.inline_images import img
from tfvae.report.drawing.inline_images import to_bytes
from tfvae.report.drawing.svg import number
from tfvae.report.drawing.svg import picture
from tfvae.report.page import line_legend
from tfvae.report.page import Section
from tfvae.report.page import section
from tfvae.report.page import template

_PLACES = 2  # Decimals of the explorer's coordinates.


def latent_map(content: Content) -> Section:
  """Returns the map of posterior means over the prior."""
  walk, plane = content.walk, content.plane
  if plane is None:
    return _densities(content)
  axes = charts.map_axes(plane)
  drawn = charts.map_content(plane, axes, content.shown_labels, content.names)
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
      + f'<div>{_label_buttons(content)}{_regions(plane)}</div></div>')


def _label_buttons(content):
  names = dict(enumerate(content.names))
  if content.has_unlabeled:
    names[UNLABELED] = 'unlabeled'
  if not names:
    return ''
  return '<h3>Show one label</h3><ul class="legend">' + ''.join(
      f'<li><button type="button" aria-pressed="false" data-label="{label}">'
      '<svg viewBox="0 0 12 12" aria-hidden="true"><path class="dots '
      f'{charts.dot_class(label)}" d="M6 6h0"/></svg>{html.escape(name)}'
      '</button></li>' for label, name in names.items()) + '</ul>'


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
  height, width = content.walk.x.shape[1:3]
  return section(
      'explorer', 'Explorer', 'Latent explorer',
      'Move a dimension to see how the decoding changes. Two dimensions at a '
      'time can differ from their start values; moving a third one resets the '
      'one that was moved first. Each picture is the decoding of exactly the z '
      'shown.', template(
          'explorer.html', width=width, height=height, map=_small_map(content),
          bases=''.join(_base(index, frames.base)
                        for index, frames in enumerate(made.bases)),
          sliders='\n'.join(
              _slider(index, dimension, nats(dimension))
              for index, dimension in enumerate(made.dimensions))))


def _base(index, base):
  checked = ' checked' if index == 0 else ''
  name = html.escape(base.title.split(',')[0])
  return (f'<label><input type="radio" name="base" value="{index}"{checked} '
          f'autocomplete="off">{img(to_bytes(base.image), base.title)}'
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
                 'values': frames.values.tolist(),
                 'sprite': data_uri(frames.sprite)} for frames in made.bases]}
  if content.plane is not None:
    axes, plane = charts.map_axes(content.plane), content.plane
    places = axes.place(plane.project(np.stack(
        [frames.base.roots[walk.top] for frames in made.bases])))
    # Pixels per unit of each dimension.
    steps = (axes.place(plane.axes.T[made.dimensions])
             - axes.place(np.zeros(2)))
    data['map'] = {'places': np.round(places, _PLACES).tolist(),
                   'directions': np.round(steps, _PLACES).tolist()}
  return json.dumps(data).replace('</', '<\\/')
