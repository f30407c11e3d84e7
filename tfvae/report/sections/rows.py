"""Sections with rows of a table from the model."""

from collections.abc import Sequence

import numpy as np

from tfvae.inference import observed
from tfvae.report.content import Content
from tfvae.report.latents.latent_pictures import interpolated
from tfvae.report.latents.latent_pictures import REACH
from tfvae.report.page import card
from tfvae.report.page import Section
from tfvae.report.page import section
from tfvae.report.page import table
from tfvae.report.sections.pictures import traversal_lead
from tfvae.tables import texts

_FEW = 8  # Rows that are reconstructed, at equal distances in the data.
_SAMPLES = 16
_TRAVERSED, _POSITIONS = 4, 7  # Dimensions and their values.
_INTERPOLATED, _STEPS = 2, 7  # Pairs of rows, and rows from one to the other.
_TYPICAL = 'the mean of a number and the most probable category under p(x|z)'


def reconstructions(content: Content) -> Section:
  """Returns rows, each above its reconstruction."""
  walk = content.walk
  x = np.asarray(observed(walk.inputs)['x'])
  few = np.linspace(0, len(x) - 1, min(_FEW, len(x))).astype(int)
  x = x[few]
  typical = walk.typical_rows(
      {name: z[few] for name, z in walk.means.items()},
      None if walk.y is None else walk.y[few])
  both = np.stack([x, typical], axis=1).reshape(-1, x.shape[1])
  return section(
      'reconstructions', 'Reconstructions', 'Reconstructions',
      f'Test rows, each above its reconstruction: {_TYPICAL}, with z at the '
      'posterior mean.',
      card(_table(content, both, ['data', 'reconstruction'] * len(x))))


def samples(content: Content) -> Section:
  """Returns rows drawn from the model."""
  walk = content.walk
  names, labels = ['sample'] * _SAMPLES, None
  lead = 'New rows: draws of p(x|z), z ~ p(z).'
  if walk.y is not None:
    classes = np.arange(_SAMPLES) % walk.y.shape[1]
    labels = {'y': np.eye(walk.y.shape[1], dtype=np.float32)[classes]}
    names = [content.names[label] for label in classes]
    lead = ('New rows, one for each label y in turn: draws of p(x|z, y), with '
            'z from the prior.')
  rows = walk.model.sample(_SAMPLES, walk.seed, inputs=labels).numpy()
  return section('samples', 'Samples', 'Samples', lead,
                 card(_table(content, rows, names)))


def interpolations(content: Content) -> Section | None:
  """Returns interpolations between rows that are far apart."""
  walk = content.walk
  ends = _far_apart(walk.top_means, 2 * _INTERPOLATED)
  names = [f'{share:.0%}' for share in np.linspace(0, 1, _STEPS)]
  tables = [
      card(_table(content, walk.typical_rows(*interpolated(
          walk, a, b, _STEPS)), names,
                  f'From {content.title_of(a)} to {content.title_of(b)}'))
      for a, b in zip(ends[::2], ends[1::2], strict=False)]
  if not tables:
    return None
  return section(
      'interpolations', 'Interpolations', 'Interpolations',
      f'From one row to another: {_TYPICAL}, with z in equal steps on the line '
      'between their posterior means.',
      f'<div class="tables">{"".join(tables)}</div>')


def traversals(content: Content) -> Section:
  """Returns traversals of the dimensions that vary most, one at a time."""
  walk, base = content.walk, content.first_image
  positions = np.linspace(-REACH, REACH, _POSITIONS)
  names = [f'{value:.0f}'.replace('-', '−') for value in positions]
  tables = []
  for dimension in walk.order[:_TRAVERSED]:
    z = np.tile(base.roots[walk.top], [_POSITIONS, 1])
    z[:, dimension] = positions
    tables.append(card(_table(content, walk.rows_from(base, z)[:, 0], names,
                              f'Dimension {dimension} of {walk.top}')))
  return section(
      'traversals', 'Traversals', 'Latent traversals',
      traversal_lead(content, 'table') + f' Each row has {_TYPICAL}.',
      f'<div class="tables">{"".join(tables)}</div>')


def _far_apart(points: np.ndarray, count: int) -> list[int]:
  """Returns the first point, then each that is farthest from those before."""
  chosen = [0]
  distance = np.full(len(points), np.inf)
  while len(chosen) < min(count, len(points)):
    distance = np.minimum(
        distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    chosen.append(int(distance.argmax()))
  return chosen


def _table(content: Content, x: np.ndarray, names: Sequence[str],
           caption: str = '') -> str:
  """Returns rows of codes `[n, d]` as a table, each with its name."""
  columns = content.walk.columns
  values = zip(*(texts(column, codes) for column, codes in zip(
      columns, x.T, strict=True)), strict=True)
  return table(['', *(column.name for column in columns)],
               [[name, *row] for name, row in zip(names, values, strict=True)],
               caption)
