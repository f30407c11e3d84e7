"""Reports of small models, read back from the page."""

import base64
import html.parser
import io
import os
import re

from absl.testing import parameterized
from matplotlib import image as matplotlib_image
import numpy as np
import tensorflow as tf

from tfvae import models
from tfvae import tables
from tfvae.graph import GraphicalModel
from tfvae.report.html_report import write_report

IMAGE = (4, 5, 1)
N = 30
_VOID = ('meta', 'img', 'input', 'link', 'br')


def make_model(latents='z:4', image=IMAGE, **arguments):
  graph = GraphicalModel.parse(latents) if isinstance(latents, str) else latents
  return models.image_vae(graph, image, hidden_units=(8,), **arguments)


def make_data(image=IMAGE):
  rng = np.random.default_rng(0)
  return (np.float32(rng.random((N, *image)) < 0.5),
          rng.integers(3, size=N))


def make_table():
  """Columns of a table, and codes of rows."""
  rng = np.random.default_rng(0)
  return (tables.Column('size', 'real', loc=5., scale=2.),
          tables.Column('color', 'categorical', 'string', ('<red>', 'blue')),
          tables.Column('day', 'date', 'string', loc=10_000., scale=50.)), (
              np.float32(np.stack([
                  rng.normal(5, 2, N), rng.integers(1, 3, N),
                  rng.normal(10_000, 50, N)], axis=1)))


class Page(html.parser.HTMLParser):
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


def pixels_of(uri):
  """The values of a PNG in a data URI, `[h, w, c]` in [0, 1]."""
  png = base64.b64decode(uri.removeprefix('data:image/png;base64,'))
  return matplotlib_image.imread(io.BytesIO(png))


class ReportCase(tf.test.TestCase, parameterized.TestCase):
  """A test of a report that it writes."""

  def write(self, model, inputs, labels=None, **arguments):
    path = os.path.join(self.create_tempdir().full_path, 'index.html')
    write_report(path, model, inputs, labels, **arguments)
    self.assertEqual(os.listdir(os.path.dirname(path)), ['index.html'])
    with open(path, encoding='utf-8') as file:
      return file.read()

  def check(self, text):
    """Checks the properties of every report."""
    page = Page(text)
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
