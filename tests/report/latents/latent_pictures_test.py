"""Pictures of the latent space, against linear models worked out in NumPy."""

import itertools
import warnings

from absl.testing import parameterized
from matplotlib import path as matplotlib_path
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from tests.linear_gaussian import LinearGaussian
import tfvae
from tfvae import models
from tfvae.graph import GraphicalModel
from tfvae.report.drawing import inline_images
from tfvae.report.latents import explorer
from tfvae.report.latents import latent_map
from tfvae.report.latents import latent_pictures
from tfvae.report.latents import latent_walk
from tfvae.report.sections import elbo_parts

_IMAGE = (2, 3, 1)


class LinearImages:
  """E[x|z] = Wz + b, E[z|x] = Vx + c, with values that stay in [0, 1]."""

  def __init__(self, size=4, prior=None, channels=1):
    rng = np.random.default_rng(0)
    self.shape = (*_IMAGE[:2], channels)
    pixels = int(np.prod(self.shape))
    self.w = 0.03 * rng.uniform(-1, 1, [size, pixels]) / size
    self.b = rng.uniform(0.4, 0.6, pixels)
    # Dimension d varies as (d + 1) with the datum.
    self.v = rng.normal(size=[pixels, size]) * (1 + np.arange(size))
    self.c = rng.normal(size=size)
    layers = tf_keras.layers
    encoder = tf_keras.Sequential([
        layers.Flatten(input_shape=self.shape), layers.Dense(2 * size),
        tfvae.layers.MultivariateNormalDiag(
            size, activity_regularizer=tfvae.KLDivergenceRegularizer(
                prior or tfvae.priors.StandardNormal(size)))])
    decoder = tf_keras.Sequential([
        layers.Dense(pixels, input_shape=[size]),
        tfvae.layers.IndependentNormal(self.shape, 0.1)])
    encoder.set_weights([np.hstack([self.v, 0 * self.v]),
                         np.hstack([self.c, 0 * self.c])]
                        + encoder.get_weights()[2:])
    decoder.set_weights([self.w, self.b])
    self.model = tfvae.VAE(encoder, decoder)

  def images(self, n=20):
    return np.random.default_rng(1).random((n, *self.shape)).astype(np.float32)

  def mean(self, x):
    return np.float64(x).reshape(len(x), -1) @ self.v + self.c

  def decode(self, z):
    return (z @ self.w + self.b).reshape(*z.shape[:-1], *self.shape)


class LatentPicturesTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1, 5)
  def test_map_of_means_that_do_not_vary(self, n):
    linear = LinearImages()
    x = np.repeat(linear.images(1), n, axis=0)
    with warnings.catch_warnings():
      warnings.simplefilter('error', RuntimeWarning)
      plane = latent_map.latent_map(latent_walk.LatentWalk(linear.model, x))
    self.assertAllEqual(plane.points, np.zeros([n, 2]))
    self.assertAllClose(plane.center, linear.mean(x)[0], rtol=1e-5)
    # The prior N(0, I) in the plane of the first two dimensions.
    self.assertAllClose(np.mean(plane.contours[0.9][0][:-1], axis=0),
                        -linear.mean(x)[0, :2], atol=1e-4)

  def test_dimensions_are_ordered_by_the_variance_of_the_mean(self):
    linear = LinearImages()
    walk = latent_walk.LatentWalk(linear.model, linear.images())
    self.assertAllClose(walk.top_means, linear.mean(walk.x), rtol=1e-5)
    expected = np.argsort(-linear.mean(walk.x).var(0))
    self.assertAllEqual(walk.order, expected)

  def test_reconstructions_stand_below_their_images(self):
    linear = LinearImages()
    x = linear.images(23)
    rows = latent_pictures.reconstructions(
        latent_walk.LatentWalk(linear.model, x), columns=10, pairs=3)
    self.assertEqual(rows.shape, (4, 10, *_IMAGE))
    self.assertAllEqual(rows[[0, 2]].reshape(20, *_IMAGE), x[:20])
    self.assertAllClose(rows[[1, 3]].reshape(20, *_IMAGE),
                        linear.decode(linear.mean(x[:20])), atol=1e-5)

  def test_interpolations_go_from_mean_to_mean(self):
    linear = LinearImages()
    x = linear.images()
    rows = latent_pictures.interpolations(
        latent_walk.LatentWalk(linear.model, x), [(3, 5), (0, 1)], steps=5)
    self.assertEqual(rows.shape, (2, 7, *_IMAGE))
    for row, (a, b) in zip(rows, [(3, 5), (0, 1)], strict=True):
      self.assertAllEqual(row[[0, -1]], x[[a, b]])
      start, end = linear.mean(x[[a, b]])
      for step in range(5):
        z = start + step / 4 * (end - start)
        self.assertAllClose(row[step + 1], linear.decode(z), atol=1e-5)

  def test_traversals_move_one_dimension(self):
    linear = LinearImages()
    walk = latent_walk.LatentWalk(linear.model, linear.images())
    rows = latent_pictures.traversals(
        walk, walk.base_of_image(7, ''), [2, 0], steps=7)
    for row, dimension in zip(rows, [2, 0], strict=True):
      for image, value in zip(row, range(-3, 4), strict=True):
        z = linear.mean(walk.x[7:8])[0]
        z[dimension] = value
        self.assertAllClose(image, linear.decode(z), atol=1e-5)

  def test_manifold_is_spaced_by_the_quantiles_of_the_prior(self):
    prior = tfvae.priors.LearnedNormal(2)
    prior.loc.assign([0.5, -1.0])
    linear = LinearImages(2, prior)
    walk = latent_walk.LatentWalk(linear.model, linear.images())
    rows = latent_pictures.manifold(walk, walk.base_of_prior(''), steps=4)
    quantiles = stats.norm.ppf([1 / 8, 3 / 8, 5 / 8, 7 / 8])
    for row, column in itertools.product(range(4), range(4)):
      z = np.array([0.5 + quantiles[column], -1.0 + quantiles[3 - row]])
      self.assertAllClose(rows[row, column], linear.decode(z), atol=1e-5)

  def test_manifold_of_any_prior_has_the_quantiles_of_its_draws(self):
    prior = tfvae.priors.GaussianMixture(2, 2)
    prior.loc.assign([[-2., 0.], [2., 0.]])
    linear = LinearImages(2, prior)
    walk = latent_walk.LatentWalk(linear.model, linear.images())
    rows = latent_pictures.manifold(walk, walk.base_of_prior(''), steps=2)
    # The quartiles of z_0 lie at the modes, of z_1 at ±0.674 · √0.5.
    z = np.array([[-2, 2], [0.477, -0.477]])
    for row, column in itertools.product(range(2), range(2)):
      expected = linear.decode(np.array([z[0, column], z[1, row]]))
      self.assertAllClose(rows[row, column], expected, atol=2e-3)

  def test_lower_latents_are_at_their_conditional_means(self):
    graph = GraphicalModel.parse(
        'z1:5,z2:3', 'z1|x; z2|z1', 'z2; z1|z2; x|z1')
    model = models.image_vae(graph, _IMAGE, hidden_units=(6,))
    x = np.random.default_rng(0).random((4, *_IMAGE)).astype(np.float32)
    walk = latent_walk.LatentWalk(model, x)
    self.assertEqual(walk.top, 'z2')
    z2 = np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32)
    shown = walk.decode_from(walk.base_of_image(0, ''), z2)
    z1 = model.priors['z1'].distribution([tf.constant(z2)]).mean()
    expected = model.decoder(z1).mean()
    self.assertAllClose(shown, expected, rtol=1e-5)
    self.assertNotAllClose(shown[0], shown[1], rtol=1e-3)

  def test_a_second_root_stays_where_the_image_has_it(self):
    graph = GraphicalModel.parse('a:2,b:3', 'a|x; b|x', 'a; b; x|a,b')
    model = models.image_vae(graph, _IMAGE, hidden_units=(6,))
    x = np.random.default_rng(0).random((4, *_IMAGE)).astype(np.float32)
    walk = latent_walk.LatentWalk(model, x)
    z = np.zeros([1, 2], np.float32)
    shown = walk.decode_from(walk.base_of_image(2, ''), z)
    b = model.infer(x[2:3], lambda q: q.mean()).latents['b']
    self.assertAllClose(
        shown, model.decode({'a': tf.constant(z), 'b': b}).mean(), rtol=1e-5)

  def test_samples_of_a_conditional_model_are_a_column_a_label(self):
    graph = GraphicalModel.parse('z:2', 'z|x,y', 'z; x|z,y')
    model = models.image_vae(
        graph, _IMAGE, hidden_units=(6,), num_classes=3)
    weights = model.decoder.get_weights()
    weights[0][:2] = 0  # The decoder sees y alone.
    model.decoder.set_weights(weights)
    y = np.eye(3, dtype=np.float32)[[2, 0, 1, 1]]
    x = np.random.default_rng(0).random((4, *_IMAGE)).astype(np.float32)
    walk = latent_walk.LatentWalk(model, {'x': x, 'y': y})
    rows = latent_pictures.samples(walk, rows=2)
    self.assertEqual(rows.shape, (2, 3, *_IMAGE))
    expected = model.decoder(np.hstack([np.zeros([3, 2]), np.eye(3)])).mean()
    for row in rows:
      self.assertAllClose(row, expected, rtol=1e-5)
    base = walk.base_of_image(0, '')  # Its label is 2.
    self.assertAllClose(walk.decode_from(base, np.zeros([1, 2]))[0],
                        expected[2], rtol=1e-5)

  def test_counts_are_shown_on_their_scale(self):
    model = models.image_vae(2, _IMAGE, hidden_units=(4,), likelihood='poisson')
    x = np.random.default_rng(0).integers(10, size=(5, *_IMAGE))
    x = np.float32(x)
    walk = latent_walk.LatentWalk(model, x)
    self.assertAllClose(walk.x, x / x.max())
    self.assertAllClose(
        walk.decode(walk.means), np.clip(model(x).mean() / x.max(), 0, 1),
        rtol=1e-5)

  def test_of_two_channels_the_first_is_shown(self):
    linear = LinearImages(channels=2)
    x = linear.images()
    walk = latent_walk.LatentWalk(linear.model, x)
    self.assertAllEqual(walk.x, x[..., :1])
    self.assertAllClose(walk.decode(walk.means),
                        linear.decode(linear.mean(x))[..., :1], atol=1e-5)

  def test_first_of_each_label(self):
    labels = np.array([7, 7, 2, 7, 0, 2])
    self.assertEqual(latent_pictures.distinct(labels, 4), [0, 2, 4, 1])
    self.assertEqual(latent_pictures.distinct(None, 3), [0, 1, 2])


class ExplorerTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1, 2, 8)
  def test_every_frame_is_the_decoding_of_its_z(self, size):
    linear = LinearImages(size)
    x = linear.images()
    walk = latent_walk.LatentWalk(linear.model, x)
    made = explorer.explorer(walk, 'mean', [(4, 'four'), (2, 'two')])
    num_dimensions = min(size, 6)
    self.assertAllEqual(made.dimensions, walk.order[:num_dimensions])
    self.assertEqual(
        [frames.base.title for frames in made.bases], ['mean', 'four', 'two'])
    centers = np.vstack([np.zeros([1, size]), linear.mean(x[[4, 2]])])
    height, width, _ = _IMAGE
    for frames, center in zip(made.bases, centers, strict=True):
      steps = frames.values.shape[1]
      for slider, dimension in enumerate(made.dimensions):
        self.assertAllClose(frames.values[slider, frames.own[slider]],
                            center[dimension], rtol=1e-5)
        self.assertAllEqual(
            np.sort(frames.values[slider]), frames.values[slider])
      places = [(pair, *positions) for pair in made.pairs for positions in
                itertools.product(range(steps), repeat=len(pair))]
      tiles = frames.sprite.reshape(
          -1, height, steps, width, 1).swapaxes(1, 2).reshape(-1, *_IMAGE)
      self.assertLen(tiles, len(places))
      z = np.tile(center, [len(places), 1])
      for row, (pair, *positions) in zip(z, places, strict=True):
        for slider, position in zip(pair, positions, strict=True):
          row[made.dimensions[slider]] = frames.values[slider, position]
      self.assertAllClose(
          tiles, 255 * np.clip(linear.decode(z), 0, 1), rtol=0, atol=0.51)

  @parameterized.parameters(64, 784, 3072, 12288, 49152)
  def test_the_page_stays_small(self, pixels):
    dimensions, steps, bases = explorer._choose_size(pixels, 50)
    frames = bases * steps**2 * dimensions * (dimensions - 1) / 2
    self.assertLess(frames * pixels, 4.3e6)
    self.assertGreater(dimensions, 1)

  def test_base_of_a_prior_without_a_closed_form_mean(self):
    prior = tfvae.priors.GaussianMixture(2, 2)
    prior.loc.assign([[-1., 5.], [3., 5.]])
    linear = LinearImages(2, prior)
    walk = latent_walk.LatentWalk(linear.model, linear.images())
    mean = walk.base_of_prior('').roots['z']
    # Of 20,000 draws with a variance of 4 + 0.5 and of 0.5.
    error = np.sqrt(np.array([4.5, 0.5]) / 20000)
    self.assertAllLess(np.abs(mean - [1., 5.]) / error, 5.0)


class LatentMapTest(tf.test.TestCase):

  def test_plane_is_that_of_the_singular_vectors(self):
    linear = LinearImages(4)
    x = linear.images(200)
    plane = latent_map.latent_map(latent_walk.LatentWalk(linear.model, x))
    mean = linear.mean(x)
    centred = mean - mean.mean(0)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(np.sum(plane.axes * rows[:2], axis=1, keepdims=True))
    self.assertAllClose(plane.axes, signs * rows[:2], atol=1e-4)
    self.assertAllClose(plane.points, centred @ plane.axes.T, atol=1e-4)
    self.assertAllClose(plane.project(mean), plane.points, atol=1e-4)
    self.assertAllClose(plane.explained,
                        np.sum(singular[:2]**2) / np.sum(singular**2))

  def test_regions_of_a_normal_prior_are_ellipses(self):
    prior = tfvae.priors.LearnedNormal(3)
    prior.loc.assign([1., 2., 3.])
    prior.log_variance.assign(np.log([4., 1., 0.25]))
    linear = LinearImages(3, prior)
    plane = latent_map.latent_map(
        latent_walk.LatentWalk(linear.model, linear.images(200)))
    mean = plane.project(np.array([1., 2., 3.]))
    covariance = plane.axes @ np.diag([4., 1., 0.25]) @ plane.axes.T
    inverse = np.linalg.inv(covariance)
    square = lambda z: np.einsum('nd,de,ne->n', z - mean, inverse, z - mean)
    for level, (outline,) in plane.contours.items():
      radius = stats.chi2(2).ppf(level)
      self.assertAllClose(square(outline), np.full(len(outline), radius))
      self.assertAllClose(
          plane.inside[level], np.mean(square(plane.points) <= radius))

  def test_regions_of_any_prior_hold_their_probability(self):
    prior = tfvae.priors.GaussianMixture(2, 2)
    prior.loc.assign([[-3., 0.], [3., 0.]])
    linear = LinearImages(2, prior)
    walk = latent_walk.LatentWalk(linear.model, linear.images(200))
    plane = latent_map.latent_map(walk)
    rng = np.random.default_rng(0)
    draws = np.sqrt(0.5) * rng.normal(size=(20000, 2))
    draws[:, 0] += rng.choice([-3, 3], size=20000)
    for level, outlines in plane.contours.items():
      inside = lambda z, outlines=outlines: np.any(
          [matplotlib_path.Path(line).contains_points(z) for line in outlines],
          axis=0)
      # Both have 20,000 draws: 5 standard errors of the difference.
      error = np.sqrt(2 * level * (1 - level) / 20000)
      self.assertAllClose(np.mean(inside(draws)), level, atol=5 * error)
      self.assertAllClose(
          plane.inside[level], np.mean(inside(plane.points)), atol=0.03)
    self.assertLen(plane.contours[0.5], 2)  # The modes are apart.


class ElboPartsTest(tf.test.TestCase):

  def test_parts_are_the_closed_forms(self):
    linear = LinearGaussian(factor=0.8, shift=0.3)
    x = linear.draw(600)
    parts = elbo_parts.estimated_figures(linear.model, x)
    self.assertEqual(parts.num_images, 600)
    self.assertAllClose(parts.elbo, parts.reconstruction - parts.kl['z'])
    kl = linear.kl_per_dimension(x)
    self.assertAllClose(parts.kl['z'], kl.sum(1).mean(), rtol=1e-4)
    # Of a draw an image: s.d. of log p(x|z) within an image is below 3 nats.
    expected = np.mean(linear.elbo(x) + kl.sum(1))
    self.assertAllClose(
        parts.reconstruction, expected, atol=5 * 3 / np.sqrt(600))


class InlineImagesTest(tf.test.TestCase):

  def test_tiles_with_clear_gaps(self):
    images = np.random.default_rng(0).random((4, 2, 7, 3, 3))
    grid = inline_images.tile(images, group=2)
    self.assertEqual(grid.shape, (4 * 8 - 1 + 1, 2 * 4 - 1, 4))
    tops = [0, 8, 17, 25]
    opacity = np.zeros(grid.shape[:2])
    for row, column in itertools.product(range(4), range(2)):
      part = np.s_[tops[row]:tops[row] + 7, 4 * column:4 * column + 3]
      self.assertAllClose(grid[part][..., :3], 255 * images[row, column],
                          rtol=0, atol=0.51)
      opacity[part] = 255
    self.assertAllEqual(grid[..., 3], opacity)


if __name__ == '__main__':
  tf.test.main()
