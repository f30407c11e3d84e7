"""Mutual information between latents and factors, from posterior draws."""

from collections.abc import Mapping
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.evaluation.factors.factor_prediction import checked_factors
from tfvae.evaluation.factors.factor_prediction import normalized_gap
from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import examples
from tfvae.graph import GraphicalModel
from tfvae.layers import SeededSample
from tfvae.models import LatentVariableModel

tfd = tfp.distributions


def sampled_mutual_information_gap(
    model: LatentVariableModel,
    dataset: Any,
    factors: np.ndarray,
    num_draws: int = 2000,
    chunk_size: int = 50,
    seed: int = 0,
    jit_compile: bool = False,
    verbose: bool = False,
) -> float:
  """Returns the mutual information gap of draws of q(z|x).

    MIG = mean_k (I(z_(1); v_k) − I(z_(2); v_k)) / H(v_k),
    I(z_j; v_k) = H(z_j) − H(z_j|v_k) = E[log q(z_j|v_k) − log q(z_j)],

  with z ~ q(z|x), q(z_j) = (1/N) Σ_n q(z_j|x_n) over all examples and q(z_j|v)
  the same mean over the examples with v_k = v; Chen et al., Isolating Sources
  of Disentanglement in VAEs, 2018, appendix C. The score of a dimension whose
  posterior is close to the prior is close to 0, while `mutual_information_gap`
  of posterior means ignores the posterior's noise. No bins are needed.

  It takes one pass through the encoder, then min(N, num_draws) · N densities
  for each dimension. The memory holds μ, σ and z of every example, and at most
  ten arrays of chunk_size · N numbers.

  Args:
    model: Trained model. Each latent is diagonal Gaussian given x (and y), with
      no latents among its parents in q, so that q(z_j|x) is a normal density.
    dataset: Batches as `fit` takes them, or arrays, of N examples; see
      `examples.as_dataset`.
    factors: Integer array `[N, f]`, the factors of the examples in that order;
      at least two factors, each with two values or more.
    num_draws: Number of evenly spaced examples with a draw each, at least 1.
    chunk_size: Draws at which all posteriors are evaluated at a time, at least
      1.
    seed: Seed of the draws.
    jit_compile: Whether to compile the encoder with XLA.
    verbose: Whether to show progress.

  Returns:
    MIG over the dimensions of all latents together, from 0 to 1; the
    information and the entropy that it is normalized by are in nats.

  Raises:
    ValueError: If a posterior is of another kind, the factors are unsuitable,
      or a number is below 1.
  """
  if num_draws < 1 or chunk_size < 1:
    raise ValueError('`num_draws` and `chunk_size` must be at least 1. '
                     'Received: '
                     f'num_draws={num_draws}, chunk_size={chunk_size}')
  factors = checked_factors(factors)
  draw = compiled(model, _draw, jit_compile=jit_compile)
  batches = [
      np.array(draw(inputs, tf.constant([seed, index])))
      for index, inputs in examples(model, dataset, 'Posteriors', verbose)]
  loc, scale, z = np.float64(np.concatenate(batches, axis=1))
  if len(loc) != len(factors):
    raise ValueError(
        '`factors` must have a row for each example of the data set. Received: '
        f'factors.shape={factors.shape}, {len(loc)} examples')
  rows = np.linspace(0, len(z) - 1, min(len(z), num_draws)).astype(int)
  return normalized_gap(
      sampled_information(loc, scale, z, factors, rows, chunk_size), factors)


def sampled_information(
    loc: np.ndarray, scale: np.ndarray, z: np.ndarray, factors: np.ndarray,
    rows: np.ndarray, chunk_size: int = 50) -> np.ndarray:
  """Returns estimates of I(z_j; v_k), float64 `[d, f]`, in nats.

  Args:
    loc: Means of q(z_j|x_n), float64 `[N, d]`.
    scale: Their standard deviations, `[N, d]`.
    z: Draw of each posterior, `[N, d]`.
    factors: Factors v_k of the examples, int `[N, f]`.
    rows: Examples whose draws are averaged, int `[m]`.
    chunk_size: Draws at a time.
  """
  counts = np.stack([np.bincount(codes)[codes] for codes in (
      np.unique(v, return_inverse=True)[1] for v in factors.T)])  # [f, N]
  total = np.zeros([loc.shape[1], factors.shape[1]])
  for chunk in np.array_split(rows, math.ceil(len(rows) / chunk_size)):
    same = [v[chunk, np.newaxis] == v for v in factors.T]  # f times [c, N]
    for j, (mean, deviation) in enumerate(zip(loc.T, scale.T, strict=True)):
      # log q(z_j|x_n) + ½ log 2π; the constant cancels.
      log_q = -0.5 * ((z[chunk, j, np.newaxis] - mean) / deviation)**2
      log_q -= np.log(deviation)
      q = np.exp(log_q - log_q.max(axis=1, keepdims=True))
      log_marginal = np.log(q.mean(axis=1))
      for k, mask in enumerate(same):
        log_conditional = np.log(
            np.sum(q, axis=1, where=mask) / counts[k, chunk])
        total[j, k] += np.sum(log_conditional - log_marginal)
  return total / len(rows)


def has_density_by_dimension(kinds: Mapping[str, type],
                             graph: GraphicalModel) -> bool:
  """Returns whether q(z_d|x) of every dimension is a normal density.

  Args:
    kinds: Class of each latent's posterior distribution, by name.
    graph: Graphical model.
  """
  latents = set(graph.latent_names)
  return all(issubclass(kind, tfd.MultivariateNormalDiag)
             for kind in kinds.values()) and not any(
                 latents & set(factor.parents) for factor in graph.inference)


def _draw(model: LatentVariableModel, inputs: Any,
          seed: tf.Tensor) -> tf.Tensor:
  """Returns μ, σ and a draw of all latents together, `[3, b, d]`."""
  inference = model.infer(inputs, SeededSample(seed, 1))
  for name, q in inference.posteriors.items():
    if (not isinstance(q, tfd.MultivariateNormalDiag)
        or q.batch_shape.rank != 1):
      raise ValueError(
          'The mutual information of draws needs latents that are diagonal '
          'Gaussian given x alone; for others use `mutual_information_gap` of '
          f'posterior means. Received: a posterior of {name!r}, {q}')
  return tf.concat([
      tf.stack([q.mean(), q.stddev(), inference.latents[name][0]])
      for name, q in inference.posteriors.items()], axis=-1)
