"""Sections of the model and of its training."""

import html
import io
import re

import numpy as np

from tfvae.graph import GraphicalModel
from tfvae.lazy import LazyModule
from tfvae.report.content import Content
from tfvae.report.drawing import charts
from tfvae.report.drawing.graph_picture import draw_graph
from tfvae.report.drawing.svg import number
from tfvae.report.drawing.svg import picture
from tfvae.report.page import line_legend
from tfvae.report.page import Section
from tfvae.report.page import section
from tfvae.report.sections.metric_table import text

matplotlib = LazyModule('matplotlib')

# From the colors of `draw_graph` to those of the page's light and dark modes.
_GRAPH_COLORS = {
    '#222222': 'var(--ink)', '#ffffff': 'var(--surface)',
    '#dcdcdc': 'var(--shade)', '#1f6f9f': 'var(--accent)',
    '#b5502a': 'var(--prior)'}


def _graph(content: Content) -> GraphicalModel:
  return content.graph or content.model.graph


def header(content: Content) -> str:
  """Returns the factors of the model and the most important figures."""
  graph = _graph(content)
  tiles = ''.join(
      f'<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>'
      for name, value, note in _headline(content))
  return (
      f'<p class="model"><span>q: {html.escape(graph.inference_text)}</span> '
      f'<span>p: {html.escape(graph.generative_text)}</span></p>'
      f'<dl class="headline">{tiles}</dl>'
      '<p><a class="button" href="#explorer">Explore the latent space</a></p>')


def _headline(content):
  """Yields name, value and note of each headline figure."""
  test, metrics = content.metrics.get('test', {}), content.metrics
  noun = content.noun
  nats = _per_example(noun, test.get('examples'))
  bound = _per_example(
      noun, test.get('iwae_examples'), test.get('iwae_samples'))
  for key, name, note in (
      ('elbo', 'Test ELBO', nats), ('iwae_nll', 'Test −log p(x) ≤', bound),
      ('bits_per_dim', 'Bits per dimension', 'at most'),
      ('kl', 'KL(q ‖ p)', nats)):
    if key in test:
      yield name, text(test[key]), note
  units = np.concatenate(list(content.is_active.values()))
  yield 'Active units', text(int(units.sum())), f'of {len(units)} dimensions'
  if 'parameters' in metrics:
    seconds = metrics.get('seconds', {}).get('train')
    note = f'trained in {_duration(seconds)}' if seconds else 'learned'
    yield 'Parameters', number(metrics['parameters']), note


def _per_example(noun, count, samples=None):
  """Returns the unit of a mean in nats, with the numbers of examples and K."""
  return ', '.join([f'nats per {noun}', *(
      [f'{count:,} {noun}' + 's' * (count > 1)] if count else []), *(
          [f'K = {samples:,}'] if samples else [])])


def _duration(seconds):
  return f'{seconds:.0f} s' if seconds < 100 else f'{seconds / 60:.0f} min'


def graphs(content: Content) -> Section:
  """Returns the picture of the inference and the generative graph."""
  graph = _graph(content)
  width, height, drawn = _drawing(graph)
  # Separate halves, which a phone shows one above the other.
  halves = (
      ('Inference', graph.inference_text, 0, f'<g id="graphs-all">{drawn}</g>'),
      ('Generation', graph.generative_text, width / 2,
       '<use href="#graphs-all"/>'))
  return section(
      'graph', 'Model', 'The graphical model',
      'Arrows lead from the variables that a variable depends on. Shaded '
      'variables are observed; the plate is repeated for each of N '
      f'{content.noun}s.',
      '<div class="card graphs">' + ''.join(
          picture(width / 2, height, f'{side}: {factors}', part, left=left)
          for side, factors, left, part in halves) + '</div>')


def _drawing(graph):
  """Returns width, height and elements of an SVG picture of the graphs."""
  file = io.StringIO()
  with matplotlib.rc_context({'svg.hashsalt': 'tfvae', 'svg.fonttype': 'path'}):
    draw_graph(graph).savefig(file, format='svg', transparent=True,
                              metadata={'Date': None})
  drawing = file.getvalue()
  for color, variable in _GRAPH_COLORS.items():
    drawing = drawing.replace(color, variable)
  # Its style would apply to the whole page.
  drawing = re.sub(r'<metadata>.*?</metadata>|<style.*?</style>', '', drawing,
                   flags=re.DOTALL)
  width, height, elements = re.search(
      r'viewBox="0 0 ([\d.]+) ([\d.]+)".*?>(.*)</svg>', drawing,
      flags=re.DOTALL).groups()
  return float(width), float(height), elements


def learning_curves(content: Content) -> Section | None:
  """Returns the curves of ELBO, reconstruction and KL by epoch."""
  if not content.history:
    return None
  column = lambda key: np.array([
      np.nan if row.get(key) in (None, '') else float(row[key])
      for row in content.history])
  epochs, validated = column('epoch'), column('val_elbo')
  figures = []
  for key, title in (('elbo', 'ELBO'), ('reconstruction', 'E[log p(x|z)]'),
                     ('kl', 'KL(q ‖ p)')):
    chart = charts.line_chart(title, epochs, {
        'training': column(key), 'validation': column(f'val_{key}')}, 'epoch')
    figures.append(f'<figure class="card"><h3>{title}, nats</h3>{chart}'
                   '</figure>')
  lead = ''
  if np.isfinite(validated).any():
    best = np.nanargmax(validated)
    figure = '' if content.has_elbo else f', {number(validated[best])} nats'
    lead = (f'The validation ELBO is highest in epoch {epochs[best]:.0f}'
            f'{figure}. {_kept_epoch(content)}Training curves are averages '
            'over an epoch, during which the weights change; validation curves '
            'are measured after it, with other draws of z than the tables '
            'below.')
  return section('learning', 'Learning', 'Learning curves', lead,
                 line_legend('training', 'validation')
                 + f'<div class="row">{"".join(figures)}</div>')


def _kept_epoch(content: Content) -> str:
  """Returns a sentence on the kept epoch, if the metrics have it."""
  epoch = content.metrics.get('best_epoch')
  if epoch is None:
    return ''
  rule = {
      'objective': 'whose validation objective, the trained loss, is lowest',
      'last': 'the last one'}.get(
          content.metrics.get('select_by', 'elbo'),
          'whose validation ELBO is highest')
  return f'The model has the weights of epoch {epoch}, {rule}. '


def elbo(content: Content) -> Section | None:
  """Returns the parts of the ELBO, from the metrics or from an estimate."""
  parts = content.elbo
  if parts is None:
    return None
  count, noun = f'{parts.num_images:,} ' if parts.num_images else '', (
      content.noun)
  source = (f'Means over the {count}test {noun}s, as in the tables below.'
            if content.has_elbo else
            f'Estimated from {count}{noun}s, with one draw of z for each.')
  return section(
      'elbo', 'ELBO', 'Parts of the ELBO',
      'ELBO = E[log p(x|z)] − KL(q(z|x) ‖ p(z)): the fit to the data minus the '
      f'cost of the latents. {source}',
      '<figure class="card wide">' + charts.elbo_waterfall(
          parts.reconstruction, parts.kl, parts.elbo) + '</figure>')


def kl_per_dimension(content: Content) -> Section | None:
  """Returns the KL of each dimension, with active dimensions marked."""
  if not content.kl:
    return None
  figures = ''.join(
      '<figure class="card wide">'
      + charts.kl_bars(name, nats, content.is_active[name]) + '</figure>'
      for name, nats in content.kl.items())
  legend = ('<ul class="legend">' + ''.join(
      f'<li><svg viewBox="0 0 28 12" aria-hidden="true"><rect width="28" '
      f'height="12" class="bar {css}"/></svg>{words}</li>' for css, words in (
          ('active', 'active: posterior mean varies between '
           f'{content.noun}s'),
          ('inactive', 'inactive'))) + '</ul>')
  return section(
      'dimensions', 'Dimensions', 'KL of each dimension',
      f'The KL of each latent dimension in nats per {content.noun}. A '
      'dimension near 0 is unused: its posterior is the prior.' + (
          f' Means over {content.num_images:,} {content.noun}s.'
          if content.estimates_kl else ''),
      f'{legend}<div class="row">{figures}</div>')
