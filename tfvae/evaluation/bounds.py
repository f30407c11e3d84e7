"""Bounds of log p(x) from draws of the posterior."""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.running import draws
from tfvae.evaluation.running.examples import observed_entries
from tfvae.evaluation.running.examples import weights_of
from tfvae.inference import ElboParts
from tfvae.models import LatentVariableModel


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A value for each example, in nats.

  Attributes:
    values: Values, float64 `[n]`.
    weights: Sample weights of the examples, `[n]`; None for equal weights.
  """

  values: np.ndarray
  weights: np.ndarray | None = None

  @property
  def mean(self) -> float:
    """The mean over the examples, Σ_i w_i v_i / Σ_i w_i."""
    return float(np.average(self.values, axis=0, weights=self.weights))

  @property
  def standard_error(self) -> float:
    """The standard error of the mean; NaN for a single example."""
    return float(standard_errors(self.values, self.weights))

  def replaced(self, values: np.ndarray) -> 'Estimate':
    """Returns other values of the same examples."""
    return dataclasses.replace(self, values=values)


def standard_errors(values: np.ndarray,
                    weights: np.ndarray | None = None) -> np.ndarray:
  """Returns the standard errors of means over the first axis.

    (n / (n − 1) · Σ_i (w_i / Σ_j w_j)² (v_i − v̄)²)^½,

  the linearized error of a weighted mean; Cochran, Sampling Techniques, 1977.
  With equal weights it is the standard deviation divided by √n.

  Args:
    values: Float array `[n, ...]`.
    weights: Sample weights `[n]`, or None for equal weights.

  Returns:
    An array `[...]`; NaN for a single example.
  """
  n = len(values)
  if n < 2:
    return np.full(values.shape[1:], np.nan)
  if weights is None:
    return np.std(values, axis=0, ddof=1) / math.sqrt(n)
  deviations = values - np.average(values, axis=0, weights=weights)
  return np.sqrt(n / (n - 1)) * np.linalg.norm(
      (deviations.T * (weights / np.sum(weights))).T, axis=0)


@dataclasses.dataclass(frozen=True)
class Elbo:
  """The ELBO and its parts: elbo = reconstruction − kl.

  Attributes:
    elbo: ELBO(x).
    reconstruction: E_q[log p(x|z)].
    kl: KL(q(z|x) ‖ p(z)), the sum over the latents.
    kl_by_latent: E_q[KL(q(z_j|Pa_q(z_j)) ‖ p(z_j|Pa_p(z_j)))] by name.
    entries: Number of observed elements of x; None where x is complete.
  """

  elbo: Estimate
  reconstruction: Estimate
  kl: Estimate
  kl_by_latent: Mapping[str, Estimate]
  entries: Estimate | None = None

  def to_dict(self) -> dict[str, Any]:
    """Returns means and standard errors; the KL also by latent, if several.

    Where values may be missing, 'elbo_per_entry' is Σ_i ELBO_i / Σ_i n_i with
    n_i the number of observed elements, and 'observed_entries' its mean.
    """
    block = with_errors({
        'elbo': self.elbo, 'reconstruction': self.reconstruction,
        'kl': self.kl})
    if len(self.kl_by_latent) > 1:
      block['kl_by_latent'] = with_errors(self.kl_by_latent)
    if self.entries is not None:
      ratio, error = per_entry(self.elbo, self.entries)
      block |= {'elbo_per_entry': ratio, 'elbo_per_entry_standard_error': error,
                'observed_entries': self.entries.mean}
    return block


def with_errors(estimates: Mapping[str, Estimate]) -> dict[str, float]:
  """Returns the mean of each estimate, and its standard error."""
  result = {}
  for name, estimate in estimates.items():
    result |= {name: estimate.mean,
               f'{name}_standard_error': estimate.standard_error}
  return result


def per_entry(nats: Estimate, entries: Estimate) -> tuple[float, float]:
  """Returns Σ_i nats_i / Σ_i n_i, and its standard error.

  The error is that of the mean of nats_i − R n_i, with R the ratio, divided by
  the mean of n_i; Cochran, Sampling Techniques, 1977.

  Args:
    nats: Nats of each example.
    entries: Number n_i of observed elements of each example.
  """
  count = entries.mean
  ratio = nats.mean / count if count else math.nan
  rest = nats.replaced(nats.values - ratio * entries.values)
  return ratio, rest.standard_error / count if count else math.nan


def elbo(
    model: LatentVariableModel,
    dataset: Any,
    num_samples: int = 1,
    chunk_size: int = 50,
    seed: int = 0,
    jit_compile: bool = False,
    verbose: bool = False,
) -> Elbo:
  """Estimates the evidence lower bound and its parts.

    ELBO(x) = E_q[log p(x|z)] − Σ_j E_q[KL_j] ≤ log p(x)

  with KL_j that of `Inference.kl`: in closed form where there is one, else the
  log-ratio log q_j − log p_j at the draws. Kingma and Welling, Auto-Encoding
  Variational Bayes, 2014. Where the graph infers the label, the bound is that
  on log p(x, y) of an example with y, and on log p(x) of one without.

  Args:
    model: Trained model.
    dataset: Batches as `fit` takes them, or arrays; see `examples.as_dataset`.
    num_samples: Draws of q(z|x) for each example, at least 1.
    chunk_size: Draws decoded at a time; see `importance_weighted_nll`.
    seed: Seed of the draws.
    jit_compile: Whether to compile with XLA, which is slower on a CPU.
    verbose: Whether to show progress.

  Returns:
    The ELBO and its parts for each example, in nats.

  Raises:
    ValueError: If `num_samples` or `chunk_size` is below 1.
  """
  _check(num_samples, chunk_size)
  sums = draws.reduce_over_draws(
      model, _elbo_parts, tf.reduce_sum, 0., dataset, num_samples, chunk_size,
      seed, jit_compile, 'ELBO' if verbose else None)
  weights = weights_of(dataset)
  means = tf.nest.map_structure(lambda total: total / num_samples, sums)
  return Elbo(
      *(Estimate(values, weights)
        for values in (means.elbo, means.reconstruction, means.kl)),
      {name: Estimate(kl, weights) for name, kl in means.kl_by_latent.items()},
      Estimate(np.float64(observed_entries(dataset)), weights)
      if model.allow_missing else None)


def importance_weighted_nll(
    model: LatentVariableModel,
    dataset: Any,
    num_samples: int,
    chunk_size: int = 50,
    seed: int = 0,
    jit_compile: bool = False,
    verbose: bool = False,
) -> Estimate:
  """Estimates −log p(x) with K importance samples of the posterior.

    −log p(x) ≤ −E[log (1/K) Σ_k w_k],  w_k = p(x|z_k) p(z_k) / q(z_k|x),

  with z_k ~ q(z|x). At K = 1 the bound is −ELBO(x), and it falls with K toward
  −log p(x); Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders,
  2016. The sum is a log-sum-exp in float64, in one compiled call for each batch
  whose memory does not grow with K. Where the graph infers the label, the bound
  is that on −log p(x, y) of an example with y; without y it is on −log p(x),
  and w_k = Σ_c p(x, c, z_kc) / q(z_kc|x, c) with a draw for each class c.

  Args:
    model: Trained model.
    dataset: Batches as `fit` takes them, or arrays; see
      `examples.as_dataset`. The batch size changes the draws, but not the
      expected value.
    num_samples: Number of importance samples K, at least 1.
    chunk_size: Draws decoded at a time for each example, at least 1. It
      determines the memory use; results agree up to float32 rounding. Draws are
      made in blocks of 50, so values above 50 have no effect.
    seed: Seed of the draws.
    jit_compile: Whether to compile with XLA, which is slower on a CPU.
    verbose: Whether to show progress.

  Returns:
    The bound of each example, in nats.

  Raises:
    ValueError: If `num_samples` or `chunk_size` is below 1.
  """
  _check(num_samples, chunk_size)
  total = draws.reduce_over_draws(  # log Σ_k w_k
      model, _log_weights, tf.reduce_logsumexp, -np.inf, dataset, num_samples,
      chunk_size, seed, jit_compile,
      f'log p(x), {num_samples} draws' if verbose else None)
  return Estimate(math.log(num_samples) - total, weights_of(dataset))


def _elbo_parts(model, chunk_size, inputs, target, draw) -> ElboParts:
  """Returns the parts of the ELBO at the draws, `[n, b]` each."""
  inference = model.infer_classes(inputs, draw)
  parts = inference.elbo_parts(draws.log_likelihood(
      model, inference.latents, target, inputs, chunk_size))
  return tf.nest.map_structure(
      lambda nats: tf.broadcast_to(nats, tf.shape(parts.reconstruction)), parts)


def _log_weights(model, chunk_size, inputs, target, draw) -> tf.Tensor:
  """Returns log w = log p(x|z) + log p(z) − log q(z|x), at the draws."""
  inference = model.infer_classes(inputs, draw)
  return inference.log_weights(draws.log_likelihood(
      model, inference.latents, target, inputs, chunk_size))


def _check(num_samples: int, chunk_size: int):
  if num_samples < 1 or chunk_size < 1:
    raise ValueError(
        '`num_samples` and `chunk_size` must be at least 1. Received: '
        f'num_samples={num_samples}, chunk_size={chunk_size}')
