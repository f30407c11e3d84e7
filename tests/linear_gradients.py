"""Gradients of `LinearModel`s: closed forms, and estimates by objectives."""

import copy

import numpy as np
import tensorflow as tf

from tests.linear_graphs import copies
from tests.linear_graphs import Gaussian
from tfvae import models


def parts(linear):
  """Returns side, name and layer of the factors with weights, p's first."""
  sides = (linear.model.priors | {'x': linear.model.decoder},
           linear.model.inference_factors)
  return [
      (side, name, factor.network[-1] if name != 'x' else factor.layers[0])
      for side, factors in enumerate(sides) for name, factor in factors.items()
      if name == 'x' or isinstance(factor, models.Factor)]


def closed_form(linear, value, step=1e-4):
  """Returns d value(linear) / d weights in float64, and whether they are q's.

  The weights are the kernel of the mean, the bias and log σ² of each factor, in
  one vector. Differences of order 4, ±step and ±2 step.
  """
  slopes, is_q = [], []
  for side, name, _ in parts(linear):
    for part, array in enumerate(linear.weights[side][name]):
      if name == 'x' and part == 2:
        continue  # p(x|z) has a fixed scale.
      for index in np.ndindex(array.shape):
        near, far = (
            value(_moved(linear, side, name, part, index, n * step))
            - value(_moved(linear, side, name, part, index, -n * step))
            for n in (1, 2))
        slopes.append((8 * near - far) / (12 * step))
        is_q.append(side == 1)
  return np.array(slopes), np.array(is_q)


def _moved(linear, side, name, part, index, change):
  """Returns a copy, without networks, of which one weight is moved."""
  moved = copy.copy(linear)
  moved.weights = tuple(dict(factors) for factors in linear.weights)
  factor = [np.array(array) for array in moved.weights[side][name]]
  factor[part][index] = (factor[part][index] * np.exp(change) if part == 2
                         else factor[part][index] + change)
  moved.weights[side][name] = tuple(factor)
  known = ['y'] * linear.graph.is_conditional
  moved.p = Gaussian(linear.graph.generative, moved.weights[0], known)
  moved.q = Gaussian(linear.graph.inference, moved.weights[1], ['x', *known])
  return moved


def estimates(linear, data, objective, count, repeats, kl_factor=1.0):
  """Returns `count` gradients of −objective, means over repeated data, float64.

  They are in the order of `closed_form`.
  """
  data = copies(data, repeats)
  layers = [layer for *_, layer in parts(linear)]

  @tf.function
  def gradients(seed):
    with tf.GradientTape() as tape:
      values = objective(linear.model, linear.inputs(data), data['x'], seed,
                         kl_factor, True)
      mean = -tf.reduce_mean(values['objective'])
    flat = []
    for layer, (kernel, bias) in zip(layers, tape.gradient(
        mean, [(layer.kernel, layer.bias) for layer in layers]), strict=True):
      # Rows of log σ² follow those of the mean.
      size = kernel.shape[1] if layer is linear.model.decoder.layers[0] else (
          kernel.shape[1] // 2)
      flat += [tf.reshape(kernel[:, :size], [-1]), bias]
    return tf.concat(flat, axis=0)

  return np.float64([gradients(tf.constant([5, i])) for i in range(count)])


def scores(values, expected=0.0):
  """Returns the mean's deviation from what is expected, in standard errors.

  Along one direction fixed beforehand, and for each coordinate.

  Args:
    values: Independent estimates, `[count, n]`.
    expected: Expected mean, `[n]`.
  """
  rng = np.random.default_rng(0)
  along = values @ rng.normal(size=values.shape[1])
  center = np.broadcast_to(expected, values.shape[1:]) @ (
      np.random.default_rng(0).normal(size=values.shape[1]))
  count = len(values)**0.5
  floor = 1e-6 * np.abs(values).max()  # Float32, where both are constant.
  return ((along.mean() - center) / (along.std(ddof=1) / count),
          (values.mean(axis=0) - expected) / (
              values.std(axis=0, ddof=1) / count + floor))
