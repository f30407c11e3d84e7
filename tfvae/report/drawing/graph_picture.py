"""A picture of the inference and the generative graph, side by side.

It follows the conventions of plate notation: observed variables are shaded,
latents are open and show their space, a label that may be missing is shaded on
one half, a plate encloses what is repeated for each of the N data, and the
factorization is above. Both graphs have the same
layout, with the datum below and every generative parent above its children, so
that only the arrows differ.
"""

import re

import numpy as np

from tfvae.graph import GraphicalModel
from tfvae.lazy import LazyModule

backend_agg = LazyModule('matplotlib.backends.backend_agg')
figures = LazyModule('matplotlib.figure')
patches = LazyModule('matplotlib.patches')

_RADIUS = 0.42  # Of a node. Lengths are in units of the axes.
_SPACING = np.array([1.7, 1.5])  # Between columns, between rows.
_CLEARANCE = 0.15  # Between an arrow and other elements.
_PADDING = 0.35  # Inside the plate.
_MARGIN = 0.15  # Outside the plate.
_INCHES = 0.72  # On paper, of a unit.
_LINE_INCHES = 0.23  # On paper, of a line of the title.
_CHARACTERS = 7.6  # Of a title, to a unit.
_LEAST_WIDTH = 5.
_BENDS = np.array([s * b / 10 for b in range(10) for s in (1, -1)])
_INK, _SHADE = '#222222', '#dcdcdc'
_MATH = {'math_fontfamily': 'cm', 'color': _INK}
_SIDES = {'inference': ('q', 'Inference', '#1f6f9f'),
          'generative': ('p', 'Generation', '#b5502a')}


def draw_graph(graph: GraphicalModel) -> 'figures.Figure':
  """Draws q(z|x; φ) and p(x,z; θ) as graphs in plate notation.

  Args:
    graph: Graphical model.

  Returns:
    A figure of two axes, inference and generation, for `figure.savefig`. It has
    an Agg canvas and nothing to do with pyplot.
  """
  centers = _place(graph)
  bends = {side: _route(graph, side, centers) for side in _SIDES}
  plate = _enclose(centers, bends)
  terms = {side: _terms(graph, side) for side in _SIDES}
  width, height = plate[1] - plate[0] + 2 * _MARGIN
  width = max(width, _LEAST_WIDTH, *(
      _visible(term) / _CHARACTERS for side in _SIDES for term in terms[side]))
  titles = {side: _wrap(terms[side], width) for side in _SIDES}
  lines = max(map(len, titles.values()))

  inches = np.array([2 * width, height]) * _INCHES
  inches[1] += _LINE_INCHES * (lines + 1.8)  # Of the title and round it.
  figure = figures.Figure(figsize=inches)
  backend_agg.FigureCanvasAgg(figure)
  for left, side in zip((0, 0.5), _SIDES, strict=True):
    axes = figure.add_axes((left, 0, 0.5, height * _INCHES / inches[1]))
    column, row = plate.mean(0)
    axes.set(xlim=(column - width / 2, column + width / 2),
             ylim=(row - height / 2, row + height / 2))
    axes.axis('off')
    blank = [''] * (lines - len(titles[side]))  # Aligns the headings.
    axes.set_title('\n'.join([_SIDES[side][1], *titles[side], *blank]),
                   fontsize=12, linespacing=1.3, **_MATH)
    _draw_plate(axes, plate)
    _draw_side(axes, graph, side, centers, bends[side])
  return figure


def _place(graph):
  """Centers `{name: [2]}`: a row above its children in p, `x` at the bottom."""
  row = {'x': 0} | ({'y': 0} if graph.infers_label else {})
  for factor in reversed(graph.generative):  # Children before their parents.
    for parent in factor.parents:
      row[parent] = max(row.get(parent, 0), row[factor.variable] + 1)
  if graph.is_conditional:
    row['y'] = 0
  centers = {}
  for level in set(row.values()):
    names = [n for n in (*graph.latent_names, 'x', 'y') if row.get(n) == level]
    for column, name in enumerate(names):
      position = np.array([column - (len(names) - 1) / 2, level])
      centers[name] = _SPACING * position
  return centers


def _nodes(graph, side):
  """The names that this side's graph shows."""
  factors = getattr(graph, side)
  return {'x'}.union(*((f.variable, *f.parents) for f in factors))


def _route(graph, side, centers):
  """A bend for each `(parent, child)` that avoids nodes and other arrows.

  A bend is matplotlib's `rad`: the distance of the control point of a quadratic
  Bézier curve from the chord, over the length of the chord.
  """
  nodes = {name: centers[name] for name in _nodes(graph, side)}
  links = [(parent, factor.variable) for factor in getattr(graph, side)
           for parent in factor.parents]
  links.sort(key=lambda link: np.linalg.norm(nodes[link[0]] - nodes[link[1]]))
  curves = {(a, b): np.stack([_curve(nodes[a], nodes[b], bend)
                              for bend in _BENDS]) for a, b in links}
  best = {}
  for link in links * 3:  # Coordinate descent, shortest links first.
    others = {o: curves[o][best[o]] for o in best if o != link}
    best[link] = np.argmin(_costs(link, curves[link], others, nodes))
  return {link: _BENDS[index] for link, index in best.items()}


def _costs(link, curves, others, nodes):
  """The cost of each of `curves`, `[bends, points, 2]`, as `[bends]`."""
  distances = {name: np.linalg.norm(curves - center, axis=-1)
               for name, center in nodes.items()}
  costs = np.abs(_BENDS)
  for name in set(nodes).difference(link):
    costs += 100 * (distances[name].min(-1) < _RADIUS + _CLEARANCE)
  for other, curve in others.items():
    gaps = np.linalg.norm(curves[:, :, None] - curve, axis=-1).min(-1)
    for name in set(link).intersection(other):  # They meet there.
      gaps[distances[name] < 2 * _RADIUS] = np.inf
    touching = gaps < _CLEARANCE
    costs += touching.any(-1) + touching.mean(-1)
  return costs


def _enclose(centers, bends):
  """The plate's lower left and upper right corner, `[2, 2]`."""
  ink = [_curve(centers[parent], centers[child], bend)
         for links in bends.values() for (parent, child), bend in links.items()]
  ink += [[c - _RADIUS, c + _RADIUS] for c in centers.values()]
  ink = np.concatenate(ink)
  low, high = ink.min(0) - _PADDING, ink.max(0) + _PADDING
  reach = max(-low[0], high[0])  # Rows are centerd at 0, and so is the plate.
  return np.array([[-reach, low[1]], [reach, high[1]]])


def _curve(start, end, bend):
  """Points `[n, 2]` of the curve that the connection style arc3 draws."""
  t = np.linspace(0, 1, 40)[:, None]
  right = (end - start)[::-1] * (1, -1)
  control = (start + end) / 2 + bend * right
  return (1 - t)**2 * start + 2 * t * (1 - t) * control + t**2 * end


def _draw_plate(axes: 'figures.Axes', plate):
  low, high = plate
  axes.add_patch(patches.FancyBboxPatch(
      low, *(high - low), boxstyle='round,pad=0,rounding_size=0.2', fill=False,
      edgecolor=_INK, linewidth=0.8))
  axes.text(high[0] - 0.12, low[1] + 0.1, '$N$', ha='right', va='bottom',
            fontsize=11, **_MATH)


def _draw_side(axes: 'figures.Axes', graph, side, centers, bends):
  """Draws the nodes and the arrows between them."""
  circles = {}
  for name in sorted(_nodes(graph, side)):
    column, row = centers[name]
    latent = name in graph.latent_names
    is_partly_observed = name == 'y' and graph.infers_label
    circles[name] = axes.add_patch(patches.Circle(
        centers[name], _RADIUS,
        facecolor='white' if latent or is_partly_observed else _SHADE,
        edgecolor=_INK, linewidth=1.2, zorder=2, gid=f'{side}.{name}'))
    if is_partly_observed:
      axes.add_patch(patches.Wedge(
          centers[name], _RADIUS - 0.012, 90, 270, facecolor=_SHADE,
          linewidth=0, zorder=2))
    axes.text(column, row + 0.11 * latent, f'${_symbol(name)}$', ha='center',
              va='center', fontsize=min(16, 80 / len(name)), **_MATH)
    if latent:
      space = rf'$\mathbb{{R}}^{{{graph.latent_size(name)}}}$'
      axes.text(column, row - 0.2, space, ha='center', va='center',
                fontsize=10, **_MATH)
  for (parent, child), bend in bends.items():
    axes.add_patch(patches.FancyArrowPatch(
        centers[parent], centers[child], arrowstyle='-|>', mutation_scale=13,
        connectionstyle=f'arc3,rad={bend}', patchA=circles[parent],
        patchB=circles[child], shrinkA=0, shrinkB=1, linewidth=1.3,
        color=_SIDES[side][2], zorder=1, gid=f'{side}.{parent}.{child}'))


def _symbol(name):
  r"""Mathtext: `z1` as z_{1}, `z_top` as z_{\mathrm{top}}."""
  letters = re.match('[A-Za-z]+', name)[0]
  rest = name[len(letters):].strip('_').replace('_', r'\_')
  letters = letters if len(letters) == 1 else rf'\mathrm{{{letters}}}'
  return letters + (rf'_{{\mathrm{{{rest}}}}}' if rest else '')


def _terms(graph, side):
  """Mathtext of the joint density, then of each factor."""
  density = _SIDES[side][0]

  def term(variables, parents):
    given = r'\mid ' + ','.join(map(_symbol, parents)) if parents else ''
    return f"{density}({','.join(map(_symbol, variables))}{given})"

  given = {'y'} & _nodes(graph, side)
  names = graph.latent_names
  if graph.infers_label:
    given, names = [], ['y', *names]
  joint = (term(names, ['x', *given]) if side == 'inference' else
           term(['x', *names], given))
  return [f'{joint} =', *(term([factor.variable], factor.parents)
                          for factor in getattr(graph, side))]


def _wrap(terms, width):
  """Lines of mathtext, each with as many terms as `width` holds."""
  lines = ['']
  for term in terms:
    if lines[-1] and _visible(lines[-1] + term) > width * _CHARACTERS:
      lines.append('')
    lines[-1] += term + r'\,'
  return [f'${line}$' for line in lines]


def _visible(mathtext):
  """The approximate width in characters."""
  return len(re.sub(r'\\mathrm|\\mid|\\,|[{}_$ ]', '', mathtext))
