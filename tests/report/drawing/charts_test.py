"""Charts, read back from their SVG."""

import math
import re
from xml.etree import ElementTree

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.evaluation.calibration import rank_statistics
from tfvae.report.drawing import charts
from tfvae.report.drawing import svg
from tfvae.report.latents import latent_map
from tfvae.report.latents.coloring import Coloring


def _parse(picture):
  return ElementTree.fromstring(picture)


def _of(root, css):
  """The elements of a class."""
  return [element for element in root.iter()
          if css in element.get('class', '').split()]


def _points(path):
  return np.array(re.findall(r'(-?[\d.]+) (-?[\d.]+)', path.get('d')), float)


def _value(text):
  return float(text.replace('−', '-').replace(',', ''))


def _boxes(root, css):
  """The rectangles of a class, `[n, (x, y, width, height)]`."""
  keys = ('x', 'y', 'width', 'height')
  return np.array([[float(box.get(key)) for key in keys]
                   for box in _of(root, css)])


class ChartsTest(tf.test.TestCase, parameterized.TestCase):

  def test_lines_and_ticks_have_one_scale(self):
    x = np.arange(1, 41)
    y = -100 - 300 / x
    root = _parse(charts.line_chart('ELBO', x, {'training': y}, 'epoch'))
    (line,) = _of(root, 'line')
    points = _points(line)
    ticks = [(float(text.get('x')), float(text.get('y')), _value(text.text),
              text.get('text-anchor')) for text in _of(root, 'tick')]
    for column, anchor, values in ((0, 'middle', x), (1, 'end', y)):
      # The scale that the ticks show, of which the line is to be drawn.
      places, numbers = np.array(
          [(tick[column], tick[2]) for tick in ticks if tick[3] == anchor]).T
      self.assertGreater(len(places), 2)
      slope, start = np.polyfit(numbers, places - 4 * column, 1)
      self.assertAllClose(
          points[:, column], start + slope * values, rtol=0, atol=0.2)
    self.assertIn('training from −400.0 to −107.5', root.get('aria-label'))

  def test_what_is_not_finite_is_left_out(self):
    root = _parse(charts.line_chart(
        'KL', [1, 2, 3], {'training': [1, np.nan, 3],
                          'validation': [np.nan] * 3}, 'epoch'))
    (line,) = _of(root, 'line')
    self.assertLen(_points(line), 2)

  def test_one_epoch_is_a_dot(self):
    root = _parse(charts.line_chart('KL', [1], {'training': [2.]}, 'epoch'))
    self.assertLen(_of(root, 'dot'), 1)

  @parameterized.parameters((-80., {'z1': 12., 'z2': 3.}),
                            (2000., {'z': 15.}), (5., {'z': 20.}))
  def test_waterfall_adds_up(self, reconstruction, kl):
    root = _parse(charts.elbo_waterfall(
        reconstruction, kl, reconstruction - sum(kl.values())))
    values = [_value(text.text) for text in _of(root, 'value')]
    elbo = reconstruction - sum(kl.values())
    steps = [reconstruction, *(-nats for nats in kl.values()), elbo]
    self.assertAllClose(values, steps, rtol=1e-3)
    boxes = _boxes(root, 'bar')
    scale = boxes[0, 2] / abs(reconstruction)
    self.assertAllClose(
        boxes[:, 2], np.maximum(1, scale * np.abs(steps)), rtol=0, atol=0.2)
    zero = boxes[0, 0] + boxes[0, 2] * (reconstruction < 0)
    # Each begins where that before it ended, the last at 0.
    start = zero + scale * np.cumsum([0, *steps[:-2]])
    end = start + scale * np.array(steps[:-1])
    self.assertAllClose(
        boxes[:-1, 0], np.minimum(start, end), rtol=0, atol=0.3)
    self.assertAllClose(
        boxes[-1, 0], min(zero, zero + scale * elbo), rtol=0, atol=0.3)

  def test_bars_of_dimensions_are_sorted_and_marked(self):
    nats = np.array([0.5, 0.01, 2.0, 1.0])
    root = _parse(charts.kl_bars('z', nats, np.array([1, 0, 1, 1], bool)))
    heights = _boxes(root, 'active')[:, 3]
    self.assertAllClose(heights / heights[0], [1, 0.5, 0.25], atol=2e-3)
    self.assertLen(_of(root, 'inactive'), 1)
    self.assertEqual([title.text for title in root.iter('title')], [
        'z[2]: 2.0 nats, active', 'z[3]: 1.0 nats, active',
        'z[0]: 0.5 nats, active', 'z[1]: 0.01 nats'])

  def test_histogram_stands_on_its_band(self):
    counts = np.array([50, 60, 40, 90, 10])
    root = _parse(charts.histogram(
        'z[0]', counts, rank_statistics.uniform_band(250, 5)))
    bars, band = _boxes(root, 'rank'), _boxes(root, 'band')[0]
    self.assertAllClose(bars[:, 3] / bars[0, 3], counts / 50, atol=5e-3)
    # The smallest k with P(≤ k) of at least 2.5 % and 97.5 %, by summation.
    choose = [math.comb(250, k) * 0.2**k * 0.8**(250 - k) for k in range(251)]
    low, high = np.searchsorted(np.cumsum(choose), [0.025, 0.975])
    base = bars[0, 1] + bars[0, 3]
    scale = bars[0, 3] / 50
    self.assertAllClose([base - scale * high, scale * (high - low)],
                        [band[1], band[3]], rtol=0, atol=0.3)
    self.assertIn('2 of them outside the band', root.get('aria-label'))

  def test_map_places_means_and_regions_alike(self):
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(50, 2)), rng.integers(3, size=50)
    square = np.array([[-3., -3.], [3, -3], [3, 3], [-3, 3]])
    plane = latent_map.LatentMap(
        points, np.eye(2), np.zeros(2), 1., {0.9: [square]}, {0.9: 1.})
    axes = charts.map_axes(plane)
    root = _parse('<g>' + charts.map_content(
        plane, axes, Coloring('label', labels, ['a', '<b>', 'c'])) + '</g>')
    corners = _points(_of(root, 'region')[0])
    scale = (corners[1, 0] - corners[0, 0]) / 6
    for label, dots in enumerate(_of(root, 'dots')):
      expected = corners[0] + (points[labels == label] + 3) * (scale, -scale)
      self.assertAllClose(_points(dots), expected, rtol=0, atol=0.11)
    self.assertEqual([text.text for text in _of(root, 'class')],
                     ['a', '<b>', 'c'])

  @parameterized.parameters(
      (-22.917, '−22.92'), (-23.899999, '−23.90'), (26.3, '26.3'),
      (116096, '116,096'), (123456.7, '123,457'), (0.0, '0.0'), (7, '7'),
      (float('nan'), 'not a number'), (float('-inf'), '−∞'))
  def test_numbers_are_for_people(self, value, text):
    self.assertEqual(svg.number(value), text)


if __name__ == '__main__':
  tf.test.main()
