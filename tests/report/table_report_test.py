"""The report of a table, and of data with missing values."""

import html
import json
import re

import numpy as np
from scipy import special
import tensorflow as tf

from tests.report.report_case import make_data
from tests.report.report_case import make_model
from tests.report.report_case import make_table
from tests.report.report_case import pixels_of
from tests.report.report_case import ReportCase
from tfvae import evaluation
from tfvae import layers


class TableReportTest(ReportCase):

  def test_rows_of_a_table(self):
    columns, x = make_table()
    model = make_model(image=(3,), likelihood=layers.IndependentColumns(
        columns=columns))
    text = self.write(model, x)
    page = self.check(text)
    data = json.loads(re.search(
        r'id="explorer-data">(.*?)</script>', text, re.DOTALL)[1])
    base, steps = data['bases'][1], data['steps']
    self.assertNotIn('sprite', base)
    means = model.infer(x, lambda q: q.mean()).latents['z'].numpy()

    def check(shown, z):
      # The parameters: m and s of size, three logits of color, m and s of day.
      size, _, *logits, day, _ = np.float64(
          model.decoder.layers[0](z[np.newaxis])[0])
      chances = special.softmax(logits)
      self.assertAllClose(float(shown[0]), 5 + 2 * size, rtol=1e-3)
      self.assertEqual(shown[1], ['other', '<red>', 'blue'][chances.argmax()])
      # Near midnight, float32 may be on the other side of it.
      self.assertIn(shown[2], [
          str(np.datetime64('1970-01-01', 's') + round(
              86400 * (10_000 + 50 * day) + seconds))[:10]
          for seconds in (-120, 120)])
      return chances.max()

    rng = np.random.default_rng(0)
    for pair, a, b in rng.integers([6, steps, steps], size=(5, 3)):
      z = means[0].copy()
      for slider, position in zip(data['pairs'][pair], (a, b), strict=True):
        z[data['dimensions'][slider]] = base['values'][slider][position]
      frame = (pair * steps + a) * steps + b
      chance = check([column['texts'][column['values'][frame]]
                      for column in base['columns']], z)
      self.assertEqual(base['columns'][1]['percent'][frame],
                       round(100 * chance))

    rows = lambda name: re.findall(
        r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>'
        r'<td>(.*?)</td></tr>', html.unescape(re.search(
            f'<section id="{name}".*?</section>', text, re.DOTALL)[0]))
    reconstructed = rows('reconstructions')
    self.assertLen(reconstructed, 16)
    for index, (name, *shown) in enumerate(reconstructed):
      row = index // 2 * (len(x) - 1) // 7
      if index % 2:
        self.assertEqual(name, 'reconstruction')
        check(shown, means[row])
      else:
        self.assertEqual(name, 'data')
        self.assertAllClose(float(shown[0]), x[row, 0], rtol=1e-3)
        self.assertEqual(shown[1], ['<red>', 'blue'][int(x[row, 1]) - 1])
    sampled = rows('samples')
    self.assertLen({row[1:] for row in sampled}, 16)
    self.assertContainsSubset(
        {row[2] for row in sampled}, {'other', '<red>', 'blue'})
    order = np.argsort(-means.var(axis=0))
    traversed = rows('traversals')
    self.assertLen(traversed, 7 * min(4, len(order)))
    for index, (name, *shown) in enumerate(traversed):
      z, value = means[0].copy(), float(name.replace('−', '-'))
      self.assertEqual(value, index % 7 - 3)
      z[order[index // 7]] = value
      check(shown, z)
    farthest = np.linalg.norm(means - means[0], axis=1).argmax()
    ends = [int(row) - 1 for row in re.findall(
        r'<caption>From row (\d+) to row (\d+)<', text)[0]]
    self.assertEqual(ends, [0, farthest])
    for index, (name, *shown) in enumerate(rows('interpolations')[:7]):
      (a, b), t = ends, index / 6
      self.assertEqual(name, f'{t:.0%}')
      check(shown, (1 - t) * means[a] + t * means[b])
    self.assertEmpty(page.of('img'))
    # The color is the first choice, and the page has it without the script.
    self.assertEqual([option['value'] for option in page.of('option')],
                     ['0', '1', '2'])
    self.assertIn('Color by color size day', page.text)
    self.assertLen([path for path in page.of('path')
                    if path.get('class', '').startswith('dots c')
                    and 'data-label' in path], 2)
    self.assertIn('Show one value of color <red> blue', page.text)
    self.assertIn('New rows', page.text)

  def test_label_colors_a_table_first(self):
    columns, x = make_table()
    model = make_model(image=(3,), likelihood=layers.IndependentColumns(
        columns=columns))
    text = self.write(model, x, np.arange(len(x)) % 2)
    self.assertIn('Color by label size color day', self.check(text).text)

  def test_missing_values_of_a_table(self):
    columns, x = make_table()
    x[np.random.default_rng(1).random(x.shape) < 0.3] = np.nan
    model = make_model(image=(3,), missing=True,
                   likelihood=layers.IndependentColumns(columns=columns))
    metrics = evaluation.evaluate(
        model, x, ['columns', evaluation.ImputationMeasure(draws=20)],
        evaluation.Examples.of(x))
    page = self.check(self.write(model, x, metrics=metrics))
    self.assertIn('data missing', page.text)
    self.assertIn('Gray: missing.', page.text)
    self.assertIn('Imputation of hidden values', page.text)
    self.assertIn('CRPS, in standard deviations', page.text)
    self.assertIn('Elbo per entry', page.text.replace('ELBO', 'Elbo'))
    # Figures by column are in the section alone.
    self.assertNotIn('by column', page.text)
    self.assertNotIn('nan', page.text.lower().split())

  def test_missing_pixels_and_inpainting(self):
    x, _ = make_data()
    x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    model = make_model(missing=True)
    page = self.check(self.write(model, x))
    self.assertIn('Inpainting', page.text)
    pictures = {image['alt']: pixels_of(image['src'])
                for image in page.of('img')}
    original = next(picture for alt, picture in pictures.items()
                    if 'above its reconstruction' in alt)
    self.assertAllClose(original[:4, :5, 0], np.where(
        np.isnan(x[0, ..., 0]), 127 / 255, x[0, ..., 0]), atol=0.01)
    halves = [picture for alt, picture in pictures.items()
              if alt.endswith('and imputations.')]
    self.assertLen(halves, 2)
    lower = halves[1]
    self.assertEqual(lower.shape[0], 8 * 5 - 1)
    # The second row has the visible half, the others keep it.
    self.assertAllClose(lower[5 + 2:5 + 4, :5, 0], np.full([2, 5], 0.5),
                        atol=0.01)
    known = ~np.isnan(x[0, :2, :, 0])
    for top in (0, 10, 15, 35):
      self.assertAllClose(lower[top:top + 2, :5, 0][known],
                          x[0, :2, :, 0][known])
    self.assertAllInSet(np.round(lower[20:24, :5, 0], 2), [0., 1.])
    # Of a run that hides values, the known ones are the originals.
    page = self.check(self.write(model, x, known=np.nan_to_num(x)))
    [*_, shown] = [pixels_of(image['src']) for image in page.of('img')
                   if image['alt'].endswith('and imputations.')]
    self.assertAllClose(shown[:4, :5, 0], np.nan_to_num(x)[0, ..., 0])
    self.assertNotIn('Inpainting', self.check(self.write(
        make_model(), np.nan_to_num(x))).text)


if __name__ == '__main__':
  tf.test.main()
