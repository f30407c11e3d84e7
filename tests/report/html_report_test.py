"""The report, read back from the page."""

import json
import os
import re
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.report.report_case import IMAGE
from tests.report.report_case import make_data
from tests.report.report_case import make_model
from tests.report.report_case import Page
from tests.report.report_case import pixels_of
from tests.report.report_case import ReportCase
from tfvae import evaluation
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.report.html_report import write_report
from tfvae.report.sections.explanations import explanations

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


class HtmlReportTest(ReportCase):

  def test_everything_given_is_there(self):
    x, labels = make_data()
    text = self.write(
        make_model(), x, labels, history=_HISTORY, metrics=_METRICS,
        title='Digits & <more>', command='python a.py --b="c"',
        warnings=['The posterior has collapsed.'],
        rank_histograms={'z': np.full([4, 10], 20)},
        class_names=['zero', '<one>', 'two'])
    page = self.check(text)
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
    model = make_model()
    x, labels = make_data()
    page = Page(self.write(model, x, labels))
    (picture,) = [attributes['src'] for attributes in page.of('img')
                  if 'reconstruction' in attributes['alt']]
    pixels = pixels_of(picture)
    means = model(x).mean().numpy()
    for column in range(10):
      left = 6 * column
      self.assertAllClose(pixels[:4, left:left + 5, 0], x[column, ..., 0])
      self.assertAllClose(pixels[5:9, left:left + 5, 0], means[column, ..., 0],
                          atol=0.51 / 255)

  def test_explorer_frames_are_decodings(self):
    model = make_model()
    x, labels = make_data()
    text = self.write(model, x, labels)
    data = json.loads(re.search(
        r'id="explorer-data">(.*?)</script>', text, re.DOTALL)[1])
    self.assertLen(data['dimensions'], 4)
    self.assertLen(data['pairs'], 6)
    base = data['bases'][1]  # The first image.
    mean = model.infer(x[:1], lambda q: q.mean()).latents['z'][0]
    steps = data['steps']
    frames = pixels_of(base['sprite']).reshape(-1, 4, steps, 5)
    frames = frames.swapaxes(1, 2).reshape(-1, *IMAGE)
    rng = np.random.default_rng(0)
    for pair, a, b in rng.integers([6, steps, steps], size=(20, 3)):
      z = mean.numpy()
      for slider, position in zip(data['pairs'][pair], (a, b), strict=True):
        z[data['dimensions'][slider]] = base['values'][slider][position]
      expected = model.decode({'z': tf.constant(z[np.newaxis])}).mean()[0]
      self.assertAllClose(frames[(pair * steps + a) * steps + b], expected,
                          atol=0.51 / 255)

  @parameterized.named_parameters(
      ('one_dimension', {'latents': 'z:1'}, (8, 8, 1)),
      ('two_dimensions', {'latents': 'z:2', 'prior': 'mixture'}, (8, 8, 1)),
      ('color_counts', {'likelihood': 'poisson'}, (4, 5, 3)),
      ('flow', {'prior': 'realnvp'}, IMAGE),
      ('autoregressive', {'posterior': 'iaf'}, IMAGE),
      ('hierarchy', {'latents': GraphicalModel.parse(
          **PRESETS['two_layer'] | {'latents': 'z1:5,z2:3'})}, IMAGE))
  def test_any_model(self, arguments, image):
    x, _ = make_data(image)
    text = self.write(make_model(image=image, **arguments), x)
    page = self.check(text)
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
    model = make_model()
    x, labels = make_data()
    page, *others = [
        self.write(model, x, given, class_names='abc') for given in (
            labels, np.eye(3)[labels], np.float32(labels),
            ['abc'[label] for label in labels])]
    for other in others:
      self.assertEqual(page, other)

  def test_unlabeled_images_have_no_class(self):
    x, labels = make_data()
    labels[[0, 4]] = -1
    page = self.check(self.write(make_model(), x, labels))
    dots = {path['data-label']: path for path in page.of('path')
            if 'data-label' in path}
    self.assertEqual(dots['-1']['class'], 'dots unlabeled')
    for label in (-1, 0, 1, 2):
      self.assertEqual(dots[str(label)]['d'].count('M'),
                       np.sum(labels == label))
    self.assertIn('Start: unlabeled, image 1. In each row', page.text)
    self.assertLen([b for b in page.of('button') if 'data-label' in b], 4)

  def test_figures_are_those_of_the_metrics(self):
    x, _ = make_data()
    metrics = {
        'test': {'elbo': -22.9, 'reconstruction': -17.5, 'kl': 5.4,
                 'examples': 360},
        'latent_space': {'active_units': 1, 'latents': {'z': {
            'variances': [0.5, 0.001, 0.002, None],
            'kl_per_dimension': [4.0, 1.0, 0.3, 0.1]}}}}
    page = Page(self.write(make_model(), x, metrics=metrics))
    alts = [svg.get('aria-label', '') for svg in page.of('svg')]
    self.assertIn('E[log p(x|z)] = −17.5 nats, less KL of z = 5.4 nats, is an '
                  'ELBO of −22.9 nats.', alts)
    self.assertIn('KL of the 4 dimensions of z, from 4.0 to 0.1 nats; 1 of '
                  'them active.', alts)
    self.assertIn('Means over the 360 test images', page.text)
    self.assertIn('1 of 4 are active', page.text)
    self.assertIn('0.5, 0.001, 0.002, not available', page.text)

  def test_one_elbo_and_one_count_of_active_dimensions(self):
    x, _ = make_data()
    # As of `evaluate`, without the number of images or parts by latent.
    test = {'elbo': -22.917, 'reconstruction': -17.5, 'kl': 5.4}
    model, variances = make_model(), [0.5, 0.011, 0.009, None]
    for extra, active in (
        ({'test': test | {'active_units': 3}}, 3),
        ({'test': test | {'active_units': 0}}, 0),
        ({'test': test, 'latent_space': {'active_units': 2, 'latents': {
            'z': {'active_units': 2, 'variances': variances}}}}, 2)):
      page = Page(self.write(model, x, metrics=extra, history=_HISTORY))
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
    page = Page(self.write(model, x, metrics={'test': {'elbo': -22.917}}))
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

    x, _ = make_data()
    with mock.patch.dict(evaluation.MEASURES._choices):
      evaluation.MEASURES.register('copy')(Mine)
      page = self.check(self.write(
          make_model('z:30'), x, metrics={'copy': {'something': 42}}))
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

    x, _ = make_data()
    with mock.patch.dict(evaluation.MEASURES._choices):
      evaluation.MEASURES.register('copy')(Mine)
      page = self.check(self.write(make_model(), x, metrics={'copy': {'a': 1}}))
    self.assertIn('A <table> RMSE <a> 1.235 b not available', page.text)

  def test_several_latents_of_the_metrics(self):
    model = make_model(GraphicalModel.parse(
        **PRESETS['two_layer'] | {'latents': 'z1:5,z2:3'}))
    x, _ = make_data()
    test = {'elbo': -25.0, 'reconstruction': -20.0, 'kl': 5.0, 'examples': 9}
    by_latent = {'kl_by_latent': {
        'z1': 4.0, 'z1_standard_error': 0.25, 'z2': 1.0}}
    for given, words in (
        (test, 'KL of z1, z2 = 5.0 nats'),
        (test | by_latent, 'KL of z1 = 4.0, KL of z2 = 1.0 nats')):
      page = Page(self.write(model, x, metrics={'test': given}))
      self.assertTrue(any(
          f'{words}, is an ELBO of −25.0 nats' in svg.get('aria-label', '')
          for svg in page.of('svg')))
    self.assertIn('KL of z1 4.0 ± 0.25', page.text)

  def test_without_metrics_the_estimates_are_named(self):
    x, _ = make_data()
    page = Page(self.write(make_model(), x))
    self.assertIn('Estimated from 30 images', page.text)
    self.assertIn('Means over 30 images', page.text)

  def test_what_is_not_available_is_said(self):
    x, _ = make_data()
    page = Page(self.write(make_model(), x, metrics={
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
    x, labels = make_data()
    text = self.write(make_model(graph, num_classes=3),
                       {'x': x, 'y': np.eye(3, dtype=np.float32)[labels]})
    page = self.check(text)
    self.assertIn('a column for each label y: 0, 1, 2', page.text)
    # Also of the classes that no image has.
    page = self.check(self.write(make_model(graph, num_classes=3), {
        'x': x, 'y': np.eye(3, dtype=np.float32)[0 * labels]}))
    self.assertIn('a column for each label y: 0, 1, 2', page.text)

  @parameterized.parameters(1, 2)
  def test_few_images_will_do(self, n):
    x, labels = make_data()
    page = self.check(self.write(make_model(), x[:n], labels[:n]))
    self.assertEqual('interpolations' in page.text.lower(), n > 1)

  def test_a_collapsed_latent_is_no_missing_one(self):
    x, _ = make_data()
    page = Page(self.write(make_model(), x, history=[
        {'epoch': 1, 'elbo': -9.0, 'kl': 0.0}, {'epoch': 2, 'elbo': -8.0,
                                                'kl': 0.0}]))
    (alt,) = [picture['aria-label'] for picture in page.of('svg')
              if picture.get('aria-label', '').startswith('KL(q ‖ p) by')]
    self.assertIn('training from 0.0 to 0.0', alt)
    self.assertNotIn('best', page.text)

  def test_is_the_same_again(self):
    model = make_model()
    x, labels = make_data()
    first, second = (self.write(model, x, labels) for _ in range(2))
    self.assertEqual(first, second)

  def test_a_mistake_leaves_the_last_report(self):
    path = os.path.join(self.create_tempdir().full_path, 'index.html')
    with open(path, 'w', encoding='utf-8') as file:
      file.write('the last')
    with self.assertRaisesRegex(ValueError, r'\[b, 4, 5, 1\].*\[3, 20\]'):
      write_report(path, make_model(), np.zeros([3, 20], np.float32))
    x, labels = make_data()
    for given, message in (
        ({'labels': labels / 2}, 'one label is 0.5'),
        ({'labels': labels[1:]}, 'there are 30 images'),
        ({'active': {'z': [True]}}, "active.'z'. of shape"),
        ({'kl_per_dimension': {'w': [1.0]}}, "kl_per_dimension.'w'"),
        ({'rank_histograms': {'z': [3] * 4}}, "rank_histograms.'z'")):
      with self.assertRaisesRegex(ValueError, message):
        write_report(path, make_model(), x, **given)
    with open(path, encoding='utf-8') as file:
      self.assertEqual(file.read(), 'the last')


if __name__ == '__main__':
  tf.test.main()
