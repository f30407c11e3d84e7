"""Sections with images from the model."""

import html

import numpy as np

from tfvae.report.content import Content
from tfvae.report.drawing.inline_images import img
from tfvae.report.drawing.inline_images import tile
from tfvae.report.latents import latent_pictures
from tfvae.report.latents.inpainting import IMPUTATIONS
from tfvae.report.page import figure
from tfvae.report.page import Section
from tfvae.report.page import section

_TRAVERSED = 7  # Dimensions.
_MASKS = {'mcar': 'Random half of the pixels', 'lower_half': 'Lower half'}


def reconstructions(content: Content) -> Section:
  """Returns originals, each above its reconstruction."""
  images = latent_pictures.reconstructions(content.walk)
  return section(
      'reconstructions', 'Reconstructions', 'Reconstructions',
      f'Test {content.noun}s, each above its reconstruction E[x|z], with z at '
      'the posterior mean.',
      figure(images, f'{images.shape[1] * len(images) // 2} {content.noun}s, '
             'each above its reconstruction.', group=2), css='half')


def inpaintings(content: Content) -> Section | None:
  """Returns images with hidden pixels, and imputations of these."""
  parts = content.inpaintings
  if not parts:
    return None
  figures = ''.join(
      f'<figure class="card"><h3>{html.escape(_MASKS.get(name, name))}</h3>'
      + img(tile(part.rows), f'{part.rows.shape[1]} {content.noun}s with '
            f'{part.hidden:.0%} of the pixels hidden, and imputations.')
      + '</figure>' for name, part in parts.items())
  return section(
      'inpainting', 'Inpainting', 'Inpainting',
      'From top to bottom: test images, what the model sees of them, with '
      'missing and hidden pixels gray, the mean of p(x|x_obs), and '
      f'{IMPUTATIONS} draws from it, by importance sampling from q. The draws '
      'of a row differ where the visible pixels leave the image open.',
      f'<div class="row">{figures}</div>')


def samples(content: Content) -> Section:
  """Returns samples of the model."""
  images = latent_pictures.samples(content.walk)
  lead = f'New {content.noun}s: E[x|z] with z ~ p(z).'
  if content.walk.y is not None:
    lead = (f'New {content.noun}s: E[x|z, y] with z from the prior, a column '
            'for each label y: ' + ', '.join(
                map(html.escape, content.names)) + '.')
  return section('samples', 'Samples', 'Samples', lead, figure(
      images, f'{images.shape[0] * images.shape[1]} samples of the model.'),
                 css='half')


def interpolations(content: Content) -> Section | None:
  """Returns interpolations between images."""
  examples = content.examples
  pairs = list(zip(examples[::2], examples[1::2], strict=False))
  if not pairs:
    return None
  images = latent_pictures.interpolations(content.walk, pairs)
  return section(
      'interpolations', 'Interpolations', 'Interpolations',
      f'From the {content.noun} on the left to the one on the right, in equal '
      'steps on the line between their posterior means.',
      figure(images, 'Interpolations between ' + '; '.join(
          f'{content.title_of(a)} and {content.title_of(b)}'
          for a, b in pairs) + '.'), css='half')


def traversals(content: Content) -> Section:
  """Returns traversals of the dimensions that vary most, one at a time."""
  walk = content.walk
  dimensions = walk.order[:_TRAVERSED]
  images = latent_pictures.traversals(walk, content.first_image, dimensions)
  rows = ''.join(
      f'<span>{html.escape(walk.top)}<sub>{dimension}</sub></span>'
      + img(tile(row[np.newaxis]), f'Decodings as dimension {dimension} of '
            f'{walk.top} goes from −3 to 3')
      for dimension, row in zip(dimensions, images, strict=True))
  return section(
      'traversals', 'Traversals', 'Latent traversals',
      traversal_lead(content, 'row'),
      f'<div class="card"><div class="traversal">{rows}<span></span>'
      '<span class="ends"><span>−3</span><span>0</span><span>3</span></span>'
      '</div></div>', css='half')


def traversal_lead(content: Content, one: str) -> str:
  """Returns the text above traversals, each of which is one row or table."""
  walk = content.walk
  active = content.is_active[walk.top]
  below = '' if len(walk.means) == 1 else (
      ' The latents below are at the means of their priors given those above.')
  return (f'Start: {html.escape(content.first_image.title)}. In each {one} one '
          f'dimension of {html.escape(walk.top)} goes from −3 to 3, and the '
          'others are constant. The dimensions that vary most between '
          f'{content.noun}s come first; '
          f'{active.sum()} of {len(active)} are active.{below}')


def manifold(content: Content) -> Section | None:
  """Returns decodings over the plane of a latent of two dimensions."""
  if content.walk.top_means.shape[1] != 2:
    return None
  images = latent_pictures.manifold(content.walk, content.first_image)
  return section(
      'manifold', 'Manifold', 'The manifold',
      'E[x|z] over the plane of z, in steps of equal probability along each of '
      'its two dimensions.',
      figure(images, 'Decodings on a grid over the two dimensions of z.',
             css='wide'))
