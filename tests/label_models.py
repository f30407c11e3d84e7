"""Models that infer a label, and their densities in float64 NumPy.

x has three binary pixels, y three classes and z one dimension; each factor is
linear in its parents. Integrals over z are Gauss-Hermite sums.
"""

import numpy as np
from scipy import special
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae import layers
from tfvae import models
from tfvae.graph import GraphicalModel

tfd = tfp.distributions

SIZE, CLASSES, NODES = 3, 3, 24

GRAPHS = {name: GraphicalModel.parse('z:1', *text) for name, text in {
    'label_first': ('y|x; z|x,y', 'z; y; x|z,y'),
    'latent_first': ('z|x; y|x,z', 'z; y; x|z,y'),
    'label_from_latent': ('y|x; z|x,y', 'z; y|z; x|z,y'),
    'latent_from_label': ('y|x; z|x', 'y; z|y; x|z'),
    'label_as_leaf': ('z|x; y|z', 'z; y|z; x|z'),
    'clusters': ('z|x; y|z', 'y; z|y; x|z'),
}.items()}
EVERY_GRAPH = [(name, name) for name in GRAPHS]

_POINTS, _WEIGHTS = np.polynomial.hermite.hermgauss(NODES)
# E[f(z)], z ~ N(μ, σ²), is Σ_k WEIGHTS_k f(μ + σ POINTS_k).
POINTS, WEIGHTS = np.sqrt(2) * _POINTS, _WEIGHTS / np.sqrt(np.pi)

# Every x, `[8, 3]`.
EVERY_X = np.float32(np.indices([2] * SIZE).reshape(SIZE, -1).T)


class Quadrature:
  """A draw that returns the points of the integrals over z."""

  def __call__(self, q):
    if isinstance(q, tfd.VectorDeterministic):
      z = q.loc
      return tf.broadcast_to(z, [NODES, *z.shape]) if z.shape.rank == 2 else z
    points = tf.constant(POINTS[:, np.newaxis, np.newaxis], tf.float32)
    return q.mean() + q.stddev() * points


def label_vae(name, seed=0):
  """Returns a model with linear factors of random weights."""
  tf_keras.utils.set_random_seed(seed)
  graph = GRAPHS[name]
  size = models.decoder_input_size(graph, CLASSES)
  model = models.GraphVAE(
      graph, tf_keras.Sequential([tf_keras.layers.Flatten(input_shape=[SIZE])]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(SIZE, input_shape=[size]),
          layers.IndependentBernoulli([SIZE])]),
      num_classes=CLASSES, factor_units=())
  rng = np.random.default_rng(seed)
  for weight in model.trainable_variables:
    weight.assign(rng.normal(0, 0.5, size=weight.shape))
  return model


class Reference:
  """The densities of a `label_vae` in float64.

  Values are arrays `[classes, nodes, n, size]` or broadcast to that.
  """

  def __init__(self, model):
    self.graph = model.graph
    self._weights = {
        ('inference', name): _weights(factor.network[-1])
        for name, factor in model.inference_factors.items()}
    self._weights |= {
        ('generative', name): _weights(prior.network[-1])
        for name, prior in model.priors.items()
        if isinstance(prior, models.Factor)}
    self._weights['generative', 'x'] = _weights(model.decoder.layers[0])
    if not self.graph.parents('generative', 'y'):
      self._logits = np.float64(model.priors['y'].logits)

  def _params(self, side, name, values):
    kernel, bias = self._weights[side, name]
    total, start = bias, 0
    for parent in self.graph.parents(side, name):
      end = start + values[parent].shape[-1]
      total = total + values[parent] @ kernel[start:end]
      start = end
    return total

  def log_prob(self, side, name, values):
    """Returns the log-density of a factor at the values, without its size."""
    if side == 'generative' and not self.graph.parents(side, name):
      if name == 'y':
        return np.sum(values['y'] * special.log_softmax(self._logits), -1)
      return -0.5 * (np.log(2 * np.pi) + values[name][..., 0]**2)
    params = self._params(side, name, values)
    if name == 'y':
      return np.sum(values['y'] * special.log_softmax(params, -1), -1)
    if name == 'x':
      return np.sum(values['x'] * params - np.logaddexp(0, params), -1)
    loc, log_variance = np.split(params, 2, -1)
    return -0.5 * np.sum(np.log(2 * np.pi) + log_variance + (
        values[name] - loc)**2 / np.exp(log_variance), -1)

  def terms(self, x):
    """Returns log-densities at the nodes of z, `[classes, nodes, n]`.

    Returns:
      The values of log p(x, y, z), log q(z|x, y), log q(y|x, z) and
      log p(x|z, y) of each class, where the nodes are those of q(z|x, y).
    """
    values = {'x': np.float64(x)[np.newaxis, np.newaxis],
              'y': np.eye(CLASSES)[:, np.newaxis, np.newaxis]}
    loc, log_variance = np.split(self._params('inference', 'z', values), 2, -1)
    values['z'] = loc + np.exp(
        0.5 * log_variance) * POINTS[:, np.newaxis, np.newaxis]
    log_p = sum(self.log_prob('generative', name, values) for name in 'xyz')
    shape = [CLASSES, NODES, len(x)]
    return [np.broadcast_to(part, shape) for part in (
        log_p, self.log_prob('inference', 'z', values),
        self.log_prob('inference', 'y', values),
        self.log_prob('generative', 'x', values))]

  def joint(self, x):
    """Returns log p(x, y) of each class, `[classes, n]`, on a grid of z."""
    z, step = np.linspace(-9, 9, 2001, retstep=True)
    values = {'x': np.float64(x)[np.newaxis, np.newaxis],
              'y': np.eye(CLASSES)[:, np.newaxis, np.newaxis],
              'z': z[:, np.newaxis, np.newaxis]}
    return special.logsumexp(sum(
        self.log_prob('generative', name, values) for name in 'xyz'),
                             axis=1, b=step)

  def elbo(self, x, y):
    """Returns the ELBO of given (one-hot) and missing (zeros) labels, `[n]`."""
    return self._mean(x, y, lambda log_p, log_q, log_q_y, _: (
        log_p - log_q - log_q_y))

  def reconstruction(self, x, y):
    """Returns E_q[log p(x|z, y)], `[n]`."""
    return self._mean(x, y, lambda log_p, log_q, log_q_y, log_x: log_x)

  def _mean(self, x, y, function):
    log_p, log_q, log_q_y, log_x = self.terms(x)
    is_given = y.sum(1) > 0
    log_q_y = np.where(is_given, 0, log_q_y)
    own = np.moveaxis(y, 1, 0)[:, np.newaxis]
    weights = np.where(is_given, own, np.exp(log_q_y))
    return np.einsum('k,ckn->n', WEIGHTS, weights * function(
        log_p, log_q, log_q_y, log_x))


def _weights(layer):
  return [np.float64(weight) for weight in layer.get_weights()]

