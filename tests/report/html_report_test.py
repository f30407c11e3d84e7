"""The report, read back from the page."""

import base64
import html.parser
import io
import json
import os
import re
from unittest import mock

from absl.testing import parameterized
from matplotlib import image as matplotlib_image
import numpy as np
from scipy import special
import tensorflow as tf

from tfvae import evaluation
from tfvae import layers
from tfvae import models
from tfvae import tables
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.report.html_report import write_report
from tfvae.report.sections.explanations import explanations

_IMAGE = (4, 5, 1)
_N = 30
_VOID = ('meta', 'img', 'input', 'link', 'br')

_METRICS = {
    'test': {'elbo': -22.917, 'reconstruction': -17.5, 'kl': 5.36,
             'examples': 360, 'iwae_nll': 22.485,
             'iwae_nll_standard_error': 0.1817, 'iwae_samples': 500,
             'bits_per_dim': 0.5069},
    'train': {'elbo': -22.945, 'reconstruction': -17.55, 'kl': 5.39},
    'parameters': 116096, 'seconds': {'train': 26.3},
    'versions': {'tensorflow': '2.21.0'},
    'latent_space': {
        'mutual_information': 4.714, 'mutual_information_error': 0.0321,
        'latents': {'z': {'active_units': 3, 'variances': [0.5] * 12}}},
    'calibration': {'is_calibrated': True, 'verdict': ['All is <well>.'],
                    'rank_histograms': {'z': [[7] * 9] * 4},
                    'latents': {'z': {'coverage': {'0.95': [0.94, 0.97]}}}},
    'gaps': {'seconds_per_example': {'cold_start': 0.25}, 'collapse': []},
    'mine': {'something': 42, 'not_a_number': float('nan')},
}
_HISTORY = [
    {'epoch': str(e), 'elbo': str(-40 + e), 'val_elbo': str(-41 + e % 7),
     'reconstruction': str(-30 + e), 'val_reconstruction': str(-31 + e),
     'kl': '5.0', 'val_kl': '5.1'} for e in range(1, 13)]


def _model(latents='z:4', image=_IMAGE, **arguments):
  graph = GraphicalModel.parse(latents) if isinstance(latents, str) else latents
  return models.image_vae(graph, image, hidden_units=(8,), **arguments)


def _data(image=_IMAGE):
  rng = np.random.default_rng(0)
  return (np.float32(rng.random((_N, *image)) < 0.5),
          rng.integers(3, size=_N))


def _table():
  """Columns of a table, and codes of rows."""
  rng = np.random.default_rng(0)
  return (tables.Column('size', 'real', loc=5., scale=2.),
          tables.Column('color', 'categorical', 'string', ('<red>', 'blue')),
          tables.Column('day', 'date', 'string', loc=10_000., scale=50.)), (
              np.float32(np.stack([
                  rng.normal(5, 2, _N), rng.integers(1, 3, _N),
                  rng.normal(10_000, 50, _N)], axis=1)))


class _Page(html.parser.HTMLParser):
  """The elements of a page `(tag, attributes)`, and its text."""

  def __init__(self, text):
    super().__init__()
    self.elements, self.open, self.texts = [], [], []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.elements.append((tag, dict(attrs)))
    if tag not in _VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attrs):
    self.elements.append((tag, dict(attrs)))

  def handle_endtag(self, tag):
    assert self.open.pop() == tag, f'{tag} closes another'

  def handle_data(self, data):
    if not {'script', 'style'} & set(self.open):
      self.texts.append(data)

  def of(self, tag):
    return [attributes for name, attributes in self.elements if name == tag]

  @property
  def text(self):
    return ' '.join(' '.join(self.texts).split())


def _pixels(uri):
  """The values of a PNG in a data URI, `[h, w, c]` in [0, 1]."""
  png = base64.b64decode(uri.removeprefix('data:image/png;base64,'))
  return matplotlib_image.imread(io.BytesIO(png))


class HtmlReportTest(tf.test.TestCase, parameterized.TestCase):

  def _write(self, model, inputs, labels=None, **arguments):
    path = os.path.join(self.create_tempdir().full_path, 'index.html')
    write_report(path, model, inputs, labels, **arguments)
    self.assertEqual(os.listdir(os.path.dirname(path)), ['index.html'])
    with open(path, encoding='utf-8') as file:
      return file.read()

  def _check(self, text):
    """Checks the properties of every report."""
    page = _Page(text)
    self.assertEmpty(page.open)
    ids = [attributes['id'] for _, attributes in page.elements
           if 'id' in attributes]
    self.assertLen(set(ids), len(ids))
    for picture in page.of('img'):
      self.assertStartsWith(picture['src'], 'data:image/png;base64,')
      self.assertNotEmpty(picture['alt'])
    for _, attributes in page.elements:
      if attributes.get('role') == 'img' and attributes.get('id') != 'decoding':
        self.assertNotEmpty(attributes['aria-label'])
      for key in ('href', 'xlink:href', 'for', 'aria-labelledby'):
        if key in attributes:
          self.assertIn(attributes[key].removeprefix('#'), ids)
      self.assertNoCommonElements(attributes, ['onclick', 'srcset'])
    self.assertNotRegex(text, r'(?i)https?:(?!//www\.w3\.org/)|@import')
    self.assertNotRegex(text, r'url\((?!#)')
    levels = [int(tag[1]) for tag, _ in page.elements
              if re.fullmatch('h[1-6]', tag)]
    self.assertEqual(levels[0], 1)
    self.assertAllLess(np.diff(levels), 2)
    return page

  def test_everything_given_is_there(self):
    x, labels = _data()
    text = self._write(
        _model(), x, labels, history=_HISTORY, metrics=_METRICS,
        title='Digits & <more>', command='python a.py --b="c"',
        warnings=['The posterior has collapsed.'],
        rank_histograms={'z': np.full([4, 10], 20)},
        class_names=['zero', '<one>', 'two'])
    page = self._check(text)
    self.assertEqual(
        [attributes['id'] for attributes in page.of('section')],
        ['warnings', 'graph', 'learning', 'elbo', 'reconstructions', 'samples',
         'interpolations', 'traversals', 'map', 'explorer', 'dimensions',
         'figures', 'calibration', 'repeat'])
    for words in (
        'Digits & <more>', 'The posterior has collapsed.',
        'python a.py --b="c"', '<one>', '2.21.0',
        'highest in epoch 6. Training curves',
        '−22.92', '22.48 ± 0.18', '−22.95', '4.714 ± 0.032', '116,096', '26.3',
        '42', 'not a number', '12 values, 0.5 to 0.5', '0.94, 0.97',
        'Coverage 0.95 z', 'yes', 'All is <well>.', 'Something',
        'Cold start seconds per example', 'none'):
      self.assertIn(words, page.text)
    for key in ('elbo', 'reconstruction', 'kl', 'iwae_nll', 'bits_per_dim',
                'mutual_information', 'active_units', 'coverage', 'parameters',
                'seconds_per_example'):
      self.assertIn(explanations()[key], page.text)
    self.assertNotIn('9 values', page.text)  # The histograms are drawn.

  def test_explanations_are_a_sentence(self):
    for sentence in explanations().values():
      self.assertRegex(sentence, r'^\S.+\.$')
      self.assertLess(len(sentence), 160)

  def test_pictures_are_what_the_model_makes(self):
    model = _model()
    x, labels = _data()
    page = _Page(self._write(model, x, labels))
    (picture,) = [attributes['src'] for attributes in page.of('img')
                  if 'reconstruction' in attributes['alt']]
    pixels = _pixels(picture)
    means = model(x).mean().numpy()
    for column in range(10):
      left = 6 * column
      self.assertAllClose(pixels[:4, left:left + 5, 0], x[column, ..., 0])
      self.assertAllClose(pixels[5:9, left:left + 5, 0], means[column, ..., 0],
                          atol=0.51 / 255)

  def test_explorer_frames_are_decodings(self):
    model = _model()
    x, labels = _data()
    text = self._write(model, x, labels)
    data = json.loads(re.search(
        r'id="explorer-data">(.*?)</script>', text, re.DOTALL)[1])
    self.assertLen(data['dimensions'], 4)
    self.assertLen(data['pairs'], 6)
    base = data['bases'][1]  # The first image.
    mean = model.infer(x[:1], lambda q: q.mean()).latents['z'][0]
    steps = data['steps']
    frames = _pixels(base['sprite']).reshape(-1, 4, steps, 5)
    frames = frames.swapaxes(1, 2).reshape(-1, *_IMAGE)
    rng = np.random.default_rng(0)
    for pair, a, b in rng.integers([6, steps, steps], size=(20, 3)):
      z = mean.numpy()
      for slider, position in zip(data['pairs'][pair], (a, b), strict=True):
        z[data['dimensions'][slider]] = base['values'][slider][position]
      expected = model.decode({'z': tf.constant(z[np.newaxis])}).mean()[0]
      self.assertAllClose(frames[(pair * steps + a) * steps + b], expected,
                          atol=0.51 / 255)

  def test_rows_of_a_table(self):
    columns, x = _table()
    model = _model(image=(3,), likelihood=layers.IndependentColumns(
        columns=columns))
    text = self._write(model, x)
    page = self._check(text)
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
    columns, x = _table()
    text = self._write(_model(image=(3,), likelihood=layers.IndependentColumns(
        columns=columns)), x, np.arange(len(x)) % 2)
    self.assertIn('Color by label size color day', self._check(text).text)

  @parameterized.named_parameters(
      ('one_dimension', {'latents': 'z:1'}, (8, 8, 1)),
      ('two_dimensions', {'latents': 'z:2', 'prior': 'mixture'}, (8, 8, 1)),
      ('color_counts', {'likelihood': 'poisson'}, (4, 5, 3)),
      ('flow', {'prior': 'realnvp'}, _IMAGE),
      ('autoregressive', {'posterior': 'iaf'}, _IMAGE),
      ('hierarchy', {'latents': GraphicalModel.parse(
          **PRESETS['two_layer'] | {'latents': 'z1:5,z2:3'})}, _IMAGE))
  def test_any_model(self, arguments, image):
    x, _ = _data(image)
    text = self._write(_model(image=image, **arguments), x)
    page = self._check(text)
    sections = {attributes['id'] for attributes in page.of('section')}
    self.assertContainsSubset(
        {'graph', 'elbo', 'samples', 'traversals', 'map', 'explorer'}, sections)
    self.assertNoCommonElements(
        {'warnings', 'learning', 'figures', 'calibration', 'repeat'},
        sections)
    self.assertEqual(
        'manifold' in sections, arguments.get('latents') == 'z:2')
    # The KL of a mixture or a flow has no parts by dimension.
    self.assertEqual('dimensions' in sections,
                     not {'prior', 'posterior'} & set(arguments))

  def test_labels_of_any_kind(self):
    model = _model()
    x, labels = _data()
    page, *others = [
        self._write(model, x, given, class_names='abc') for given in (
            labels, np.eye(3)[labels], np.float32(labels),
            ['abc'[label] for label in labels])]
    for other in others:
      self.assertEqual(page, other)

  def test_unlabeled_images_have_no_class(self):
    x, labels = _data()
    labels[[0, 4]] = -1
    page = self._check(self._write(_model(), x, labels))
    dots = {path['data-label']: path for path in page.of('path')
            if 'data-label' in path}
    self.assertEqual(dots['-1']['class'], 'dots unlabeled')
    for label in (-1, 0, 1, 2):
      self.assertEqual(dots[str(label)]['d'].count('M'),
                       np.sum(labels == label))
    self.assertIn('Start: unlabeled, image 1. In each row', page.text)
    self.assertLen([b for b in page.of('button') if 'data-label' in b], 4)

  def test_figures_are_those_of_the_metrics(self):
    x, _ = _data()
    metrics = {
        'test': {'elbo': -22.9, 'reconstruction': -17.5, 'kl': 5.4,
                 'examples': 360},
        'latent_space': {'active_units': 1, 'latents': {'z': {
            'variances': [0.5, 0.001, 0.002, None],
            'kl_per_dimension': [4.0, 1.0, 0.3, 0.1]}}}}
    page = _Page(self._write(_model(), x, metrics=metrics))
    alts = [svg.get('aria-label', '') for svg in page.of('svg')]
    self.assertIn('E[log p(x|z)] = −17.5 nats, less KL of z = 5.4 nats, is an '
                  'ELBO of −22.9 nats.', alts)
    self.assertIn('KL of the 4 dimensions of z, from 4.0 to 0.1 nats; 1 of '
                  'them active.', alts)
    self.assertIn('Means over the 360 test images', page.text)
    self.assertIn('1 of 4 are active', page.text)
    self.assertIn('0.5, 0.001, 0.002, not available', page.text)

  def test_one_elbo_and_one_count_of_active_dimensions(self):
    x, _ = _data()
    # As of `evaluate`, without the number of images or parts by latent.
    test = {'elbo': -22.917, 'reconstruction': -17.5, 'kl': 5.4}
    model, variances = _model(), [0.5, 0.011, 0.009, None]
    for extra, active in (
        ({'test': test | {'active_units': 3}}, 3),
        ({'test': test | {'active_units': 0}}, 0),
        ({'test': test, 'latent_space': {'active_units': 2, 'latents': {
            'z': {'active_units': 2, 'variances': variances}}}}, 2)):
      page = _Page(self._write(model, x, metrics=extra, history=_HISTORY))
      alts = ' '.join(svg.get('aria-label', '') for svg in page.of('svg'))
      self.assertIn('Test ELBO −22.92 nats', page.text)
      self.assertIn('is an ELBO of −22.92 nats.', alts)
      self.assertNotIn('Estimated from', page.text)
      self.assertNotIn('−35.0', page.text)  # That of the history.
      self.assertIn(f'Active units {active} of 4 dimensions', page.text)
      self.assertIn(f'{active} of 4 are active', page.text)
      self.assertIn(f'nats; {active} of them active', alts)
      self.assertLen([bar for bar in page.of('rect')
                      if 'x' in bar and bar.get('class') == 'bar active'],
                     active)
    # The ELBO without its parts.
    page = _Page(self._write(model, x, metrics={'test': {'elbo': -22.917}}))
    self.assertNotIn('elbo', [part['id'] for part in page.of('section')])

  def test_section_of_a_measure(self):
    described = evaluation.Section(
        'Errors & <more>', 'By <size>.', [
            evaluation.Histogram('0 to 1', [3, 1, 0]),
            evaluation.LineChart('Growth', [1, 2], {
                'mine': [1., 2.], '<yours>': [2., 3.]}, 'n'),
            *(evaluation.Histogram(f'z[{d}]', [1, 3], (0, 2), 'z', d)
              for d in range(30))], 'Errors')

    class Mine(evaluation.Measure):
      explanations = {'something': 'Explained by <me>.'}

      def section(self, block):
        return described

      def warnings(self, block):
        return [f'It is {block["something"]}.']

    x, _ = _data()
    with mock.patch.dict(evaluation.MEASURES._choices):
      evaluation.MEASURES.register('copy')(Mine)
      page = self._check(self._write(
          _model('z:30'), x, metrics={'copy': {'something': 42}}))
    self.assertEqual([part['id'] for part in page.of('section')][-2:],
                     ['figures', 'measure-copy'])
    for words in ('Errors & <more>', 'By <size>. The charts show 24', 'Growth',
                  'mine', '<yours>', 'Explained by <me>.', 'It is 42.'):
      self.assertIn(words, page.text)
    alts = [svg.get('aria-label', '') for svg in page.of('svg')]
    self.assertIn('0 to 1: 3 bins of 0 to 3.', alts)
    shown = [alt for alt in alts if alt.startswith('z[')]
    self.assertLen(shown, 24)
    self.assertIn(': 2 bins of 1 to 3, 1 of them outside the band.', shown[0])
    lines = {path['class'] for path in page.of('path')
             if path.get('class', '').startswith('line ')}
    self.assertEqual(lines, {'line c0', 'line c1'})

  def test_table_of_a_measure(self):
    class Mine(evaluation.Measure):
      def section(self, block):
        return evaluation.Section('Errors', 'By column.', [evaluation.Table(
            'A <table>', ['', 'RMSE'], [['<a>', 1.23456], ['b', None]])])

    x, _ = _data()
    with mock.patch.dict(evaluation.MEASURES._choices):
      evaluation.MEASURES.register('copy')(Mine)
      page = self._check(self._write(_model(), x, metrics={'copy': {'a': 1}}))
    self.assertIn('A <table> RMSE <a> 1.235 b not available', page.text)

  def test_missing_values_of_a_table(self):
    columns, x = _table()
    x[np.random.default_rng(1).random(x.shape) < 0.3] = np.nan
    model = _model(image=(3,), missing=True,
                   likelihood=layers.IndependentColumns(columns=columns))
    metrics = evaluation.evaluate(
        model, x, ['columns', evaluation.ImputationMeasure(draws=20)],
        evaluation.Examples.of(x))
    page = self._check(self._write(model, x, metrics=metrics))
    self.assertIn('data missing', page.text)
    self.assertIn('Gray: missing.', page.text)
    self.assertIn('Imputation of hidden values', page.text)
    self.assertIn('CRPS, in standard deviations', page.text)
    self.assertIn('Elbo per entry', page.text.replace('ELBO', 'Elbo'))
    # Figures by column are in the section alone.
    self.assertNotIn('by column', page.text)
    self.assertNotIn('nan', page.text.lower().split())

  def test_missing_pixels_and_inpainting(self):
    x, _ = _data()
    x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    model = _model(missing=True)
    page = self._check(self._write(model, x))
    self.assertIn('Inpainting', page.text)
    pictures = {image['alt']: _pixels(image['src']) for image in page.of('img')}
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
    page = self._check(self._write(model, x, known=np.nan_to_num(x)))
    [*_, shown] = [_pixels(image['src']) for image in page.of('img')
                   if image['alt'].endswith('and imputations.')]
    self.assertAllClose(shown[:4, :5, 0], np.nan_to_num(x)[0, ..., 0])
    self.assertNotIn('Inpainting', self._check(self._write(
        _model(), np.nan_to_num(x))).text)

  def test_several_latents_of_the_metrics(self):
    model = _model(GraphicalModel.parse(
        **PRESETS['two_layer'] | {'latents': 'z1:5,z2:3'}))
    x, _ = _data()
    test = {'elbo': -25.0, 'reconstruction': -20.0, 'kl': 5.0, 'examples': 9}
    by_latent = {'kl_by_latent': {
        'z1': 4.0, 'z1_standard_error': 0.25, 'z2': 1.0}}
    for given, words in (
        (test, 'KL of z1, z2 = 5.0 nats'),
        (test | by_latent, 'KL of z1 = 4.0, KL of z2 = 1.0 nats')):
      page = _Page(self._write(model, x, metrics={'test': given}))
      self.assertTrue(any(
          f'{words}, is an ELBO of −25.0 nats' in svg.get('aria-label', '')
          for svg in page.of('svg')))
    self.assertIn('KL of z1 4.0 ± 0.25', page.text)

  def test_without_metrics_the_estimates_are_named(self):
    x, _ = _data()
    page = _Page(self._write(_model(), x))
    self.assertIn('Estimated from 30 images', page.text)
    self.assertIn('Means over 30 images', page.text)

  def test_what_is_not_available_is_said(self):
    x, _ = _data()
    page = _Page(self._write(_model(), x, metrics={
        'test': {'elbo': None, 'elbo_standard_error': None, 'kl': None,
                 'reconstruction': None, 'examples': 1, 'iwae_nll': 20.5,
                 'iwae_nll_standard_error': None},
        'representation': {'not_computed': 'the data set has <no> labels'},
        'mine': [None] * 20}))
    self.assertIn('Test ELBO not available nats per image, 1 image', page.text)
    self.assertIn('20.5 ± not available', page.text)
    self.assertIn('Not computed the data set has <no> labels', page.text)
    self.assertIn('Estimated from 30 images', page.text)

  def test_conditional_model(self):
    graph = GraphicalModel.parse('z:3', 'z|x,y', 'z|y; x|z,y')
    x, labels = _data()
    text = self._write(_model(graph, num_classes=3),
                       {'x': x, 'y': np.eye(3, dtype=np.float32)[labels]})
    page = self._check(text)
    self.assertIn('a column for each label y: 0, 1, 2', page.text)
    # Also of the classes that no image has.
    page = self._check(self._write(_model(graph, num_classes=3), {
        'x': x, 'y': np.eye(3, dtype=np.float32)[0 * labels]}))
    self.assertIn('a column for each label y: 0, 1, 2', page.text)

  @parameterized.parameters(1, 2)
  def test_few_images_will_do(self, n):
    x, labels = _data()
    page = self._check(self._write(_model(), x[:n], labels[:n]))
    self.assertEqual('interpolations' in page.text.lower(), n > 1)

  def test_a_collapsed_latent_is_no_missing_one(self):
    x, _ = _data()
    page = _Page(self._write(_model(), x, history=[
        {'epoch': 1, 'elbo': -9.0, 'kl': 0.0}, {'epoch': 2, 'elbo': -8.0,
                                                'kl': 0.0}]))
    (alt,) = [picture['aria-label'] for picture in page.of('svg')
              if picture.get('aria-label', '').startswith('KL(q ‖ p) by')]
    self.assertIn('training from 0.0 to 0.0', alt)
    self.assertNotIn('best', page.text)

  def test_is_the_same_again(self):
    model = _model()
    x, labels = _data()
    first, second = (self._write(model, x, labels) for _ in range(2))
    self.assertEqual(first, second)

  def test_a_mistake_leaves_the_last_report(self):
    path = os.path.join(self.create_tempdir().full_path, 'index.html')
    with open(path, 'w', encoding='utf-8') as file:
      file.write('the last')
    with self.assertRaisesRegex(ValueError, r'\[b, 4, 5, 1\].*\[3, 20\]'):
      write_report(path, _model(), np.zeros([3, 20], np.float32))
    x, labels = _data()
    for given, message in (
        ({'labels': labels / 2}, 'one label is 0.5'),
        ({'labels': labels[1:]}, 'there are 30 images'),
        ({'active': {'z': [True]}}, "active.'z'. of shape"),
        ({'kl_per_dimension': {'w': [1.0]}}, "kl_per_dimension.'w'"),
        ({'rank_histograms': {'z': [3] * 4}}, "rank_histograms.'z'")):
      with self.assertRaisesRegex(ValueError, message):
        write_report(path, _model(), x, **given)
    with open(path, encoding='utf-8') as file:
      self.assertEqual(file.read(), 'the last')


if __name__ == '__main__':
  tf.test.main()
