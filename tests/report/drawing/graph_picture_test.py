"""Tests for the picture of a graphical model."""

import itertools
import os
import re

from absl.testing import parameterized
from matplotlib import colors
from matplotlib import image
from matplotlib import patches
from matplotlib import pyplot
import numpy as np
import tensorflow as tf

from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.report.drawing import graph_picture

# Graph, then the equations above the two pictures without their mark-up.
_GRAPHS = {
    'vae': (PRESETS['vae'], 'q(z|x)=q(z|x)', 'p(x,z)=p(z)p(x|z)'),
    'two_layer': (PRESETS['two_layer'], 'q(z_1,z_2|x)=q(z_1|x)q(z_2|z_1)',
                  'p(x,z_1,z_2)=p(z_2)p(z_1|z_2)p(x|z_1)'),
    'ladder': (PRESETS['ladder'], 'q(z_1,z_2|x)=q(z_2|x)q(z_1|z_2,x)',
               'p(x,z_1,z_2)=p(z_2)p(z_1|z_2)p(x|z_1)'),
    'conditional': (PRESETS['conditional'], 'q(z|x,y)=q(z|x,y)',
                    'p(x,z|y)=p(z)p(x|z,y)'),
    'missing_label': (
        {'latents': 'z:5', 'inference': 'y|x; z|x,y',
         'generative': 'z; y; x|z,y'},
        'q(y,z|x)=q(y|x)q(z|x,y)', 'p(x,y,z)=p(z)p(y)p(x|z,y)'),
    'label_as_leaf': (
        {'latents': 'z:5', 'inference': 'z|x; y|z',
         'generative': 'z; y|z; x|z'},
        'q(y,z|x)=q(z|x)q(y|z)', 'p(x,y,z)=p(z)p(y|z)p(x|z)'),
    'words': (
        {'latents': 'appearance:512,z_view_2:4',
         'inference': 'appearance|x; z_view_2|appearance,x',
         'generative': 'appearance|y; z_view_2; x|appearance,z_view_2'},
        'q(appearance,z_view_2|x)=q(appearance|x)q(z_view_2|appearance,x)',
        'p(x,appearance,z_view_2|y)='
        'p(appearance|y)p(z_view_2)p(x|appearance,z_view_2)'),
    'long_ladder': (
        {'latents': 'z1:64,z2:32,z3:16,z4:8',
         'inference': 'z4|x; z3|z4,x; z2|z3,x; z1|z2,x',
         'generative': 'z4; z3|z4; z2|z3; z1|z2; x|z1'},
        'q(z_1,z_2,z_3,z_4|x)=q(z_4|x)q(z_3|z_4,x)q(z_2|z_3,x)q(z_1|z_2,x)',
        'p(x,z_1,z_2,z_3,z_4)=p(z_4)p(z_3|z_4)p(z_2|z_3)p(z_1|z_2)p(x|z_1)'),
}


class DrawGraphTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.named_parameters((k, *v) for k, v in _GRAPHS.items())
  def test_shows_the_graph(self, texts, *equations):
    graph = GraphicalModel.parse(**texts)
    figure = graph_picture.draw_graph(graph)
    self.assertLen(figure.axes, 2)
    for side, axes, equation in zip(
        ('inference', 'generative'), figure.axes, equations, strict=True):
      factors = getattr(graph, side)
      self.assertEqual(_plain(axes.get_title().split('\n', 1)[1]), equation)
      self.assertCountEqual(
          [arrow.get_gid() for arrow in _of(axes, patches.FancyArrowPatch)],
          [f'{side}.{p}.{f.variable}' for f in factors for p in f.parents])
      # A circle for each variable, shaded where it is observed.
      shown = {'x'}.union(*((f.variable, *f.parents) for f in factors))
      shades = {circle.get_gid(): colors.to_hex(circle.get_facecolor())
                for circle in _of(axes, patches.Circle)}
      self.assertCountEqual(shades, [f'{side}.{name}' for name in shown])
      for name in shown:
        is_open = name in graph.latent_names or (
            name == 'y' and graph.infers_label)
        self.assertEqual(shades[f'{side}.{name}'] == '#ffffff', is_open)
      # One half of a label that may be missing is shaded.
      self.assertLen(_of(axes, patches.Wedge), graph.infers_label)
      # Its name, the space of a latent, and the N of the plate.
      self.assertCountEqual(
          [_plain(text.get_text()) for text in axes.texts],
          [re.sub(r'(?<=[a-z])(?=\d)', '_', name) for name in shown]
          + [f'R^{size}' for _, size in graph.latents] + ['N'])

  @parameterized.named_parameters((k, v[0]) for k, v in _GRAPHS.items())
  def test_nothing_overlaps(self, texts):
    self._assert_clear(GraphicalModel.parse(**texts))

  @parameterized.parameters(*range(4))
  def test_nothing_overlaps_in_random_graphs(self, seed):
    self._assert_clear(_random_graph(np.random.default_rng(seed)))

  def test_writes_a_png_without_pyplot(self):
    path = os.path.join(self.get_temp_dir(), 'graph.png')
    figure = graph_picture.draw_graph(GraphicalModel.parse('z:50'))
    figure.savefig(path, dpi=100)
    pixels = image.imread(path)
    self.assertAllClose(pixels.shape[1::-1], figure.get_size_inches() * 100,
                        atol=1)
    ink = (pixels[..., :3].min(-1) < 0.5).mean()
    self.assertGreater(ink, 0.005)
    self.assertLess(ink, 0.2)
    self.assertEmpty(pyplot.get_fignums())

  def _assert_clear(self, graph):
    figure = graph_picture.draw_graph(graph)
    figure.canvas.draw()
    titles = []
    for side, axes in zip(('inference', 'generative'), figure.axes,
                          strict=True):
      circles = {c.get_gid(): _pixels(c, axes)
                 for c in _of(axes, patches.Circle)}
      centres = {k: v.mean(0) for k, v in circles.items()}
      radius = np.ptp(next(iter(circles.values()))[:, 0]) / 2
      for a, b in itertools.combinations(centres.values(), 2):
        self.assertGreater(np.linalg.norm(a - b), 2.5 * radius)
      plate, = (_pixels(p, axes) for p in _of(axes, patches.FancyBboxPatch))
      for arrow in _of(axes, patches.FancyArrowPatch):
        line = _pixels(arrow, axes)
        self.assertAllInRange(line - plate.min(0), 0., np.inf)
        self.assertAllInRange(plate.max(0) - line, 0., np.inf)
        ends = [f'{side}.{name}' for name in arrow.get_gid().split('.')[1:]]
        for name in set(centres).difference(ends):
          distance = np.linalg.norm(line - centres[name], axis=-1).min()
          self.assertGreater(distance, 1.1 * radius, (str(graph), name))
        for name in ends:  # It goes from rim to rim.
          distance = np.linalg.norm(line - centres[name], axis=-1).min()
          self.assertBetween(distance / radius, 0.98, 1.2)
      self._assert_texts_fit(axes, plate, centres, radius)
      titles.append(axes.title.get_window_extent())
      self.assertGreater(titles[-1].y0, plate[:, 1].max())
    self.assertLess(titles[0].x1, titles[1].x0)
    self.assertBetween(titles[0].x0, 0, titles[0].x1)
    self.assertLess(titles[1].x1, figure.bbox.x1)
    self.assertLess(max(t.y1 for t in titles), figure.bbox.y1)

  def _assert_texts_fit(self, axes, plate, centres, radius):
    boxes = [text.get_window_extent() for text in axes.texts]
    for a, b in itertools.combinations(boxes, 2):
      self.assertFalse(a.overlaps(b))
    for box, text in zip(boxes, axes.texts, strict=True):
      corners = box.corners()
      if text.get_text() == '$N$':
        self.assertAllInRange(corners - plate.min(0), 0., np.inf)
        self.assertAllInRange(plate.max(0) - corners, 0., np.inf)
      else:
        middle = corners.mean(0)
        distance = min(np.linalg.norm(corners - centre, axis=-1).max()
                       for centre in centres.values()
                       if np.linalg.norm(middle - centre) < radius)
        self.assertLess(distance, 1.05 * radius, text.get_text())


def _of(axes, kind):
  return [patch for patch in axes.patches if isinstance(patch, kind)]


def _pixels(patch, axes):
  """The outline of a patch as points `[n, 2]`, in pixels."""
  transform = (axes.transData if isinstance(patch, patches.FancyArrowPatch)
               else patch.get_transform())
  return np.concatenate(
      patch.get_path().to_polygons(transform, closed_only=False))


def _plain(mathtext):
  """Drops the mark-up that changes looks only."""
  return re.sub(r'\\mathrm|\\mathbb|\\,|[{}$\s]', '',
                mathtext.replace(r'\mid', '|')).replace(r'\_', '_')


def _random_graph(rng):
  """A graph of one to five latents, dense, with a label in half of them."""
  names = [f'z{i}' for i in range(1, 2 + rng.integers(5))]
  y = ['y'] * int(rng.integers(2))

  def chain(extra):
    order = list(rng.permutation(names))
    return {v: [u for u in order[:i] if rng.random() < 0.6] + extra
            for i, v in enumerate(order)}

  q, p = chain(['x', *y]), chain(y)
  p['x'] = [z for z in names if rng.random() < 0.3
            or not any(z in parents for parents in p.values())]
  texts = ['; '.join(f"{v}|{','.join(parents)}".removesuffix('|')
                     for v, parents in side.items()) for side in (q, p)]
  return GraphicalModel.parse({name: 10**i for i, name in enumerate(names)},
                              *texts)


if __name__ == '__main__':
  tf.test.main()
