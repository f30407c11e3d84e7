"""Draws by row: of the right distribution, in whatever batch they are."""

import functools

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests import model_matrix
from tfvae import layers
from tfvae import priors
from tfvae.inference.row_draws import RowSeededSample
from tfvae.layers.posteriors.multivariate_normal_diag import NormalDiag
from tfvae.tables import Column

tfd = tfp.distributions

_ROWS, _SIZE, _SHAPE = 64, 3, (2, 2, 1)


def _params(size):
  return np.random.default_rng(0).normal(size=[_ROWS, size]).astype(np.float32)


def _randomize(layer):
  rng = np.random.default_rng(0)
  layer.set_weights(
      [rng.normal(0, 0.5, size=w.shape) for w in layer.get_weights()])


def _likelihood(name, components=2):
  layer = layers.LIKELIHOODS.make(
      name, _SHAPE, settings={'likelihood_components': components})
  params = _params(layer.params_size(_SHAPE, **layer.settings))
  return lambda rows: layer.distribution(tf.gather(params, rows))


def _columns():
  layer = layers.IndependentColumns(columns=[
      Column('a', 'real'), Column('b', 'count'),
      Column('c', 'binary', categories=(0, 1)), Column('d', 'positive'),
      Column('e', 'categorical', categories=(1, 2)),
      Column('f', 'ordinal', categories=(1, 2, 3))])
  params = _params(layer.params_size(layer.event_shape, **layer.settings))
  return lambda rows: layer.distribution(tf.gather(params, rows))


def _flow(base):
  layer = layers.InverseAutoregressiveFlow(_SIZE, base)
  _randomize(layer)
  params = _params(layer.params_size(_SIZE, **layer.settings))
  return lambda rows: layer.distribution(tf.gather(params, rows))


def _spline():
  layer = layers.NeuralSplineFlow(_SIZE)
  _randomize(layer)
  params = _params(layer.params_size(_SIZE, **layer.settings))
  return lambda rows: layer.distribution(tf.gather(params, rows))


def _mixture():
  layer = layers.MultivariateNormalDiagMixture(_SIZE)
  params = _params(layer.params_size(_SIZE, **layer.settings))
  return lambda rows: layer.distribution(tf.gather(params, rows))


def _normal(make):
  loc, scale = _params(_SIZE), np.exp(_params(2 * _SIZE)[:, _SIZE:])
  return lambda rows: make(tf.gather(loc, rows), tf.gather(scale, rows))


def _full(loc, scale):
  return tfd.MultivariateNormalTriL(loc, np.tri(_SIZE) * scale[:, np.newaxis])


def _prior(make):
  tf_keras.utils.set_random_seed(0)
  prior = make(_SIZE)
  _randomize(prior)
  return lambda rows: prior.distribution()


def _vamp():
  prior = priors.VampPrior(_SIZE, 4, [_SIZE])
  flow = layers.InverseAutoregressiveFlow(_SIZE)
  params = _params(flow.params_size(_SIZE, **flow.settings))[:4]
  prior.bind(lambda x: flow.distribution(params))
  return lambda rows: prior.distribution()


# From rows to their distribution, or to the one of all.
_CASES = {
    'normal_diag': lambda: _normal(NormalDiag),
    'normal_tril': lambda: _normal(_full),
    'iaf': lambda: _flow('normal_diag'),
    'iaf_tril': lambda: _flow('normal_tril'),
    'spline': _spline,
    'mixture_posterior': _mixture,
    'independent_normal': lambda: _normal(
        lambda loc, scale: tfd.Independent(tfd.Normal(loc, scale), 1)),
    'standard_normal': lambda: _prior(priors.StandardNormal),
    'learned_normal': lambda: _prior(priors.LearnedNormal),
    'mixture': lambda: _prior(
        lambda size: priors.GaussianMixture(size, 4)),
    'vamp': _vamp,
    'realnvp': lambda: _prior(priors.FlowPrior),
    'maf': lambda: _prior(lambda size: priors.FlowPrior(size, 'maf')),
    'spline_prior': lambda: _prior(priors.SplineFlowPrior),
    **{f'likelihood_{name}': functools.partial(_likelihood, name)
       for name in model_matrix.FACTORS['likelihood']},
    'columns': lambda: _columns(),
}


# Where a matrix product of the whole batch follows the noise, or it is
# multiplied by an exponential: TensorFlow computes those of whole vectors and
# those that are left over by two routines, which differ in the last bit.
_LAST_BIT = ('normal_tril', 'iaf', 'iaf_tril', 'realnvp', 'maf',
             'spline', 'spline_prior', 'mixture_posterior',
             'likelihood_normal_per_pixel')


def _seeds(n):
  return np.random.default_rng(1).integers(
      -2**31, 2**31, size=[n, 2]).astype(np.int32)


@functools.cache  # Two tests draw from each case.
def _sampler(case):
  """Returns a graph from rows and their seeds, of any number, to draws.

  Args:
    case: Name of a case.

  Returns:
    The graph, and the case's function from rows to their distribution.
  """
  distribution_of = _CASES[case]()

  @tf.function(input_signature=[tf.TensorSpec([None], tf.int32),
                                tf.TensorSpec([None, 2], tf.int32)])
  def draw(rows, seeds):
    return RowSeededSample(seeds)(distribution_of(rows))

  return draw, distribution_of


class RowSeededSampleTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters((name, name) for name in _CASES)
  def test_a_row_draws_the_same_in_every_batch(self, case):
    draw, _ = _sampler(case)
    rows, seeds = np.arange(_ROWS), _seeds(_ROWS)
    expected = draw(rows, seeds)
    self.assertAllEqual(draw(rows, seeds), expected)
    for subset in ([5], [63, 0, 5], np.random.default_rng(2).permutation(rows)):
      draws, whole = draw(rows[subset], seeds[subset]), expected.numpy()[subset]
      if case in _LAST_BIT:
        self.assertAllClose(draws, whole, rtol=1e-5, atol=1e-5)
      else:
        self.assertAllEqual(draws, whole)

  @parameterized.named_parameters((name, name) for name in _CASES)
  def test_draws_have_the_distribution(self, case):
    n, (draw, distribution_of) = 1000, _sampler(case)
    draws = draw(np.zeros(n, np.int32), _seeds(n))
    # TFP's sampler, with one seed for all.
    expected = distribution_of([0]).sample(n, seed=[1, 2])
    draws, expected = np.reshape(draws, [n, -1]), np.reshape(expected, [n, -1])
    for ours, theirs in zip(draws.T, expected.T, strict=True):
      self.assertGreater(stats.ks_2samp(ours, theirs).pvalue, 1e-4)
    # Correlations, zero or not, within 5 standard errors.
    self.assertAllClose(
        np.corrcoef(draws.T), np.corrcoef(expected.T), rtol=0,
        atol=5 * (2 / n)**0.5)
    # No row has to do with the next.
    for ours in draws.T:
      self.assertLess(abs(np.corrcoef(ours[1:], ours[:-1])[0, 1]), 5 / n**0.5)

  def test_distributions_in_turn_draw_noise_of_their_own(self):
    seeds = tf.constant([[0, i] for i in range(2000)])
    draw = RowSeededSample(seeds)
    zero = tf.zeros([1])
    normal = NormalDiag(zero, zero + 1)
    z = tf.function(lambda: tf.concat([draw(normal) for _ in range(3)], -1))()
    self.assertAllClose(
        np.corrcoef(z, rowvar=False), np.eye(3), atol=5 / 2000**0.5)


  @parameterized.named_parameters(
      (name, name) for name in ('normal_diag', 'iaf', 'mixture',
                                'mixture_posterior',
                                'likelihood_bernoulli', 'columns'))
  def test_a_draw_does_not_depend_on_their_number(self, case):
    _, distribution_of = _sampler(case)
    rows, seeds = np.arange(5), _seeds(5)
    of_rows = RowSeededSample(seeds)
    draws = {n: of_rows.draws(n, first)(distribution_of(rows)).numpy()
             for n, first in ((None, 0), (1, 0), (4, 0), (2, 2))}
    shape = distribution_of(rows).event_shape
    self.assertEqual(draws[4].shape, (4, 5, *shape))
    self.assertAllClose(draws[None], draws[4][0], rtol=1e-5, atol=1e-5)
    self.assertAllClose(draws[1], draws[4][:1], rtol=1e-5, atol=1e-5)
    self.assertAllClose(draws[2], draws[4][2:], rtol=1e-5, atol=1e-5)
    self.assertNotAllClose(draws[4][1], draws[4][0])

  def test_draws_given_drawn_parents(self):
    """z2|z1 ~ N(z1, I) has a batch of draws; categories one by one."""
    seeds, zero = _seeds(2000), tf.zeros([2000, 1])
    draw = RowSeededSample(seeds, 3)
    first = draw(NormalDiag(zero, zero + 1))
    second = draw(NormalDiag(first, zero + 1)) - first
    self.assertAllClose(
        np.corrcoef(np.reshape([first, second], [6, 2000])), np.eye(6), rtol=0,
        atol=5 / 2000**0.5)
    logits = tf.tile(50. * tf.eye(4)[:3, tf.newaxis], [1, 7, 1])
    of_class = RowSeededSample(seeds[:7], 3)(
        tfd.OneHotCategorical(logits=logits))
    self.assertAllEqual(of_class, tf.sign(logits))

  def test_equal_under_xla(self):
    seeds = _seeds(9)

    def noise():
      return RowSeededSample(seeds, 2)(NormalDiag(
          tf.zeros([9, 5]), tf.ones([9, 5])))

    self.assertAllClose(
        tf.function(noise, jit_compile=True)(), noise(), rtol=1e-5, atol=1e-6)


if __name__ == '__main__':
  tf.test.main()
