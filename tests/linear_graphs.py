"""Linear Gaussian graphical models whose log p(x) is known in float64."""

import math

import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae import models
from tfvae.graph import GraphicalModel
from tfvae.layers import DistributionLayer

tfd = tfp.distributions

SIZE, CLASSES, SCALE = 3, 2, 0.6
KNOWN = {'x': SIZE, 'y': CLASSES}
IMAGE = (2, 2, 1)

GRAPHS = {name: GraphicalModel.parse(*text) for name, text in {
    'one_layer': ('z:2', 'z|x', 'z; x|z'),
    'bottom_up': ('z1:2,z2:2', 'z1|x; z2|z1', 'z2; z1|z2; x|z1'),
    'top_down': ('z1:2,z2:2', 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1'),
    'explaining_away': ('a:1,b:1', 'a|x; b|a,x', 'a; b; x|a,b'),
    'conditional': ('z:2', 'z|x,y', 'z; x|z,y'),
    'conditional_prior': ('z:2', 'z|x,y', 'z|y; x|z'),
    'label_below': ('a:1,b:1', 'b|x,y; a|b,y', 'a; b|a,y; x|b'),
}.items()}
EVERY_GRAPH = [(name, name) for name in GRAPHS]

# Three latents of different sizes, whose posteriors are not exact.
THREE_LATENTS = {name: GraphicalModel.parse(*text) for name, text in {
    'skip_connection': ('z1:3,z2:2,z3:1', 'z3|x; z2|z3,x; z1|z2,z3,x',
                        'z3; z2|z3; z1|z2,z3; x|z1,z3'),
    'three_bottom_up': ('z1:3,z2:1,z3:2', 'z1|x; z2|z1; z3|z2',
                        'z3; z2|z3; z1|z2; x|z1'),
    'three_conditional': ('z1:1,z2:3,z3:2', 'z3|x,y; z2|z3,x; z1|z2,y',
                          'z3|y; z2|z3,y; z1|z2; x|z1,z2,y'),
}.items()}

# Latents whose prior has a parent that descends from them in q, by hand.
LOG_RATIOS = {('bottom_up', 'z1'), ('label_below', 'b')}


class FixedNormal(DistributionLayer):
  """p(x|z) = N(x; μ, 0.6² I)."""

  def __init__(self):
    super().__init__(
        lambda loc: tfd.Independent(tfd.Normal(loc, SCALE), 1), 'mean')


class Gaussian:
  """Jointly normal variables given the known ones, in float64.

  Their means are `mean @ [1, known]`; `weights` holds the kernel, the bias and
  the variances of each factor.
  """

  def __init__(self, factors, weights, known):
    ends = np.cumsum([1, *(KNOWN[name] for name in known)])
    self.known = {name: slice(end - KNOWN[name], end)
                  for name, end in zip(known, ends[1:], strict=True)}
    self.mean, self.covariance = np.zeros([0, ends[-1]]), np.zeros([0, 0])
    self.rows = {}
    for factor in factors:
      self._add(factor, *weights[factor.variable])

  def _add(self, factor, kernel, bias, variance):
    """Appends v = kernelᵀ [parents] + bias + N(0, variance)."""
    n, size = len(self.mean), len(bias)
    slope, offset = np.zeros([n, size]), np.zeros([self.mean.shape[1], size])
    offset[0], start = bias, 0
    for parent in factor.parents:
      part, rows = ((offset, self.known[parent]) if parent in self.known
                    else (slope, self.rows[parent]))
      end = start + rows.stop - rows.start
      part[rows], start = kernel[start:end], end
    cross = slope.T @ self.covariance
    self.mean = np.vstack([self.mean, slope.T @ self.mean + offset.T])
    self.covariance = np.block([
        [self.covariance, cross.T],
        [cross, cross @ slope + np.diag(variance)]])
    self.rows[factor.variable] = slice(n, n + size)

  def moments(self, names, data):
    """Returns means `[b, n]` and the covariance `[n, n]` of variables."""
    rows = np.r_[tuple(self.rows[name] for name in names)]
    known = np.hstack([np.ones([len(data['x']), 1]),
                       *(data[name] for name in self.known)])
    return known @ self.mean[rows].T, self.covariance[rows][:, rows]

  def regress(self, factor):
    """Returns kernel and bias of E[v|parents], and the covariance of v."""
    v, parents = self.rows[factor.variable], np.r_[tuple(
        self.rows[p] for p in factor.parents if p not in self.known)]
    slope = np.linalg.solve(
        self.covariance[parents][:, parents], self.covariance[parents, v])
    offset = self.mean[v] - slope.T @ self.mean[parents]
    kernel = np.vstack([slope, *(
        offset[:, self.known[p]].T for p in factor.parents if p in self.known)])
    return (kernel, offset[:, 0],
            self.covariance[v, v] - slope.T @ self.covariance[parents, v])


class LinearModel:
  """A `GraphVAE` of linear factors, and its densities in float64.

  q is the exact posterior, with each factor in the family of the model, or has
  other kernels, biases and variances.
  """

  def __init__(self, name, is_exact=False):
    self.graph = graph = (GRAPHS | THREE_LATENTS)[name]
    self._rng = np.random.default_rng(0)
    # With three latents, q lacks more correlations. Importance weights have a
    # finite variance if the correlations are weaker and q is wider.
    self._slope, self._widths = (
        (1.0, (0.4, 1.6)) if name in GRAPHS else (0.6, (1.2, 1.8)))
    p = {factor.variable: self._random(factor, is_exact)
         for factor in graph.generative}
    is_conditional = ['y'] * graph.is_conditional
    self.p = Gaussian(graph.generative, p, is_conditional)
    q = {factor.variable: self._posterior(factor, is_exact)
         for factor in graph.inference}
    self.q = Gaussian(graph.inference, q, ['x', *is_conditional])
    self.weights = p, q
    self.model = linear_vae(graph)
    for factors, weights in ((self.model.priors, p),
                             (self.model.inference_factors, q)):
      for name, factor in factors.items():
        if isinstance(factor, models.Factor):
          kernel, bias, variance = weights[name]
          factor.network[-1].set_weights([
              np.hstack([kernel, np.zeros_like(kernel)]),
              np.hstack([bias, np.log(variance)])])
    self.model.decoder.set_weights(p['x'][:2])

  def _random(self, factor, is_decoupled):
    """Returns a factor of p, which is N(0, I) without parents."""
    sizes = dict(self.graph.latents) | KNOWN
    size = sizes[factor.variable]
    kernel = self._slope * self._rng.normal(
        size=[sum(sizes[parent] for parent in factor.parents), size])
    if not factor.parents:
      return kernel, np.zeros(size), np.ones(size)
    # Latents of two dimensions have a diagonal posterior if the columns are
    # orthogonal.
    if is_decoupled and sizes[factor.parents[0]] == 2:
      kernel[:2] = (np.diag([1.3, -0.6]) if size == 2 else
                    np.linalg.qr(kernel[:2].T)[0].T * [[1.5], [0.7]])
    variance = self._rng.uniform(0.3, 1.2, size=size)
    return kernel, self._rng.normal(size=size), (
        np.full(size, SCALE**2) if factor.variable == 'x' else variance)

  def _posterior(self, factor, is_exact):
    """Returns a factor of q."""
    kernel, bias, covariance = self.p.regress(factor)
    variance = np.diag(covariance)
    if is_exact:
      np.testing.assert_allclose(covariance, np.diag(variance), atol=1e-12)
      return kernel, bias, variance
    return (kernel + self._rng.normal(0, 0.1, size=kernel.shape),
            bias + self._rng.normal(0, 0.3, size=bias.shape),
            variance * self._rng.uniform(*self._widths, size=bias.shape))

  def data(self, n, seed=1):
    """Returns draws of p(x|y), in float32."""
    rng = np.random.default_rng(seed)
    data = {'x': np.zeros([n, SIZE], np.float32)}
    if self.graph.is_conditional:
      data['y'] = np.eye(CLASSES, dtype=np.float32)[np.arange(n) % CLASSES]
    mean, covariance = self.p.moments(['x'], data)
    noise = rng.multivariate_normal(np.zeros(SIZE), covariance, size=n)
    return data | {'x': np.float32(mean + noise)}

  def inputs(self, data):
    """Returns `data` in the form that the model takes."""
    return data if self.graph.is_conditional else data['x']

  def log_likelihood(self, data):
    """Returns log p(x|y) of each example."""
    mean, covariance = self.p.moments(['x'], data)
    return log_density(data['x'] - mean, covariance)

  def elbo(self, data):
    """Returns log p(x|y) − KL(q(z|x,y) ‖ p(z|x,y)), of full covariances."""
    names = self.graph.latent_names
    mean, covariance = self.p.moments([*names, 'x'], data)
    z, x = slice(0, -SIZE), slice(-SIZE, None)
    gain = np.linalg.solve(covariance[x, x], covariance[x, z])
    posterior = (mean[:, z] + (data['x'] - mean[:, x]) @ gain,
                 covariance[z, z] - covariance[z, x] @ gain)
    return self.log_likelihood(data) - normal_kl(
        *self.q.moments(names, data), *posterior)

  def kl_by_latent(self, data):
    """Returns E_q[log q_j − log p_j] = ½ Σ (log v_p / v_q − 1 + E_q[r²] / v_p).

    Here v are the variances of the factors and r = z_j − E_p[z_j|Pa_p].
    """
    (p, q), result = self.weights, {}
    for factor in self.graph.generative[:-1]:
      name = factor.variable
      kernel, bias, variance = p[name]
      mean, covariance = self.q.moments(
          [name, *(v for v in factor.parents if v not in KNOWN)], data)
      n = len(covariance) - len(bias)  # Dimensions of parent latents.
      slope = np.vstack([np.eye(len(bias)), -kernel[:n]])
      residual = mean @ slope - bias
      if 'y' in factor.parents:
        residual -= data['y'] @ kernel[n:]
      square = residual**2 + np.diag(slope.T @ covariance @ slope)
      result[name] = 0.5 * np.sum(
          np.log(variance / q[name][2]) - 1 + square / variance, axis=1)
    return result

  def terms(self, data, draw):
    """Returns log p(x, z) − log q(z|x) and log p(x|z) − Σ KL of each draw."""
    inputs = self.inputs(data)
    inference = self.model.infer(inputs, draw)
    reconstruction = self.model.log_likelihood(
        inference.latents, data['x'], inputs)
    return (np.float64(reconstruction + inference.log_ratio()),
            np.float64(reconstruction - sum(inference.kl.values())))


class Cubature:
  """Points at which the mean of a quadratic is its expectation under q.

  The points are μ ± √n σ_i e_i, with n the dimensions of all latents together.
  """

  def __init__(self, graph):
    n = sum(size for _, size in graph.latents)
    points = math.sqrt(n) * np.vstack([np.eye(n), -np.eye(n)])
    self._points = tf.constant(points[:, np.newaxis], tf.float32)

  def __call__(self, q):
    noise, self._points = tf.split(
        self._points, [q.event_shape[0], -1], axis=-1)
    return q.mean() + q.stddev() * noise


def log_density(residuals, covariance):
  return stats.multivariate_normal(
      np.zeros(len(covariance)), covariance).logpdf(residuals)


def normal_kl(q_mean, q_covariance, p_mean, p_covariance):
  """Returns ½ (tr P⁻¹Q + (μ_p − μ_q)ᵀ P⁻¹ (μ_p − μ_q) − n + log |P|/|Q|)."""
  precision, distance = np.linalg.inv(p_covariance), p_mean - q_mean
  return 0.5 * (
      np.trace(precision @ q_covariance)
      + np.einsum('bi,ij,bj->b', distance, precision, distance)
      - len(precision) - np.linalg.slogdet(precision @ q_covariance)[1])


def linear_vae(graph):
  tf_keras.utils.set_random_seed(0)
  num_classes = CLASSES if graph.is_conditional else None
  return models.GraphVAE(
      graph,
      tf_keras.Sequential([tf_keras.layers.Flatten(input_shape=[SIZE])]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(SIZE, input_shape=[
              models.decoder_input_size(graph, num_classes)]),
          FixedNormal()]),
      num_classes=num_classes, factor_units=())


def shrink(weights):
  """Shrinks weights, so that initial variances are of order one."""
  for weight in weights:
    weight.assign(0.2 * weight)


def copies(data, n):
  return {name: np.repeat(rows, n, axis=0) for name, rows in data.items()}
