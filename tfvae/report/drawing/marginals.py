"""A picture of a table: the distribution of each column, and of samples."""

from collections.abc import Sequence

import numpy as np

from tfvae.lazy import LazyModule
from tfvae.tables import Column
from tfvae.tables import texts

backend_agg = LazyModule('matplotlib.backends.backend_agg')
figures = LazyModule('matplotlib.figure')

_MOST, _ACROSS = 24, 4  # Columns in the picture, and in one of its rows.
_BINS, _CATEGORIES = 20, 12
_LETTERS = 12  # Of the name of a category.
_COLORS = '0.75', 'tab:blue'  # Of data and samples.


def draw_marginals(columns: Sequence[Column], x: np.ndarray,
                   samples: np.ndarray,
                   weights: np.ndarray | None = None) -> 'figures.Figure':
  """Draws the shares of values in each column of data and of samples.

  Args:
    columns: Columns of the table; of more than 24, the first are drawn.
    x: Rows of codes, `[n, d]`; a NaN is missing.
    samples: Rows of codes from the model, `[m, d]`.
    weights: Weights of the rows, `[n]`; 1 by default.

  Returns:
    A figure with axes for each column. A number has 20 bins over the range of
    the data; of a column with more than 12 categories, the most frequent in the
    data are shown.
  """
  shown = list(columns)[:_MOST]
  rows = -(-len(shown) // _ACROSS)
  across = min(_ACROSS, len(shown))
  figure = figures.Figure(
      figsize=(3 * across, 2.2 * rows + 0.4), layout='constrained')
  backend_agg.FigureCanvasAgg(figure)
  places = figure.subplots(rows, across, squeeze=False).ravel()
  for axes, column, real, made in zip(
      places, shown, x.T, samples.T, strict=False):
    axes.set_title(column.name, fontsize='medium')
    axes.tick_params(labelsize='x-small')
    draw = _draw_categories if column.categories else _draw_numbers
    known = ~np.isnan(real)
    if known.any():
      draw(axes, column, real[known],
           None if weights is None else weights[known], made)
  for axes in places[len(shown):]:
    axes.axis('off')
  figure.legend(*places[0].get_legend_handles_labels(),
                loc='outside upper right', ncols=2)
  return figure


def _draw_categories(axes, column, real, weights, made):
  shares = [counts / counts.sum() for counts in (
      np.bincount(codes.astype(int), own, minlength=column.num_codes)
      for codes, own in ((real, weights), (made, None)))]
  present = np.flatnonzero(shares[0] + shares[1])
  order = present[np.argsort(-shares[0][present], kind='stable')][:_CATEGORIES]
  if column.kind == 'ordinal':
    order = np.sort(order)
  at = np.arange(len(order))
  for share, offset, color, label in zip(
      shares, (-0.2, 0.2), _COLORS, ('data', 'samples'), strict=True):
    axes.bar(at + offset, share[order], 0.4, color=color, label=label)
  names = [name if len(name) <= _LETTERS else name[:_LETTERS - 1] + '…'
           for name in texts(column, order)]
  axes.set_xticks(at, names, rotation=30 if len(order) > 3 else 0)


def _draw_numbers(axes, column, real, weights, made):
  edges = np.histogram_bin_edges(real, _BINS)
  total = len(real) if weights is None else weights.sum()
  axes.stairs(np.histogram(real, edges, weights=weights)[0] / total, edges,
              fill=True, color=_COLORS[0], label='data')
  axes.stairs(np.histogram(made, edges)[0] / len(made), edges,
              color=_COLORS[1], label='samples')
  ticks = edges[[0, _BINS // 2, -1]]
  axes.set_xticks(ticks, texts(column, ticks, 3))
